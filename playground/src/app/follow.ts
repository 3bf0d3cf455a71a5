/** Follow and unfollow: optimistic, reverted on refusal, consistent in every list afterwards. */

import type { ApolloClient } from "@apollo/client";
import { getFragmentData, graphql, makeFragmentData } from "./generated";
import { say } from "./messages";
import { attempt, Changed_viewer, nameOf, type Person, refreshLists, refuse } from "./relations";

// A user in a payload updates the cached user of that `id` wherever they are shown: in the directory,
// on their page, in every row. So the payload selects exactly the fields that the change affects.
const Follow_user = graphql(`
  fragment Follow_user on User {
    id
    viewerIsFollowing
    viewerHasRequested
    followerCount
  }
`);

const Follow = graphql(`
  mutation Follow($id: ID!) {
    follow(input: { user: { id: $id } }) {
      outcome
      user {
        ...Follow_user
      }
      viewer {
        ...Changed_viewer
      }
      userErrors {
        code
        message
      }
    }
  }
`);

const Unfollow = graphql(`
  mutation Unfollow($id: ID!) {
    unfollow(input: { user: { id: $id } }) {
      outcome
      user {
        ...Follow_user
      }
      viewer {
        ...Changed_viewer
      }
      userErrors {
        code
        message
      }
    }
  }
`);

/** The fields of the user that a change needs for its optimistic result. */
export interface FollowTarget extends Person {
  isPrivate: boolean;
  viewerIsFollowing: boolean;
  viewerHasRequested: boolean;
  followerCount: number;
}

/** Follows a user or asks to, unfollows or withdraws the request, whichever applies. */
export function toggleFollow(client: ApolloClient, user: FollowTarget): Promise<void> {
  const isEnd = user.viewerIsFollowing || user.viewerHasRequested;
  return attempt(() => (isEnd ? unfollow(client, user) : follow(client, user)));
}

async function follow(client: ApolloClient, user: FollowTarget): Promise<void> {
  // A private user may accept those whom they follow at once. Then the answer corrects this.
  const outcome = user.isPrivate ? "REQUESTED" : "FOLLOWED";
  const { data } = await client.mutate({
    mutation: Follow,
    variables: { id: user.id },
    optimisticResponse: {
      follow: { outcome, viewer: null, userErrors: [], user: expected(user, outcome) },
    },
  });
  switch (data?.follow?.outcome) {
    case "FOLLOWED":
      say(`You are now following ${nameOf(user)}`);
      break;
    case "ALREADY_FOLLOWING":
      say("Looks like you are already following that user.");
      break;
    case "REQUESTED":
      say(`You have asked to follow ${nameOf(user)}`);
      break;
    case "ALREADY_REQUESTED":
      say("Looks like you have already asked to follow that user.");
      break;
    default:
      refuse(data?.follow?.userErrors);
  }
  await refreshLists(client, user.id, getFragmentData(Changed_viewer, data?.follow?.viewer));
}

async function unfollow(client: ApolloClient, user: FollowTarget): Promise<void> {
  const outcome = user.viewerIsFollowing ? "UNFOLLOWED" : "REQUEST_WITHDRAWN";
  const { data } = await client.mutate({
    mutation: Unfollow,
    variables: { id: user.id },
    optimisticResponse: {
      unfollow: { outcome, viewer: null, userErrors: [], user: expected(user, outcome) },
    },
  });
  const unfollowed = getFragmentData(Follow_user, data?.unfollow?.user);
  const undo = {
    label: "Undo",
    run: () => toggleFollow(client, { ...user, ...unfollowed }),
  };
  switch (data?.unfollow?.outcome) {
    case "UNFOLLOWED":
      say(`You are no longer following ${nameOf(user)}`, undo);
      break;
    case "REQUEST_WITHDRAWN":
      say(`You no longer ask to follow ${nameOf(user)}`, undo);
      break;
    case "NOT_FOLLOWING":
      say(
        user.viewerHasRequested
          ? "Looks like your request is no longer waiting."
          : "Looks like you were not following that user.",
      );
      break;
    default:
      refuse(data?.unfollow?.userErrors);
  }
  await refreshLists(client, user.id, getFragmentData(Changed_viewer, data?.unfollow?.viewer));
}

/** How each change that succeeds moves the number of followers. */
const GAINED = { FOLLOWED: 1, UNFOLLOWED: -1, REQUESTED: 0, REQUEST_WITHDRAWN: 0 };

/**
 * The user after a successful change. The client applies it on top of its cache until the answer
 * arrives and then discards it, so a refusal leaves no trace and no count drifts.
 */
function expected(user: FollowTarget, outcome: keyof typeof GAINED) {
  return makeFragmentData(
    {
      __typename: "User",
      id: user.id,
      viewerIsFollowing: outcome === "FOLLOWED",
      viewerHasRequested: outcome === "REQUESTED",
      followerCount: user.followerCount + GAINED[outcome],
    },
    Follow_user,
  );
}
