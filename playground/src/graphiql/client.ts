/** Sends operations to the server, with the token of the session. */
import type { ExecutionResult } from "graphql";
import { clearToken, getToken } from "../session";
import type { TypedDocumentString } from "./generated/graphql";

export interface Operation {
  query: string;
  operationName?: string | null | undefined;
  variables?: unknown;
}

/** Sends an operation; `headers` win over those that are sent without them. */
export type Client = <Data = Record<string, unknown>>(
  operation: Operation,
  headers?: Record<string, string>,
) => Promise<ExecutionResult<Data>>;

/** Sends a document that was held to the schema, with variables of its types. */
export function ask<Data, Variables>(
  client: Client,
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
): Promise<ExecutionResult<Data>> {
  return client<Data>({ query: document.toString(), variables });
}

/** `onRefusal` hears that the server refused the token, which is forgotten by then. */
export function createClient(onRefusal: () => void): Client {
  return async function send(operation, headers = {}) {
    const sent = new Headers({
      // With this media type the status is 200 when the reply itself tells the error. Others
      // come as 4xx, which browsers write to the console besides.
      accept: "application/json",
      "content-type": "application/json",
      ...headers,
    });
    const token = getToken();
    const isOurs = token !== null && !sent.has("authorization");
    if (isOurs) {
      sent.set("authorization", `Bearer ${token}`);
    }

    const response = await fetch("/graphql", {
      method: "POST",
      headers: sent,
      body: JSON.stringify(operation),
    });

    if (response.status === 401 && isOurs) {
      // Of several requests under way, only the first reply finds the token still there.
      if (getToken() === token) {
        clearToken();
        onRefusal();
      }
      // The schema is the same for everybody: the editor need not go without it.
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
