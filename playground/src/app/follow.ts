/** Follow and unfollow: optimistic, reverted on refusal, consistent in every list afterwards. */

import type { ApolloClient } from "@apollo/client";
import { getFragmentData, graphql, makeFragmentData } from "./generated";
import { change, nameOf, type Person } from "./relations";

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
  return isEnd ? unfollow(client, user) : follow(client, user);
}

function follow(client: ApolloClient, user: FollowTarget): Promise<void> {
  // A private user may accept those whom they follow at once. Then the answer corrects this.
  const outcome = user.isPrivate ? "REQUESTED" : "FOLLOWED";
  const texts = {
    FOLLOWED: `You are now following ${nameOf(user)}`,
    ALREADY_FOLLOWING: "Looks like you are already following that user.",
    REQUESTED: `You have asked to follow ${nameOf(user)}`,
    ALREADY_REQUESTED: "Looks like you have already asked to follow that user.",
  };
  return change(client, user, async (variables) => {
    const { data } = await client.mutate({
      mutation: Follow,
      variables,
      optimisticResponse: {
        follow: { outcome, viewer: null, userErrors: [], user: expected(user, outcome) },
      },
    });
    const payload = data?.follow;
    return { payload, text: payload?.outcome && texts[payload.outcome] };
  });
}

function unfollow(client: ApolloClient, user: FollowTarget): Promise<void> {
  const outcome = user.viewerIsFollowing ? "UNFOLLOWED" : "REQUEST_WITHDRAWN";
  const texts = {
    UNFOLLOWED: `You are no longer following ${nameOf(user)}`,
    REQUEST_WITHDRAWN: `You no longer ask to follow ${nameOf(user)}`,
    NOT_FOLLOWING: user.viewerHasRequested
      ? "Looks like your request is no longer waiting."
      : "Looks like you were not following that user.",
  };
  return change(client, user, async (variables) => {
    const { data } = await client.mutate({
      mutation: Unfollow,
      variables,
      optimisticResponse: {
        unfollow: { outcome, viewer: null, userErrors: [], user: expected(user, outcome) },
      },
    });
    const payload = data?.unfollow;
    const unfollowed = getFragmentData(Follow_user, payload?.user);
    const undo = { label: "Undo", run: () => toggleFollow(client, { ...user, ...unfollowed }) };
    return {
      payload,
      text: payload?.outcome && texts[payload.outcome],
      action: payload?.outcome === "NOT_FOLLOWING" ? undefined : undo,
    };
  });
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
