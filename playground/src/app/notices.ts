/**
 * Notices of what others did, such as a new follower. Unlike a message, a notice answers nothing that
 * the user did, so it replaces no message and stays when the user goes to another page.
 */

import { getToken, subscribe } from "../session";
import { formatCount } from "./format";
import { profilePath, REQUESTS_PATH } from "./links";
import { nameOf, type Person } from "./relations";

export interface Notice {
  id: number;
  /** Who it was. */
  name: string;
  text: string;
  /** The page that shows more. */
  path: string;
}

interface Event {
  kind: string;
  user?: Person | null;
}

/** What is said of one user and of several, and the page that shows more. */
const NEWS = [
  {
    kind: "FOLLOWED",
    one: "follows you",
    several: "follow you",
    path: ({ username }: Person) => profilePath(username),
  },
  {
    kind: "REQUESTED",
    one: "asks to follow you",
    several: "ask to follow you",
    path: () => REQUESTS_PATH,
  },
  {
    kind: "REQUEST_ACCEPTED",
    one: "accepted your request",
    several: "accepted your requests",
    path: ({ username }: Person) => profilePath(username),
  },
];

/** The most notices at once; a new one replaces the oldest. */
const NOTICES_MAX = 3;

let current: readonly Notice[] = [];
let lastId = 0;
const listeners = new Set<() => void>();

let token = getToken();
subscribe(() => {
  if (token !== getToken()) {
    token = getToken();
    show([]);
  }
});

/** Shows one notice for all events of a kind. Events without a user are not worth one. */
export function announce(events: Event[]): void {
  const notices = NEWS.flatMap(({ kind, one, several, path }) => {
    const users = new Map<string, Person>();
    for (const event of events) {
      if (event.kind === kind && event.user) {
        users.set(event.user.id, event.user);
      }
    }
    const [first, ...others] = users.values();
    if (!first) {
      return [];
    }
    lastId += 1;
    const text = others.length === 0 ? one : `and ${countOthers(others.length)} ${several}`;
    return [{ id: lastId, name: nameOf(first), text, path: path(first) }];
  });
  if (notices.length > 0) {
    show([...current, ...notices].slice(-NOTICES_MAX));
  }
}

export function dismissNotice(id: number): void {
  show(current.filter((notice) => notice.id !== id));
}

export function getNotices(): readonly Notice[] {
  return current;
}

export function subscribeNotices(listener: () => void): () => void {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

function countOthers(count: number): string {
  return count === 1 ? "one other" : `${formatCount(count)} others`;
}

function show(notices: readonly Notice[]): void {
  current = notices;
  for (const listener of listeners) {
    listener();
  }
}
