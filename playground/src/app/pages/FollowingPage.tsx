/** The users that a user follows, newest first, ten per page. */

import { useQuery } from "@apollo/client/react";
import { FollowButton } from "../components/FollowButton";
import { FollowList } from "../components/FollowList";
import { graphql } from "../generated";
import { followingPath } from "../links";
import { usePosition } from "../paging";

// The alias separates the page from the count that the banner selects.
const FollowingPage_query = graphql(`
  query FollowingPage(
    $username: String!
    $first: Int
    $after: String
    $last: Int
    $before: String
  ) {
    user(username: $username) {
      id
      viewerIsFollowing
      ...UserBanner_user
      page: following(first: $first, after: $after, last: $last, before: $before) {
        isHidden
        totalCount
        edges {
          cursor
          followedAt
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

export function FollowingPage({ username }: { username: string }) {
  const position = usePosition();
  const { data, error, refetch } = useQuery(FollowingPage_query, {
    variables: { username, ...position },
  });

  return (
    <FollowList
      username={username}
      title={`Followed by ${username}`}
      empty={`${username} follows nobody yet.`}
      path={followingPath(username)}
      user={data && (data.user ?? null)}
      actions={({ node }) => <FollowButton user={node} />}
      error={error}
      retry={refetch}
    />
  );
}
