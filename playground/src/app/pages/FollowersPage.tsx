/** The followers of a user, newest first, ten per page. */

import { useQuery } from "@apollo/client/react";
import { FollowButton } from "../components/FollowButton";
import { FollowList } from "../components/FollowList";
import { UserMenu } from "../components/UserMenu";
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
      isViewer
      viewerIsFollowing
      ...UserBanner_user
      page: followers(first: $first, after: $after, last: $last, before: $before) {
        isHidden
        totalCount
        edges {
          cursor
          followedAt
          node {
            id
            ...UserTable_user
            ...FollowButton_user
            ...UserMenu_user
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
      actions={({ node }) => (
        <span className="buttons">
          <FollowButton user={node} />
          {data?.user?.isViewer && <UserMenu user={node} />}
        </span>
      )}
      error={error}
      retry={refetch}
    />
  );
}
