/** The current message to the user, kept outside React so that any code can set it. */

export interface Message {
  id: number;
  tone: "status" | "error";
  text: string;
  /** The path that it belongs to; the message disappears when the user leaves it. */
  path: string;
}

let current: Message | null = null;
let lastId = 0;
const listeners = new Set<() => void>();

/** Reports a success. */
export function say(text: string): void {
  show("status", text);
}

/** Reports a failure. */
export function warn(text: string): void {
  show("error", text);
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

function show(tone: Message["tone"], text: string): void {
  lastId += 1;
  current = { id: lastId, tone, text, path: window.location.pathname };
  notify();
}

function notify(): void {
  for (const listener of listeners) {
    listener();
  }
}
