/**
 * The bearer token of whoever is signed in. It is kept in session storage: a reload keeps it,
 * another browser tab has its own, and it is gone when the tab is closed.
 */

const KEY = "entourage.token";

/** What a header can carry as a bearer token, by RFC 6750. */
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
 * Calls `listener` after each change of the token; the result ends that. A page that the browser
 * kept while another was shown has missed what happened there: it looks again on its return.
 */
export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("pageshow", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("pageshow", listener);
  };
}

/** The token that somebody has typed or pasted, with or without the scheme; null if it is none. */
export function parseToken(text: string): string | null {
  const token = text.trim().replace(/^Bearer\s+/i, "");
  return BEARER_TOKEN.test(token) ? token : null;
}

function notify(): void {
  for (const listener of listeners) {
    listener();
  }
}
