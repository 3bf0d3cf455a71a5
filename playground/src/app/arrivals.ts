/**
 * What the viewer's events change on the screen. Events that come close together are shown
 * together: one query reads the numbers that they may have changed, and the visible list is fetched
 * again.
 */

import type { ApolloClient } from "@apollo/client";
import { isMutating, noteChange } from "./client";
import { type FragmentType, getFragmentData, graphql } from "./generated";
import type { Arrival_EventFragment } from "./generated/graphql";
import { announce } from "./notices";
import { Changed_viewer, refreshLists, refreshPages } from "./relations";

const Arrival_event = graphql(`
  fragment Arrival_event on FollowEvent {
    kind
    cause
    isRepeat
    user {
      id
      username
      name
      isFollowingViewer
      viewerIsFollowing
    }
  }
`);

const Relation_user = graphql(`
  fragment Relation_user on User {
    id
    isFollowingViewer
    viewerIsFollowing
  }
`);

// The events have users as they were then. Those on the screen may have changed since.
const Arrivals = graphql(`
  query Arrivals($ids: [ID!]!) {
    viewer {
      ...Changed_viewer
    }
    nodes(ids: $ids) {
      ...Changed_user
    }
  }
`);

/** How long the first event waits for more. */
const GATHER_MS = 200;
/** The time between two refreshes while events keep coming. It doubles after each that fails. */
const BUSY_MS = 2_000;
const BUSY_MAX_MS = 60_000;
/** How many users are read at once: as many as the longest page of this app has. */
const USERS_MAX = 12;

export interface Arrivals {
  /** Shows an event soon. */
  take: (event: FragmentType<typeof Arrival_event>) => void;
  /** Reads all that the page shows again soon. */
  takeAll: () => void;
}

/** What the screen does not show yet. */
interface Due {
  users: Set<string>;
  isAll: boolean;
}

export function createArrivals(client: ApolloClient, stopped: AbortSignal): Arrivals {
  const events: Arrival_EventFragment[] = [];
  let due: Due | null = null;
  let isWorking = false;

  function owe(users: Iterable<string>, isAll: boolean): void {
    due = {
      users: new Set([...(due?.users ?? []), ...users]),
      isAll: isAll || due?.isAll === true,
    };
  }

  /** Shows as much as one query reads; the rest stays due. False if that failed. */
  async function pay({ users, isAll }: Due): Promise<boolean> {
    // Those who are not in the cache are not on the screen either.
    const shown = [...users].filter((id) => cachedRelation(client, id));
    const isDone = await refresh(client, shown.slice(0, USERS_MAX), isAll);
    const rest = isDone ? shown.slice(USERS_MAX) : shown;
    if (!isDone || rest.length > 0) {
      owe(rest, isAll && !isDone);
    }
    return isDone;
  }

  /** Works until everything is shown. */
  async function work(): Promise<void> {
    if (isWorking) {
      return;
    }
    isWorking = true;
    let wait = GATHER_MS;
    while (!stopped.aborted && (events.length > 0 || due !== null)) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      // A change in this tab has an event too, which may come before its answer.
      if (stopped.aborted || isMutating(client)) {
        continue;
      }
      announce(events.filter(isNews));
      for (const event of events.splice(0)) {
        if (!isShown(client, event)) {
          owe(event.user ? [event.user.id] : [], false);
        }
      }
      const now: Due | null = due;
      due = null;
      wait = now && !(await pay(now)) ? Math.min(2 * wait, BUSY_MAX_MS) : BUSY_MS;
    }
    isWorking = false;
  }

  return {
    take(event) {
      events.push(getFragmentData(Arrival_event, event));
      work();
    },
    takeAll() {
      owe([], true);
      work();
    },
  };
}

/** Whether it deserves a notice: another user did it, for the first time today. */
function isNews(event: Arrival_EventFragment): boolean {
  return !event.isRepeat && !isOwn(event);
}

/** Whether the viewer did it, here or elsewhere. */
function isOwn({ kind, cause }: Arrival_EventFragment): boolean {
  switch (kind) {
    case "FOLLOWED":
      return cause === "REQUEST_ACCEPTED" || cause === "PRIVACY_CHANGED";
    case "FOLLOW_ENDED":
    case "FOLLOWER_LOST":
      return cause === "USER" || cause === "FOLLOWER_REMOVED" || cause === "BLOCK";
    case "REQUESTED":
    case "REQUEST_ACCEPTED":
    case "REQUEST_WITHDRAWN":
      return false;
  }
}

/** Whether the viewer did it in this tab: the answer to the change has brought the new state. */
function isShown(client: ApolloClient, event: Arrival_EventFragment): boolean {
  const { kind, user } = event;
  const known = user && isOwn(event) && cachedRelation(client, user.id);
  if (!known) {
    return false;
  }
  return kind === "FOLLOW_ENDED"
    ? known.viewerIsFollowing === user.viewerIsFollowing
    : known.isFollowingViewer === user.isFollowingViewer;
}

/** Reads the counts and lists that changes by these users affect. False if that failed. */
async function refresh(client: ApolloClient, ids: string[], isAll: boolean): Promise<boolean> {
  noteChange(client);
  try {
    const { data } = await client.query({
      query: Arrivals,
      variables: { ids },
      fetchPolicy: "network-only",
    });
    if (isAll) {
      await refreshPages(client);
    } else {
      await refreshLists(client, ids, getFragmentData(Changed_viewer, data?.viewer));
    }
    return true;
  } catch {
    return false;
  }
}

/** What the cache has of a user, or null. */
function cachedRelation(client: ApolloClient, id: string) {
  const user = client.cache.readFragment({
    id: client.cache.identify({ __typename: "User", id }) ?? "",
    fragment: Relation_user,
    returnPartialData: true,
  });
  return user?.id === undefined ? null : user;
}
