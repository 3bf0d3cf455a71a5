/** Sends operations to the server, with the token of the session. */
import type { ExecutionResult } from "graphql";
import { clearToken, getToken } from "../session";
import type { TypedDocumentString } from "./generated/graphql";

export interface Operation {
  query: string;
  operationName?: string | null | undefined;
  variables?: unknown;
  extensions?: Record<string, unknown>;
}

/** Sends an operation; `headers` override the default headers. */
export type Client = <Data = Record<string, unknown>>(
  operation: Operation,
  headers?: Record<string, string>,
) => Promise<ExecutionResult<Data>>;

/** Sends a document that was checked against the schema, with typed variables. */
export function ask<Data, Variables>(
  client: Client,
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
): Promise<ExecutionResult<Data>> {
  return client<Data>({ query: document.toString(), variables });
}

/** `onRefusal` is called after the server refused the token and the token was discarded. */
export function createClient(onRefusal: () => void): Client {
  return async function send(operation, headers = {}) {
    const sent = new Headers({
      // With this media type an error in the reply has status 200. Otherwise it would be a 4xx, which
      // browsers also log to the console.
      accept: "application/json",
      "content-type": "application/json",
      ...headers,
    });
    const token = getToken();
    const isOurs = token !== null && !sent.has("authorization");
    if (isOurs) {
      sent.set("authorization", `Bearer ${token}`);
    }

    const response = await fetch("graphql", {
      method: "POST",
      headers: sent,
      body: JSON.stringify(operation),
    });

    if (response.status === 401 && isOurs) {
      // Of several requests in flight, only the first reply still finds the token.
      if (getToken() === token) {
        clearToken();
        onRefusal();
      }
      // The schema is the same for every viewer, so the editor can still use it.
      if (operation.operationName === "IntrospectionQuery") {
        return send(operation, headers);
      }
    }

    if (!response.headers.get("content-type")?.includes("json")) {
      throw new Error(`The server answered ${response.status} ${response.statusText}`.trimEnd());
    }
    return response.json();
  };
}
