/** The top of every page: the home link and the viewer. */

import { useFragment } from "@apollo/client/react";
import { Link, useLocation, useSearchParams } from "wouter";
import { clearToken } from "../../session";
import { formatCount } from "../format";
import { graphql } from "../generated";
import { profilePath, REQUESTS_PATH, returnPath, signInPath, signUpPath } from "../links";
import { say } from "../messages";
import { Avatar } from "./Avatar";
import { focusHeading } from "./Heading";

/**
 * Every page spreads this fragment in its query. The header reads it from the cache, so it sends no
 * query of its own and does not change while the next page loads.
 */
const Header_query = graphql(`
  fragment Header_query on Query {
    viewer {
      id
      followRequests(first: 0) {
        totalCount
      }
      user {
        id
        username
        ...Avatar_user
      }
    }
    ...Live_query
  }
`);

export function Header({ signedIn }: { signedIn: boolean }) {
  const { data, complete } = useFragment({
    fragment: Header_query,
    fragmentName: "Header_query",
    from: { __typename: "Query" },
  });
  const viewer = complete ? data.viewer?.user : undefined;
  const requests = (complete && data.viewer?.followRequests.totalCount) || 0;

  return (
    <header className="site-header">
      <Link href="/" className="brand">
        <img src="favicon.svg" alt="" width="28" height="28" />
        <span>Entourage</span>
      </Link>
      <nav aria-label="Account">
        {signedIn ? (
          <>
            {viewer && (
              <Link href={profilePath(viewer.username)} className="viewer">
                <Avatar user={viewer} size="small" />
                <span>{viewer.username}</span>
              </Link>
            )}
            {requests > 0 && (
              <Link href={REQUESTS_PATH} className="requests">
                <span className="badge">{formatCount(requests)}</span>
                <span className="text">
                  {requests === 1 ? "follow request" : "follow requests"}
                </span>
              </Link>
            )}
            <button type="button" className="quiet" onClick={signOut}>
              Sign out
            </button>
          </>
        ) : (
          <SignedOut />
        )}
      </nav>
    </header>
  );
}

function SignedOut() {
  const [path] = useLocation();
  const [search] = useSearchParams();
  const isForm = path === "/sign-in" || path === "/sign-up";
  const here = search.size > 0 ? `${path}?${search}` : path;
  const returnTo = isForm ? returnPath(search) : here;
  return (
    <>
      <Link href={signInPath(returnTo)}>Sign in</Link>
      <Link href={signUpPath(returnTo)} className="button">
        Sign up
      </Link>
    </>
  );
}

function signOut() {
  clearToken();
  focusHeading();
  say("You are signed out.");
}
