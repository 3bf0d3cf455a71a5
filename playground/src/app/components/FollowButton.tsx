/** Follows or unfollows a user. Not shown if the server would never allow it. */

import { useApolloClient } from "@apollo/client/react";
import { useTransition } from "react";
import { Link, useLocation, useSearch } from "wouter";
import { toggleFollow } from "../follow";
import { type FragmentType, getFragmentData, graphql } from "../generated";
import { signInPath } from "../links";
import { focusHeading } from "./Heading";

const FollowButton_user = graphql(`
  fragment FollowButton_user on User {
    id
    username
    name
    viewerCannotFollowReasons
    viewerIsFollowing
    followerCount
  }
`);

export function FollowButton(props: { user: FragmentType<typeof FollowButton_user> }) {
  const user = getFragmentData(FollowButton_user, props.user);
  const client = useApolloClient();
  const [isPending, startTransition] = useTransition();
  const reasons = user.viewerCannotFollowReasons;
  if (reasons.includes("UNAUTHENTICATED")) {
    return <SignInLink username={user.username} />;
  }
  if (reasons.includes("MISSING_PERMISSION") || reasons.includes("YOURSELF")) {
    return null;
  }

  async function toggle(button: HTMLButtonElement) {
    await toggleFollow(client, user);
    if (!button.isConnected) {
      // The row is gone from the list, and the focus with it.
      focusHeading();
    }
  }

  const action = user.viewerIsFollowing ? "Unfollow" : "Follow";
  return (
    <button
      type="button"
      className={user.viewerIsFollowing ? "follow-button button" : "follow-button button primary"}
      aria-label={`${action} ${user.name ?? user.username}`}
      onClick={({ currentTarget }) => {
        // A disabled button would lose the focus, so a second click is ignored instead.
        if (!isPending) {
          startTransition(() => toggle(currentTarget));
        }
      }}
    >
      {action}
    </button>
  );
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
