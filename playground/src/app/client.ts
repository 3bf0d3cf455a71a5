/** The GraphQL client: where it asks, as whom, and how its cache joins what it gets. */

import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client";
import { CombinedGraphQLErrors } from "@apollo/client/errors";
import { ErrorLink } from "@apollo/client/link/error";
import { relayStylePagination } from "@apollo/client/utilities";
import { OperationTypeNode } from "graphql";
import { defer, finalize, type Observable, of, switchMap } from "rxjs";
import { clearToken, getToken } from "../session";
import { warn } from "./messages";

/** A client for whoever has this token, or for nobody in particular. */
export function createClient(token: string | null): ApolloClient {
  return new ApolloClient({
    link: ApolloLink.from([
      endRefusedSession(token),
      askAgainAfterMutations(),
      new HttpLink({
        uri: "/graphql",
        headers: token === null ? {} : { authorization: `Bearer ${token}` },
      }),
    ]),
    cache: new InMemoryCache({
      typePolicies: {
        Query: {
          fields: {
            // "Show more" appends: all pages of one search are one list. `User.followers` and
            // `User.following` have no such policy, because there each page has an address and
            // stands alone: without a policy the cache keeps one entry for each set of arguments.
            users: relayStylePagination(["usernamePrefix"]),
          },
        },
      },
    }),
    // What is known shows at once, and every visit asks the server again, once. The directory, which
    // grows, does otherwise.
    defaultOptions: { watchQuery: { fetchPolicy: "cache-and-network" } },
  });
}

/**
 * Signs out when the server does not accept the token any more. The page then gets a client
 * without a token, with which its query is sent again.
 */
function endRefusedSession(token: string | null): ErrorLink {
  return new ErrorLink(({ error }) => {
    const refused =
      CombinedGraphQLErrors.is(error) &&
      error.errors.some(({ extensions }) => extensions?.code === "UNAUTHENTICATED");
    // Several requests may have carried the token: the first refusal ends the session, and a late
    // one must not end the session that began after it.
    if (refused && token !== null && token === getToken()) {
      clearToken();
      warn("Your session has ended. Sign in again.");
    }
  });
}

/**
 * Asks again when a mutation ended while the answer to a query was under way. That answer may be
 * from before the mutation, and would undo on the screen what the mutation has done.
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
