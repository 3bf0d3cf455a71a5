/** Follows or unfollows a user. It shows only when the server would let the viewer do so. */

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
      // The row has left the list, and the focus would be nowhere.
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
        // A disabled button would lose the focus, so a second click is let through and ignored.
        if (!isPending) {
          startTransition(() => toggle(currentTarget));
        }
      }}
    >
      {action}
    </button>
  );
}
