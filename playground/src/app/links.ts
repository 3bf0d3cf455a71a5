/** The addresses of the app. */

export function profilePath(username: string): string {
  return `/users/${encodeURIComponent(username)}`;
}

export function followersPath(username: string): string {
  return `${profilePath(username)}/followers`;
}

export function followingPath(username: string): string {
  return `${profilePath(username)}/following`;
}

/** The sign-in page, which leads back to where the user came from. */
export function signInPath(returnTo: string): string {
  return `/sign-in${returnQuery(returnTo)}`;
}

export function signUpPath(returnTo: string): string {
  return `/sign-up${returnQuery(returnTo)}`;
}

/** Where to go after signing in: a path of this app, whatever the address says. */
export function returnPath(search: URLSearchParams): string {
  const target = search.get("return") ?? "/";
  return /^\/(?![/\\])/.test(target) ? target : "/";
}

function returnQuery(returnTo: string): string {
  return returnTo === "/" ? "" : `?${new URLSearchParams({ return: returnTo })}`;
}
