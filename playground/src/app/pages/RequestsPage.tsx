/**
 * The requests to follow the viewer, and those of the viewer to follow others: newest first, ten per
 * page.
 */

import { useQuery } from "@apollo/client/react";
import { AnswerButtons } from "../components/AnswerButtons";
import { FollowButton } from "../components/FollowButton";
import { Ago, type Columns, type Edge } from "../components/UserTable";
import { ViewerList, type Props as ViewerListProps } from "../components/ViewerList";
import { graphql } from "../generated";
import { REQUEST_TABS, REQUESTS_PATH, SENT_REQUESTS_PATH } from "../links";
import { usePosition } from "../paging";

const RequestsPage_query = graphql(`
  query RequestsPage($first: Int, $after: String, $last: Int, $before: String) {
    viewer {
      id
      page: followRequests(first: $first, after: $after, last: $last, before: $before) {
        totalCount
        edges {
          cursor
          requestedAt
          node {
            id
            ...UserTable_user
            ...AnswerButtons_user
          }
        }
        pageInfo {
          ...Pager_pageInfo
        }
      }
    }
    ...Header_query
  }
`);

const SentRequestsPage_query = graphql(`
  query SentRequestsPage($first: Int, $after: String, $last: Int, $before: String) {
    viewer {
      id
      page: sentFollowRequests(first: $first, after: $after, last: $last, before: $before) {
        totalCount
        edges {
          cursor
          requestedAt
          node {
            id
            ...UserTable_user
            ...FollowButton_user
          }
        }
        pageInfo {
          ...Pager_pageInfo
        }
      }
    }
    ...Header_query
  }
`);

export function RequestsPage() {
  return (
    <RequestList
      title="Follow requests"
      intro="These users would like to follow you. They do not hear of a rejection."
      empty="No request waits for your answer."
      path={REQUESTS_PATH}
      actions={({ node }) => <AnswerButtons user={node} />}
      result={useQuery(RequestsPage_query, { variables: usePosition() })}
    />
  );
}

export function SentRequestsPage() {
  return (
    <RequestList
      title="Sent requests"
      intro="These users have yet to accept your request. Press “Requested” to withdraw one."
      empty="No request of yours waits for an answer."
      path={SENT_REQUESTS_PATH}
      actions={({ node }) => <FollowButton user={node} />}
      result={useQuery(SentRequestsPage_query, { variables: usePosition() })}
    />
  );
}

type Props<E extends Edge> = Omit<ViewerListProps<E>, "tabs" | "columns"> &
  Pick<Columns<E>, "actions">;

function RequestList<E extends Edge & { requestedAt: string }>({ actions, ...list }: Props<E>) {
  const time = ({ requestedAt }: E) => <Ago time={requestedAt} />;
  const columns = { timeTitle: "Asked", time, actions };
  return <ViewerList {...list} tabs={REQUEST_TABS} columns={columns} />;
}
