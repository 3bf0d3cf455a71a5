/** The followers of a user, newest first, ten per page. */

import { useQuery } from "@apollo/client/react";
import { FollowList } from "../components/FollowList";
import { graphql } from "../generated";
import { followersPath } from "../links";
import { usePosition } from "../paging";

// The alias separates the page from the count that the banner selects.
const FollowersPage_query = graphql(`
  query FollowersPage(
    $username: String!
    $first: Int
    $after: String
    $last: Int
    $before: String
  ) {
    user(username: $username) {
      id
      ...UserBanner_user
      page: followers(first: $first, after: $after, last: $last, before: $before) {
        totalCount
        edges {
          cursor
          followedAt
          node {
            id
            ...FollowTable_user
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

export function FollowersPage({ username }: { username: string }) {
  const position = usePosition();
  const { data, error, refetch } = useQuery(FollowersPage_query, {
    variables: { username, ...position },
  });

  return (
    <FollowList
      username={username}
      title={`Followers of ${username}`}
      empty={`Nobody follows ${username} yet.`}
      path={followersPath(username)}
      user={data && (data.user ?? null)}
      error={error}
      retry={refetch}
    />
  );
}
