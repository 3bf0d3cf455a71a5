/**
 * The bearer token of the session, in session storage: it survives a reload, each browser tab has its
 * own, and it is gone when the tab is closed.
 */

const KEY = "entourage.token";

/** The syntax of a bearer token (RFC 6750). */
const BEARER_TOKEN = /^[\w.~+/-]+=*$/;

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

function notify(): void {
  for (const listener of listeners) {
    listener();
  }
}
