/** Blocks, mutes, removed followers and answers to follow requests, each reported by a message. */

import type { ApolloClient } from "@apollo/client";
import { formatMoment } from "./format";
import { graphql } from "./generated";
import type { Action } from "./messages";
import { change, nameOf, type Person } from "./relations";

// All that a change between two users may affect on the other one, wherever they are shown.
export const Changed_user = graphql(`
  fragment Changed_user on User {
    id
    followerCount
    followingCount
    isFollowingViewer
    hasRequestedViewer
    viewerIsFollowing
    viewerHasRequested
    viewerIsBlocking
    viewerIsMuting
    viewerMutedUntil
  }
`);

const Block = graphql(`
  mutation Block($id: ID!) {
    block(input: { user: { id: $id } }) {
      outcome
      user {
        ...Changed_user
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

const Unblock = graphql(`
  mutation Unblock($id: ID!) {
    unblock(input: { user: { id: $id } }) {
      outcome
      user {
        ...Changed_user
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

const Unmute = graphql(`
  mutation Unmute($id: ID!) {
    unmute(input: { user: { id: $id } }) {
      outcome
      user {
        ...Changed_user
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

const RemoveFollower = graphql(`
  mutation RemoveFollower($id: ID!) {
    removeFollower(input: { user: { id: $id } }) {
      outcome
      user {
        ...Changed_user
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

const AcceptFollowRequest = graphql(`
  mutation AcceptFollowRequest($id: ID!) {
    acceptFollowRequest(input: { user: { id: $id } }) {
      outcome
      user {
        ...Changed_user
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

const RejectFollowRequest = graphql(`
  mutation RejectFollowRequest($id: ID!) {
    rejectFollowRequest(input: { user: { id: $id } }) {
      outcome
      user {
        ...Changed_user
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

const Mute = graphql(`
  mutation Mute($id: ID!, $until: DateTime) {
    mute(input: { user: { id: $id }, until: $until }) {
      outcome
      user {
        ...Changed_user
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

export function block(client: ApolloClient, user: Person): Promise<void> {
  return change(client, user, async (variables) => {
    const { data } = await client.mutate({ mutation: Block, variables });
    return {
      payload: data?.block,
      text: data?.block?.outcome && `You block ${nameOf(user)}.`,
      action: undo(() => unblock(client, user)),
    };
  });
}

export function unblock(client: ApolloClient, user: Person): Promise<void> {
  return change(client, user, async (variables) => {
    const { data } = await client.mutate({ mutation: Unblock, variables });
    return {
      payload: data?.unblock,
      text: data?.unblock?.outcome && `You no longer block ${nameOf(user)}.`,
    };
  });
}

/** Mutes a user for some days; without a number, until the viewer ends it. */
export function mute(client: ApolloClient, user: Person, days: number | null): Promise<void> {
  const until = days === null ? null : new Date(Date.now() + days * 86_400_000).toISOString();
  return change(client, user, async (variables) => {
    const { data } = await client.mutate({ mutation: Mute, variables: { ...variables, until } });
    const end = until === null ? "until you end it" : `until ${formatMoment(until)}`;
    return {
      payload: data?.mute,
      text: data?.mute?.outcome && `You have muted ${nameOf(user)} ${end}.`,
      action: undo(() => unmute(client, user)),
    };
  });
}

export function unmute(client: ApolloClient, user: Person): Promise<void> {
  return change(client, user, async (variables) => {
    const { data } = await client.mutate({ mutation: Unmute, variables });
    return {
      payload: data?.unmute,
      text: data?.unmute?.outcome && `You no longer mute ${nameOf(user)}.`,
    };
  });
}

export function removeFollower(client: ApolloClient, user: Person): Promise<void> {
  return change(client, user, async (variables) => {
    const { data } = await client.mutate({ mutation: RemoveFollower, variables });
    return {
      payload: data?.removeFollower,
      text: data?.removeFollower?.outcome && `${nameOf(user)} no longer follows you.`,
    };
  });
}

export function acceptRequest(client: ApolloClient, user: Person): Promise<void> {
  return change(client, user, async (variables) => {
    const { data } = await client.mutate({ mutation: AcceptFollowRequest, variables });
    const outcome = data?.acceptFollowRequest?.outcome;
    return {
      payload: data?.acceptFollowRequest,
      text:
        outcome === "NO_REQUEST" ? withdrawn(user) : outcome && `${nameOf(user)} now follows you.`,
    };
  });
}

export function rejectRequest(client: ApolloClient, user: Person): Promise<void> {
  return change(client, user, async (variables) => {
    const { data } = await client.mutate({ mutation: RejectFollowRequest, variables });
    const outcome = data?.rejectFollowRequest?.outcome;
    return {
      payload: data?.rejectFollowRequest,
      text:
        outcome === "NO_REQUEST"
          ? withdrawn(user)
          : outcome && `You have rejected the request of ${nameOf(user)}.`,
    };
  });
}

function withdrawn(user: Person): string {
  return `${nameOf(user)} no longer asks to follow you.`;
}

function undo(run: () => Promise<void>): Action {
  return { label: "Undo", run };
}
