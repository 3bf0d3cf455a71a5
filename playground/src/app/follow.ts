/** Follow and unfollow: optimistic, reverted on refusal, consistent in every list afterwards. */

import type { ApolloClient } from "@apollo/client";
import { describeError, errorCode } from "./errors";
import { getFragmentData, graphql, makeFragmentData } from "./generated";
import type { FollowErrorCode } from "./generated/graphql";
import { say, warn } from "./messages";

// A user in a payload updates the cached user of that `id` wherever they are shown: in the directory,
// on their page, in every row. So the payload selects exactly the fields that the change affects.
const Follow_user = graphql(`
  fragment Follow_user on User {
    id
    viewerIsFollowing
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
        id
        user {
          id
          followingCount
        }
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
        id
        user {
          id
          followingCount
        }
      }
      userErrors {
        code
        message
      }
    }
  }
`);

/** The fields of the user that a change needs for its optimistic result. */
export interface FollowTarget {
  id: string;
  username: string;
  name?: string | null;
  viewerIsFollowing: boolean;
  followerCount: number;
}

/** Follows or unfollows a user, whichever applies, and reports the outcome. */
export async function toggleFollow(client: ApolloClient, user: FollowTarget): Promise<void> {
  try {
    await (user.viewerIsFollowing ? unfollow(client, user) : follow(client, user));
  } catch (error) {
    // The client has already reported that the session has ended.
    if (errorCode(error) !== "UNAUTHENTICATED") {
      warn(describeError(error));
    }
  }
}

async function follow(client: ApolloClient, user: FollowTarget): Promise<void> {
  const { data } = await client.mutate({
    mutation: Follow,
    variables: { id: user.id },
    optimisticResponse: {
      follow: { outcome: "FOLLOWED", viewer: null, userErrors: [], user: expected(user, true) },
    },
  });
  if (data?.follow?.outcome === "FOLLOWED") {
    say(`You are now following ${user.name ?? user.username}`);
  } else if (data?.follow?.outcome === "ALREADY_FOLLOWING") {
    say("Looks like you are already following that user.");
  } else {
    refuse(data?.follow?.userErrors);
  }
  await refreshLists(client, user.id, data?.follow?.viewer?.user.id);
}

async function unfollow(client: ApolloClient, user: FollowTarget): Promise<void> {
  const { data } = await client.mutate({
    mutation: Unfollow,
    variables: { id: user.id },
    optimisticResponse: {
      unfollow: {
        outcome: "UNFOLLOWED",
        viewer: null,
        userErrors: [],
        user: expected(user, false),
      },
    },
  });
  const unfollowed = getFragmentData(Follow_user, data?.unfollow?.user);
  if (data?.unfollow?.outcome === "UNFOLLOWED") {
    say(`You are no longer following ${user.name ?? user.username}`, {
      label: "Undo",
      run: () => toggleFollow(client, { ...user, ...unfollowed }),
    });
  } else if (data?.unfollow?.outcome === "NOT_FOLLOWING") {
    say("Looks like you were not following that user.");
  } else {
    refuse(data?.unfollow?.userErrors);
  }
  await refreshLists(client, user.id, data?.unfollow?.viewer?.user.id);
}

/**
 * The user after a successful change. The client applies it on top of its cache until the answer
 * arrives and then discards it, so a refusal leaves no trace and no count drifts.
 */
function expected(user: FollowTarget, viewerIsFollowing: boolean) {
  return makeFragmentData(
    {
      __typename: "User",
      id: user.id,
      viewerIsFollowing,
      followerCount: user.followerCount + (viewerIsFollowing ? 1 : -1),
    },
    Follow_user,
  );
}

function refuse(userErrors: { code: FollowErrorCode; message: string }[] | undefined): void {
  const [error] = userErrors ?? [];
  warn(
    error?.code === "NOT_FOUND"
      ? "That is not a valid user."
      : (error?.message ?? "The server refused the request."),
  );
}

/**
 * Only the server knows the viewer's new position in a list. Evicts the pages of both lists, and
 * refetches the visible one.
 */
async function refreshLists(
  client: ApolloClient,
  userId: string,
  viewerId: string | undefined,
): Promise<void> {
  if (viewerId === undefined) {
    return;
  }
  await client.refetchQueries({
    updateCache(cache) {
      cache.evict({ id: `User:${userId}`, fieldName: "followers" });
      cache.evict({ id: `User:${viewerId}`, fieldName: "following" });
    },
    // Other pages read only counts, which are already correct.
    onQueryUpdated: ({ queryName }) =>
      queryName === "FollowersPage" || queryName === "FollowingPage",
  });
}
