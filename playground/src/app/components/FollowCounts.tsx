/** The numbers of followers and followed users, each a link to its list. */

import { Link, useLocation } from "wouter";
import { formatCount } from "../format";
import { type FragmentType, getFragmentData, graphql } from "../generated";
import { followersPath, followingPath } from "../links";

const FollowCounts_user = graphql(`
  fragment FollowCounts_user on User {
    username
    followerCount
    followingCount
  }
`);

export function FollowCounts({ user }: { user: FragmentType<typeof FollowCounts_user> }) {
  const { username, followerCount, followingCount } = getFragmentData(FollowCounts_user, user);
  const lists = [
    {
      path: followersPath(username),
      count: followerCount,
      label: followerCount === 1 ? "follower" : "followers",
    },
    { path: followingPath(username), count: followingCount, label: "following" },
  ];
  const [location] = useLocation();

  return (
    <nav className="follow-counts" aria-label="Followers and following">
      {lists.map(({ path, count, label }) => (
        <Link key={path} href={path} aria-current={location === path ? "page" : undefined}>
          <strong>{formatCount(count)}</strong> {label}
        </Link>
      ))}
    </nav>
  );
}
