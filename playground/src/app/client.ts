/** The GraphQL client: its endpoint, its token and its cache policies. */

import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client";
import { CombinedGraphQLErrors } from "@apollo/client/errors";
import { ErrorLink } from "@apollo/client/link/error";
import { relayStylePagination } from "@apollo/client/utilities";
import { OperationTypeNode } from "graphql";
import { defer, finalize, type Observable, of, switchMap } from "rxjs";
import { BASE_PATH } from "../base";
import { clearToken, getToken } from "../session";
import { warn } from "./messages";

/** How often a query is sent while changes keep outdating its answers. */
const ATTEMPTS_MAX = 3;

/** What may outdate an answer that is on its way. */
interface Changes {
  /** The number of mutations without an answer. */
  running: number;
  /** The number of mutations that have ended, and of reported changes by others. */
  ended: number;
}

const changesOf = new WeakMap<ApolloClient, Changes>();

/** A client with this token, or an anonymous one. */
export function createClient(token: string | null): ApolloClient {
  const changes: Changes = { running: 0, ended: 0 };
  const client = new ApolloClient({
    link: ApolloLink.from([
      endRefusedSession(token),
      askAgainAfterChanges(changes),
      new HttpLink({
        uri: `${BASE_PATH}/graphql`,
        headers: token === null ? {} : { authorization: `Bearer ${token}` },
      }),
    ]),
    cache: new InMemoryCache({
      typePolicies: {
        Query: {
          fields: {
            // "Show more" appends: all pages of one search are merged into one list.
            // `User.followers` and `User.following` have no such policy, because each of their
            // pages has its own URL: by default the cache has one entry for each set of arguments.
            users: relayStylePagination(["query"]),
          },
        },
      },
    }),
    // Show cached data at once, and refetch it once per visit. The growing directory has a policy of
    // its own.
    defaultOptions: { watchQuery: { fetchPolicy: "cache-and-network" } },
  });
  changesOf.set(client, changes);
  return client;
}

/** Whether a mutation of this client waits for its answer. */
export function isMutating(client: ApolloClient): boolean {
  return (changesOf.get(client)?.running ?? 0) > 0;
}

/** Reports a change that was made elsewhere: queries in flight may not know of it yet. */
export function noteChange(client: ApolloClient): void {
  const changes = changesOf.get(client);
  if (changes) {
    changes.ended += 1;
  }
}

/**
 * Signs out when the server no longer accepts the token. The page then gets an anonymous client and
 * sends its query again.
 */
function endRefusedSession(token: string | null): ErrorLink {
  return new ErrorLink(({ error }) => {
    const refused =
      CombinedGraphQLErrors.is(error) &&
      error.errors.some(({ extensions }) => extensions?.code === "UNAUTHENTICATED");
    // Several requests may have carried the token. The first refusal ends the session; a late one
    // must not end the next session.
    if (refused && token !== null && token === getToken()) {
      clearToken();
      warn("Your session has ended. Sign in again.");
    }
  });
}

/**
 * Repeats a query if a mutation finished, or somebody else's change was reported, while it was in
 * flight. Its answer may be from before the change, and would revert its effect on the screen.
 */
function askAgainAfterChanges(changes: Changes): ApolloLink {
  return new ApolloLink((operation, forward) => {
    if (operation.operationType === OperationTypeNode.MUTATION) {
      return defer(() => {
        changes.running += 1;
        return forward(operation).pipe(
          finalize(() => {
            changes.running -= 1;
            changes.ended += 1;
          }),
        );
      });
    }
    const ask = (attempt: number): Observable<ApolloLink.Result> =>
      defer(() => {
        const endedBefore = changes.ended;
        return forward(operation).pipe(
          switchMap((result) =>
            changes.ended === endedBefore || attempt === ATTEMPTS_MAX
              ? of(result)
              : ask(attempt + 1),
          ),
        );
      });
    return ask(1);
  });
}
