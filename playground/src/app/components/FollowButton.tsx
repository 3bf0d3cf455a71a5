/** Follows or unfollows a user. Shown only if the server would allow it. */

import { useApolloClient } from "@apollo/client/react";
import { useTransition } from "react";
import { toggleFollow } from "../follow";
import { type FragmentType, getFragmentData, graphql } from "../generated";
import { focusHeading } from "./Heading";

const FollowButton_user = graphql(`
  fragment FollowButton_user on User {
    id
    username
    name
    isViewer
    viewerCanFollow
    viewerIsFollowing
    followers {
      totalCount
    }
  }
`);

export function FollowButton(props: { user: FragmentType<typeof FollowButton_user> }) {
  const user = getFragmentData(FollowButton_user, props.user);
  const client = useApolloClient();
  const [isPending, startTransition] = useTransition();
  if (!user.viewerCanFollow || user.isViewer) {
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
