/**
 * The path below which the server is published, without a slash at its end. It is empty unless a
 * proxy publishes the server below a path: the server then says so in the `<base>` of its pages.
 */
export const BASE_PATH = new URL(document.baseURI).pathname.replace(/\/$/, "");

/** The path of the page in the browser, below the server's own. */
export function currentPath(): string {
  return window.location.pathname.slice(BASE_PATH.length);
}
