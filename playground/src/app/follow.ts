/** Following and unfollowing: shown at once, taken back when refused, right in every list after. */

import type { ApolloCache, ApolloClient } from "@apollo/client";
import { describeError, errorCode } from "./errors";
import { graphql, makeFragmentData } from "./generated";
import type { FollowErrorCode } from "./generated/graphql";
import { say, warn } from "./messages";

// What comes back under an `id` updates that user wherever they are shown: in the directory, on
// their page, in every row. So a payload asks for exactly what the change may change.
const Follow_user = graphql(`
  fragment Follow_user on User {
    id
    viewerIsFollowing
    followers {
      totalCount
    }
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
        following {
          totalCount
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
        following {
          totalCount
        }
      }
      userErrors {
        code
        message
      }
    }
  }
`);

/** What a change needs to know of the user in order to show its effect before the answer. */
export interface FollowTarget {
  id: string;
  username: string;
  name?: string | null;
  viewerIsFollowing: boolean;
  followers: { totalCount: number };
}

/** Follows whom the viewer does not follow, unfollows whom they do, and tells what became of it. */
export async function toggleFollow(client: ApolloClient, user: FollowTarget): Promise<void> {
  try {
    await (user.viewerIsFollowing ? unfollow(client, user) : follow(client, user));
  } catch (error) {
    // The client has said already that the session has ended.
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
  await refreshLists(client, user.id, data?.follow?.viewer?.id);
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
  if (data?.unfollow?.outcome === "UNFOLLOWED") {
    say(`You are no longer following ${user.name ?? user.username}`);
  } else if (data?.unfollow?.outcome === "NOT_FOLLOWING") {
    say("Looks like you were not following that user.");
  } else {
    refuse(data?.unfollow?.userErrors);
  }
  await refreshLists(client, user.id, data?.unfollow?.viewer?.id);
}

/**
 * The user as they will be when all goes well. The client lays this over its cache until the
 * answer is there and then takes it away, so a refusal leaves no trace and no count drifts.
 */
function expected(user: FollowTarget, viewerIsFollowing: boolean) {
  return makeFragmentData(
    {
      __typename: "User",
      id: user.id,
      viewerIsFollowing,
      followers: {
        __typename: "FollowerConnection",
        totalCount: user.followers.totalCount + (viewerIsFollowing ? 1 : -1),
      },
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
 * Where the viewer now stands in a list, and which page that is, only the server knows. The pages
 * of both lists are forgotten, and whichever is on the screen is asked for again.
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
      forgetPages(cache, userId, "followers");
      forgetPages(cache, viewerId, "following");
    },
    // Other pages read the same field for its count only, and that is right already.
    onQueryUpdated: ({ queryName }) =>
      queryName === "FollowersPage" || queryName === "FollowingPage",
  });
}

/** Forgets the field with arguments, which is a page, and keeps it without, which is the count. */
function forgetPages(cache: ApolloCache, id: string, field: "followers" | "following"): void {
  cache.modify({
    id: `User:${id}`,
    fields: {
      [field]: (value, { storeFieldName, DELETE }) => (storeFieldName === field ? value : DELETE),
    },
  });
}
