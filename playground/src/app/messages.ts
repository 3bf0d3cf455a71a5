/** The current message to the user, kept outside React so that any code can set it. */

import { currentPath } from "../base";
import { getToken, subscribe } from "../session";

/** What the user can do about a message. */
export interface Action {
  label: string;
  run: () => void;
}

export interface Message {
  id: number;
  tone: "status" | "error";
  text: string;
  action: Action | null;
  /** The path that it belongs to; the message disappears when the user leaves it. */
  path: string;
}

let current: Message | null = null;
let lastId = 0;
const listeners = new Set<() => void>();

// A message may offer to undo a change, but only within the session that made it.
let token = getToken();
subscribe(() => {
  if (token !== getToken()) {
    token = getToken();
    dismiss();
  }
});

/** Reports a success. */
export function say(text: string, action: Action | null = null): void {
  show("status", text, action);
}

/** Reports a failure. */
export function warn(text: string): void {
  show("error", text, null);
}

export function dismiss(): void {
  current = null;
  notify();
}

export function getMessage(): Message | null {
  return current;
}

export function subscribeMessage(listener: () => void): () => void {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

function show(tone: Message["tone"], text: string, action: Action | null): void {
  lastId += 1;
  current = { id: lastId, tone, text, action, path: currentPath() };
  notify();
}

function notify(): void {
  for (const listener of listeners) {
    listener();
  }
}
