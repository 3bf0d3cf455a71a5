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

/** A client with this token, or an anonymous one. */
export function createClient(token: string | null): ApolloClient {
  return new ApolloClient({
    link: ApolloLink.from([
      endRefusedSession(token),
      askAgainAfterMutations(),
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
 * Repeats a query if a mutation finished while it was in flight. Its answer may be from before the
 * mutation, and would revert the mutation's effect on the screen.
 */
function askAgainAfterMutations(): ApolloLink {
  let ended = 0;
  return new ApolloLink((operation, forward) => {
    if (operation.operationType === OperationTypeNode.MUTATION) {
      return forward(operation).pipe(
        finalize(() => {
          ended += 1;
        }),
      );
    }
    const ask = (): Observable<ApolloLink.Result> =>
      defer(() => {
        const endedBefore = ended;
        return forward(operation).pipe(
          switchMap((result) => (ended === endedBefore ? of(result) : ask())),
        );
      });
    return ask();
  });
}
