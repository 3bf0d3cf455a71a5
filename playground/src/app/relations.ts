/** What all changes between the viewer and a user share: reporting results, and fresh lists. */

import type { ApolloClient } from "@apollo/client";
import type { Modifier } from "@apollo/client/cache";
import { describeError, errorCode } from "./errors";
import { type FragmentType, getFragmentData, graphql } from "./generated";
import { type Action, say, warn } from "./messages";

/** A user, as messages name them. */
export interface Person {
  id: string;
  username: string;
  name?: string | null;
}

// The numbers that a change affects, besides those of the user. The header has the first.
export const Changed_viewer = graphql(`
  fragment Changed_viewer on Viewer {
    id
    followRequests(first: 0) {
      totalCount
    }
    user {
      id
      followerCount
      followingCount
    }
  }
`);

interface Viewer {
  id: string;
  user: { id: string };
}

/** The pages that show a list which a change may affect. The others read only counts and flags. */
const LIST_PAGES = [
  "FollowersPage",
  "FollowingPage",
  "RequestsPage",
  "SentRequestsPage",
  "BlockedUsersPage",
  "MutedUsersPage",
];

export function nameOf({ name, username }: Person): string {
  return name ?? username;
}

/** What a change came to. */
interface Result {
  payload:
    | {
        viewer?: FragmentType<typeof Changed_viewer> | null;
        userErrors: { code: string; message: string }[];
      }
    | null
    | undefined;
  /** The message after a success. A repeated change is a success too. */
  text: string | null | undefined;
  action?: Action | undefined;
}

/** Sends a change, reports its result and refreshes the lists that it affects. */
export async function change(
  client: ApolloClient,
  user: Person,
  send: (variables: { id: string }) => Promise<Result>,
): Promise<void> {
  try {
    const { payload, text, action } = await send({ id: user.id });
    if (text) {
      say(text, action);
    } else {
      refuse(payload?.userErrors);
    }
    await refreshLists(client, [user.id], getFragmentData(Changed_viewer, payload?.viewer));
  } catch (error) {
    // The client has already reported that the session has ended.
    if (errorCode(error) !== "UNAUTHENTICATED") {
      warn(describeError(error));
    }
  }
}

/** Reports why the server refused a change. */
function refuse(userErrors: { code: string; message: string }[] | undefined): void {
  const [error] = userErrors ?? [];
  warn(
    error?.code === "NOT_FOUND"
      ? "There is no such user."
      : (error?.message ?? "The server refused the request."),
  );
}

/**
 * Only the server knows the new order of a list, and whether the viewer may see it. Evicts the
 * pages of all lists that changes between the viewer and these users may affect, and refetches the
 * visible one.
 */
export async function refreshLists(
  client: ApolloClient,
  userIds: string[],
  viewer: Viewer | null | undefined,
): Promise<void> {
  if (!viewer) {
    return;
  }
  await client.refetchQueries({
    updateCache(cache) {
      for (const id of [...userIds, viewer.user.id]) {
        cache.evict({ id: `User:${id}`, fieldName: "followers" });
        cache.evict({ id: `User:${id}`, fieldName: "following" });
      }
      cache.modify({
        id: `Viewer:${viewer.id}`,
        fields: {
          followRequests: dropPages,
          sentFollowRequests: dropPages,
          blockedUsers: dropPages,
          mutedUsers: dropPages,
        },
      });
    },
    onQueryUpdated: ({ queryName }) => queryName !== undefined && LIST_PAGES.includes(queryName),
  });
}

/** Fetches the page again, unless it has a form or a list that grows. */
export async function refreshPages(client: ApolloClient): Promise<void> {
  const pages = [...LIST_PAGES, "ProfilePage"];
  await client.refetchQueries({
    include: "active",
    onQueryUpdated: ({ queryName }) => queryName !== undefined && pages.includes(queryName),
  });
}

/** Drops a cached page, but not a count without a page: the header would be incomplete. */
const dropPages: Modifier<unknown> = (page, { storeFieldName, DELETE }) =>
  storeFieldName.endsWith('({"first":0})') ? page : DELETE;
