/** What follows a successful sign-in. */

import { useLocation, useSearchParams } from "wouter";
import { currentPath } from "../base";
import { setToken } from "../session";
import { returnPath } from "./links";
import { say } from "./messages";

/** Keeps the token, and returns to the page from which the user came to sign in. */
export function useBeginSession(): (token: string, username?: string) => void {
  const [, navigate] = useLocation();
  const [search] = useSearchParams();

  return (token, username) => {
    setToken(token);
    // Whoever has gone elsewhere meanwhile stays there.
    if (/^\/sign-(in|up)$/.test(currentPath())) {
      navigate(returnPath(search), { replace: true });
    }
    if (username !== undefined) {
      say(`You are signed in as ${username}.`);
    }
  };
}
