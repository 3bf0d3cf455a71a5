/** A user in the directory. */

import { Link } from "wouter";
import { formatFollowers } from "../format";
import { type FragmentType, getFragmentData, graphql } from "../generated";
import { profilePath } from "../links";
import { Avatar } from "./Avatar";
import { FollowButton } from "./FollowButton";
import { RelationLabel } from "./RelationLabel";

const UserCard_user = graphql(`
  fragment UserCard_user on User {
    username
    name
    bio
    followerCount
    ...Avatar_user
    ...FollowButton_user
    ...RelationLabel_user
  }
`);

export function UserCard(props: { user: FragmentType<typeof UserCard_user> }) {
  const user = getFragmentData(UserCard_user, props.user);
  return (
    <li className="card user-card">
      <Avatar user={user} />
      <div className="who">
        <Link href={profilePath(user.username)} className="cover">
          {user.name ?? user.username}
        </Link>
        <span className="username">@{user.username}</span>
      </div>
      <p className="bio">{user.bio}</p>
      <div className="facts">
        <span>{formatFollowers(user.followerCount)}</span>
        <RelationLabel user={user} />
      </div>
      <FollowButton user={user} />
    </li>
  );
}
