/** The head of both list pages: the user whose list it is. */

import { Link } from "wouter";
import { type FragmentType, getFragmentData, graphql } from "../generated";
import { profilePath } from "../links";
import { AccountLabels } from "./AccountLabels";
import { Avatar } from "./Avatar";
import { FollowButton } from "./FollowButton";
import { FollowCounts } from "./FollowCounts";

const UserBanner_user = graphql(`
  fragment UserBanner_user on User {
    username
    name
    ...AccountLabels_user
    ...Avatar_user
    ...FollowButton_user
    ...FollowCounts_user
  }
`);

/** Without a user, a placeholder of the same size. */
export function UserBanner(props: { user: FragmentType<typeof UserBanner_user> | undefined }) {
  if (!props.user) {
    return (
      <div className="user-banner skeleton">
        <span className="avatar medium" />
        <span className="bar" />
      </div>
    );
  }
  const user = getFragmentData(UserBanner_user, props.user);
  return (
    <div className="user-banner">
      <Avatar user={user} />
      <div className="who">
        <Link href={profilePath(user.username)} className="cover">
          {user.name ?? user.username}
        </Link>
        <span className="username">
          @{user.username} <AccountLabels user={user} />
        </span>
      </div>
      <FollowCounts user={user} />
      <FollowButton user={user} />
    </div>
  );
}
