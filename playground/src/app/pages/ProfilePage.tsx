/** The profile of a user: counts, links to both lists, and the Follow button. */

import { useQuery } from "@apollo/client/react";
import { Link } from "wouter";
import { AccountLabels } from "../components/AccountLabels";
import { AnswerButtons } from "../components/AnswerButtons";
import { Avatar } from "../components/Avatar";
import { FollowButton } from "../components/FollowButton";
import { FollowCounts } from "../components/FollowCounts";
import { Heading } from "../components/Heading";
import { Problem } from "../components/Problem";
import { RelationLabel } from "../components/RelationLabel";
import { UnknownUser } from "../components/UnknownUser";
import { UserMenu } from "../components/UserMenu";
import { formatMonth } from "../format";
import { type FragmentType, getFragmentData, graphql } from "../generated";
import { SETTINGS_PATH } from "../links";

const ProfilePage_query = graphql(`
  query ProfilePage($username: String!) {
    user(username: $username) {
      ...Profile_user
    }
    ...Header_query
  }
`);

const Profile_user = graphql(`
  fragment Profile_user on User {
    id
    username
    name
    bio
    createdAt
    isViewer
    hasRequestedViewer
    viewerCannotFollowReasons
    ...AccountLabels_user
    ...AnswerButtons_user
    ...Avatar_user
    ...RelationLabel_user
    ...FollowCounts_user
    ...FollowButton_user
    ...UserMenu_user
  }
`);

export function ProfilePage({ username }: { username: string }) {
  const { data, error, refetch } = useQuery(ProfilePage_query, { variables: { username } });

  if (error) {
    return <Problem error={error} retry={refetch} />;
  }
  if (!data) {
    return <ProfileSkeleton username={username} />;
  }
  return data.user ? <Profile user={data.user} /> : <UnknownUser username={username} />;
}

function Profile(props: { user: FragmentType<typeof Profile_user> }) {
  const user = getFragmentData(Profile_user, props.user);
  return (
    <article className="card profile">
      <Avatar user={user} size="large" />
      <div className="who">
        <Heading>{user.name ?? user.username}</Heading>
        <p className="username">
          @{user.username} <RelationLabel user={user} /> <AccountLabels user={user} />
        </p>
      </div>
      <div className="action">
        {user.viewerCannotFollowReasons.includes("MISSING_PERMISSION") && (
          <span className="hint">Your account may not follow anybody.</span>
        )}
        {user.isViewer && (
          <Link href={SETTINGS_PATH} className="button">
            Edit profile
          </Link>
        )}
        <FollowButton user={user} />
        <UserMenu user={user} />
      </div>
      {user.bio && <p className="bio">{user.bio}</p>}
      <FollowCounts user={user} />
      <p className="since">Here since {formatMonth(user.createdAt)}</p>
      {user.hasRequestedViewer && (
        <div className="request">
          <p>Answer the request to follow you:</p>
          <AnswerButtons user={user} />
        </div>
      )}
    </article>
  );
}

function ProfileSkeleton({ username }: { username: string }) {
  return (
    <article className="card profile skeleton" aria-busy="true">
      <span className="avatar large" />
      <div className="who">
        <Heading>{username}</Heading>
        <p className="username">@{username}</p>
      </div>
      <span className="bar bio" />
      <span className="bar follow-counts" />
      <span className="bar since" />
    </article>
  );
}
