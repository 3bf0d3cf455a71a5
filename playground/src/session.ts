/**
 * The bearer token of whoever is signed in. It is kept in session storage: a reload keeps it,
 * another browser tab has its own, and it is gone when the tab is closed.
 */

const KEY = "entourage.token";

const listeners = new Set<() => void>();

export function getToken(): string | null {
  return sessionStorage.getItem(KEY);
}

export function setToken(token: string): void {
  sessionStorage.setItem(KEY, token);
  notify();
}

export function clearToken(): void {
  sessionStorage.removeItem(KEY);
  notify();
}

/** Calls `listener` after each change of the token; the result ends that. */
export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

function notify(): void {
  for (const listener of listeners) {
    listener();
  }
}
