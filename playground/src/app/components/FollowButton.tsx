/**
 * Follows a user or asks to, unfollows, withdraws the request, or unblocks. Not shown if the server
 * would never allow it.
 */

import { useApolloClient } from "@apollo/client/react";
import { Link, useLocation, useSearch } from "wouter";
import { toggleFollow } from "../follow";
import { type FragmentType, getFragmentData, graphql } from "../generated";
import { signInPath } from "../links";
import { nameOf } from "../relations";
import { ChangeButton } from "./ChangeButton";
import { UnblockButton } from "./UnblockButton";

const FollowButton_user = graphql(`
  fragment FollowButton_user on User {
    id
    username
    name
    isPrivate
    viewerCannotFollowReasons
    viewerIsFollowing
    viewerHasRequested
    viewerIsBlocking
    followerCount
    ...UnblockButton_user
  }
`);

export function FollowButton(props: { user: FragmentType<typeof FollowButton_user> }) {
  const user = getFragmentData(FollowButton_user, props.user);
  const client = useApolloClient();
  const reasons = user.viewerCannotFollowReasons;
  if (reasons.includes("UNAUTHENTICATED")) {
    return <SignInLink username={user.username} />;
  }
  if (user.viewerIsBlocking) {
    return <UnblockButton user={user} />;
  }
  if (
    reasons.includes("MISSING_PERMISSION") ||
    reasons.includes("YOURSELF") ||
    reasons.includes("BLOCKED")
  ) {
    return null;
  }

  const { label, description, className } = appearance(user);
  return (
    <ChangeButton
      label={label}
      description={`${description} ${nameOf(user)}`}
      className={`follow-button ${className}`}
      change={() => toggleFollow(client, user)}
    />
  );
}

function appearance(user: { viewerIsFollowing: boolean; viewerHasRequested: boolean }) {
  if (user.viewerIsFollowing) {
    return { label: "Unfollow", description: "Unfollow", className: "button" };
  }
  if (user.viewerHasRequested) {
    const description = "Requested: withdraw the request to follow";
    return { label: "Requested", description, className: "button" };
  }
  return { label: "Follow", description: "Follow", className: "button primary" };
}

/** Leads to sign-in, and from there back to this page. */
function SignInLink({ username }: { username: string }) {
  const [path] = useLocation();
  const search = useSearch();
  return (
    <Link
      href={signInPath(search ? `${path}?${search}` : path)}
      className="follow-button button primary"
      aria-label={`Sign in to follow ${username}`}
    >
      Follow
    </Link>
  );
}
