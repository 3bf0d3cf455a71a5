/**
 * The subscription to the viewer's events: it begins where the first page was read, and goes on
 * after the last event when the connection breaks. Without a connection the app works as before,
 * and its pages are as recent as their queries.
 */

import type { ApolloClient } from "@apollo/client";
import { print } from "graphql";
import { createSocket } from "../socket";
import { createArrivals } from "./arrivals";
import { graphql } from "./generated";
import type { FollowEventsSubscription } from "./generated/graphql";

const FollowEvents = graphql(`
  subscription FollowEvents($after: String!) {
    followEvents(after: $after) {
      cursor
      ...Arrival_event
    }
  }
`);

/** The wait before the first attempt to reconnect. It doubles with each that fails. */
const WAIT_MS = 1_000;
const WAIT_MAX_MS = 60_000;

/** After a connection that lasted this long, the wait begins at the start again. */
const GOOD_MS = 30_000;

/** The close code of a token that the server does not accept. */
const FORBIDDEN = 4403;

/** The codes of errors that pass: the same subscription may work later. */
const PASSING = ["INTERNAL", "RATE_LIMITED", "TIMEOUT", "UNAVAILABLE"];

/** Why a subscription ended. The next attempt depends on it. */
type Ending =
  | { kind: "broken" }
  | { kind: "forbidden" }
  | { kind: "expired"; oldestCursor: string }
  | { kind: "refused" };

/** Shows the viewer's events from `cursor` on. Call the result to end it. */
export function goLive(client: ApolloClient, token: string, cursor: string): () => void {
  const stop = new AbortController();
  follow(client, token, cursor, stop.signal);
  return () => stop.abort();
}

async function follow(
  client: ApolloClient,
  token: string,
  cursor: string,
  stopped: AbortSignal,
): Promise<void> {
  const socket = createSocket({ authorization: `Bearer ${token}` });
  const query = print(client.documentTransform.transformDocument(FollowEvents));
  const arrivals = createArrivals(client, stopped);
  let after = cursor;
  let failures = 0;

  while (!stopped.aborted) {
    const began = Date.now();
    const events = socket.iterate<FollowEventsSubscription>({ query, variables: { after } });
    const end = () => events.return?.();
    stopped.addEventListener("abort", end);
    let ending: Ending = { kind: "broken" };
    try {
      for await (const { data, errors } of events) {
        if (!data) {
          throw errors;
        }
        after = data.followEvents.cursor;
        arrivals.take(data.followEvents);
      }
    } catch (error) {
      ending = endingOf(error);
    } finally {
      stopped.removeEventListener("abort", end);
    }

    switch (ending.kind) {
      case "expired":
        // Some events are gone: read everything again, and go on with those that are left.
        after = ending.oldestCursor;
        arrivals.takeAll();
        break;
      case "forbidden":
        // A query finds out whether the session has ended.
        arrivals.takeAll();
        break;
      case "refused":
        return;
      case "broken":
        break;
    }
    failures = Date.now() - began > GOOD_MS ? 0 : failures + 1;
    await pause(Math.min(WAIT_MS * 2 ** failures, WAIT_MAX_MS), stopped);
  }
}

/** Errors are thrown as the server sent them, in a list; a socket that closed, as its event. */
function endingOf(error: unknown): Ending {
  if (!Array.isArray(error)) {
    const isForbidden =
      typeof error === "object" && error !== null && "code" in error && error.code === FORBIDDEN;
    return { kind: isForbidden ? "forbidden" : "broken" };
  }
  const { code, oldestCursor } = error[0]?.extensions ?? {};
  if (code === "EVENTS_EXPIRED" && typeof oldestCursor === "string") {
    return { kind: "expired", oldestCursor };
  }
  if (code === "UNAUTHENTICATED") {
    return { kind: "forbidden" };
  }
  return { kind: PASSING.includes(code) ? "broken" : "refused" };
}

/** Waits about so long, or until the browser is online again or the signal is given. */
function pause(milliseconds: number, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      window.removeEventListener("online", finish);
      stopped.removeEventListener("abort", finish);
      resolve();
    };
    // Random, so that the clients of a server that restarts do not all return at once.
    const timer = setTimeout(finish, milliseconds * (0.5 + Math.random() / 2));
    window.addEventListener("online", finish);
    stopped.addEventListener("abort", finish);
    if (stopped.aborted) {
      finish();
    }
  });
}
