/** The URLs of the app. */

/** The settings of the viewer's own account. */
export const SETTINGS_PATH = "/settings";

/** The paths that sign-in may return to: the directory, profiles, their lists and the settings. */
const PAGE = /^\/(settings|users\/[^/]+(\/(followers|following))?)?$/;

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
