/** The users whom the viewer blocks, newest block first, ten per page. */

import { useQuery } from "@apollo/client/react";
import { UnblockButton } from "../components/UnblockButton";
import { Ago } from "../components/UserTable";
import { ViewerList } from "../components/ViewerList";
import { graphql } from "../generated";
import { BLOCKED_PATH, SAFETY_TABS } from "../links";
import { usePosition } from "../paging";

const BlockedUsersPage_query = graphql(`
  query BlockedUsersPage($first: Int, $after: String, $last: Int, $before: String) {
    viewer {
      id
      page: blockedUsers(first: $first, after: $after, last: $last, before: $before) {
        totalCount
        edges {
          cursor
          blockedAt
          node {
            id
            ...UserTable_user
            ...UnblockButton_user
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

export function BlockedUsersPage() {
  const result = useQuery(BlockedUsersPage_query, { variables: usePosition() });

  return (
    <ViewerList
      title="Blocked users"
      intro="While signed in, these users do not find you."
      empty="You do not block any user."
      path={BLOCKED_PATH}
      tabs={SAFETY_TABS}
      columns={{
        timeTitle: "Since",
        time: ({ blockedAt }) => <Ago time={blockedAt} />,
        actions: ({ node }) => <UnblockButton user={node} />,
      }}
      result={result}
    />
  );
}
