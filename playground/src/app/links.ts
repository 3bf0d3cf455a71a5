/** The URLs of the app. */

/** The settings of the viewer's own account. */
export const SETTINGS_PATH = "/settings";

export const BLOCKED_PATH = "/settings/blocked";
export const MUTED_PATH = "/settings/muted";

/** The requests to follow the viewer, and those of the viewer to follow others. */
export const REQUESTS_PATH = "/requests";
export const SENT_REQUESTS_PATH = "/requests/sent";

/** The lists beside each other. */
export const REQUEST_TABS = [
  { path: REQUESTS_PATH, label: "Received" },
  { path: SENT_REQUESTS_PATH, label: "Sent" },
];
export const SAFETY_TABS = [
  { path: BLOCKED_PATH, label: "Blocked" },
  { path: MUTED_PATH, label: "Muted" },
  { path: SETTINGS_PATH, label: "All settings" },
];

/** The paths that sign-in may return to: all pages but sign-in and sign-up. */
const PAGE =
  /^\/(settings(\/(blocked|muted))?|requests(\/sent)?|users\/[^/]+(\/(followers|following))?)?$/;

export function profilePath(username: string): string {
  return `/users/${encodeURIComponent(username)}`;
}

export function followersPath(username: string): string {
  return `${profilePath(username)}/followers`;
}

export function followingPath(username: string): string {
  return `${profilePath(username)}/following`;
}

/** The sign-in page, which returns to the page the user came from. */
export function signInPath(returnTo: string): string {
  return `/sign-in${returnQuery(returnTo)}`;
}

export function signUpPath(returnTo: string): string {
  return `/sign-up${returnQuery(returnTo)}`;
}

/** The page after signing in: always a page of this app, whatever the URL says. */
export function returnPath(search: URLSearchParams): string {
  const target = search.get("return") ?? "/";
  const { origin } = window.location;
  if (!URL.canParse(target, origin)) {
    return "/";
  }
  // Parse it as the browser does: an apparent path may lead elsewhere, such as `//example.org`.
  const url = new URL(target, origin);
  return url.origin === origin && PAGE.test(url.pathname) ? url.pathname + url.search : "/";
}

function returnQuery(returnTo: string): string {
  return returnTo === "/" ? "" : `?${new URLSearchParams({ return: returnTo })}`;
}
