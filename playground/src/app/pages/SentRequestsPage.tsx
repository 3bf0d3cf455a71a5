/** The requests of the viewer to follow others, newest first, ten per page. */

import { useQuery } from "@apollo/client/react";
import { FollowButton } from "../components/FollowButton";
import { Ago } from "../components/UserTable";
import { ViewerList } from "../components/ViewerList";
import { graphql } from "../generated";
import { REQUEST_TABS, SENT_REQUESTS_PATH } from "../links";
import { usePosition } from "../paging";

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

export function SentRequestsPage() {
  const { data, error, refetch } = useQuery(SentRequestsPage_query, { variables: usePosition() });

  return (
    <ViewerList
      title="Sent requests"
      intro="These users have yet to accept your request. Press “Requested” to withdraw one."
      empty="No request of yours waits for an answer."
      path={SENT_REQUESTS_PATH}
      tabs={REQUEST_TABS}
      columns={{
        timeTitle: "Asked",
        time: ({ requestedAt }) => <Ago time={requestedAt} />,
        actions: ({ node }) => <FollowButton user={node} />,
      }}
      viewer={data && (data.viewer ?? null)}
      error={error}
      retry={refetch}
    />
  );
}
