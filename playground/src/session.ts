/**
 * The bearer token of the session, shared by the open tabs of the browser.
 *
 * Each tab keeps the token in its own session storage, where it survives a reload and is gone when
 * the tab is closed. A new tab asks the open ones. So the session lasts as long as any tab, and no
 * longer.
 */

import { BASE_PATH } from "./base";

/** One origin may have several servers, each below a path of its own. */
const KEY = `entourage.token${BASE_PATH}`;

/**
 * How long a new tab waits for an open one before it starts signed out. An answer takes a few
 * milliseconds; a later one still signs the tab in.
 */
const PATIENCE_MS = 50;

/** The syntax of a bearer token (RFC 6750). */
const BEARER_TOKEN = /^[\w.~+/-]+=*$/;

type Message =
  /** A new tab asks for the session. */
  | { type: "question" }
  | { type: "answer"; token: string }
  | { type: "begin"; token: string }
  | { type: "end"; token: string };

const listeners = new Set<() => void>();

/** Reaches the other tabs of this origin. Nothing is stored. */
const tabs = new BroadcastChannel(`entourage.session${BASE_PATH}`);

tabs.addEventListener("message", ({ data }: MessageEvent<Message>) => {
  const token = getToken();
  switch (data.type) {
    case "question":
      if (token !== null) {
        send({ type: "answer", token });
      }
      break;
    case "answer":
      // It is for tabs without a session: one that missed messages may answer with an old token.
      if (token === null) {
        store(data.token);
      }
      break;
    case "begin":
      store(data.token);
      break;
    case "end":
      if (token === data.token) {
        store(null);
      }
      break;
  }
});

if (getToken() === null) {
  send({ type: "question" });
}

export function getToken(): string | null {
  return sessionStorage.getItem(KEY);
}

/** Begins a session, in every open tab. */
export function setToken(token: string): void {
  store(token);
  send({ type: "begin", token });
}

/** Ends the session, in every open tab. */
export function clearToken(): void {
  const token = getToken();
  if (token !== null) {
    store(null);
    send({ type: "end", token });
  }
}

/** Resolves as soon as this tab has a session, or as other tabs had time to answer. */
export function sessionRestored(): Promise<void> {
  return new Promise((resolve) => {
    if (getToken() !== null) {
      resolve();
      return;
    }
    const finish = () => {
      unsubscribe();
      clearTimeout(timer);
      resolve();
    };
    const unsubscribe = subscribe(() => getToken() !== null && finish());
    const timer = setTimeout(finish, PATIENCE_MS);
  });
}

/**
 * Calls `listener` after each change of the token; call the result to unsubscribe. A page that the
 * browser restores from its cache may have missed changes, so it checks the token on return.
 */
export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("pageshow", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("pageshow", listener);
  };
}

/** A typed or pasted token, with or without the scheme; null if it is malformed. */
export function parseToken(text: string): string | null {
  const token = text.trim().replace(/^Bearer\s+/i, "");
  return BEARER_TOKEN.test(token) ? token : null;
}

function send(message: Message): void {
  tabs.postMessage(message);
}

/** Keeps the token, or the absence of one, in this tab. */
function store(token: string | null): void {
  if (token === null) {
    sessionStorage.removeItem(KEY);
  } else {
    sessionStorage.setItem(KEY, token);
  }
  for (const listener of listeners) {
    listener();
  }
}
