/** Runs subscriptions, over a WebSocket for each. */
import type { ExecutionResult } from "graphql";
import { Observable } from "rxjs";
import { getToken, subscribe } from "../session";
import { createSocket } from "../socket";
import type { Operation } from "./client";

/**
 * The answers of a subscription, with the token of the session unless `headers` have another. They
 * end when the session does.
 */
export function stream(
  { query, operationName, variables }: Operation,
  headers: Record<string, string> = {},
): Observable<ExecutionResult> {
  return new Observable((observer) => {
    const token = getToken();
    const own = Object.entries(headers).find(([name]) => name.toLowerCase() === "authorization");
    const authorization = own?.[1] ?? (token === null ? null : `Bearer ${token}`);
    const socket = createSocket(authorization === null ? {} : { authorization });
    const end = socket.subscribe(
      { query, operationName, variables: variables as Record<string, unknown> },
      {
        next: (result) => observer.next(result as ExecutionResult),
        error(failure) {
          // The server's errors are an answer too.
          if (Array.isArray(failure)) {
            observer.next({ errors: failure });
            observer.complete();
          } else {
            observer.error(new Error(describe(failure)));
          }
        },
        complete: () => observer.complete(),
      },
    );
    const unsubscribe = subscribe(() => getToken() !== token && end());
    return () => {
      unsubscribe();
      end();
    };
  });
}

/** What a socket that has closed says about it. */
function describe(failure: unknown): string {
  const { code, reason } = failure as { code?: number; reason?: string };
  return code === undefined || code === 1006
    ? "The server cannot be reached by WebSocket."
    : `The server ended the connection: ${code} ${reason}`.trimEnd();
}
