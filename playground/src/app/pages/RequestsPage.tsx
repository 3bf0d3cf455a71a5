/** The requests to follow the viewer, newest first, ten per page. */

import { useQuery } from "@apollo/client/react";
import { AnswerButtons } from "../components/AnswerButtons";
import { Ago } from "../components/UserTable";
import { ViewerList } from "../components/ViewerList";
import { graphql } from "../generated";
import { REQUEST_TABS, REQUESTS_PATH } from "../links";
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

export function RequestsPage() {
  const { data, error, refetch } = useQuery(RequestsPage_query, { variables: usePosition() });

  return (
    <ViewerList
      title="Follow requests"
      intro="These users would like to follow you. They do not hear of a rejection."
      empty="No request waits for your answer."
      path={REQUESTS_PATH}
      tabs={REQUEST_TABS}
      columns={{
        timeTitle: "Asked",
        time: ({ requestedAt }) => <Ago time={requestedAt} />,
        actions: ({ node }) => <AnswerButtons user={node} />,
      }}
      viewer={data && (data.viewer ?? null)}
      error={error}
      retry={refetch}
    />
  );
}
