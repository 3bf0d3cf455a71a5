/** Sends the operations of the editor, and uses the tokens in their replies. */
import type { Fetcher } from "@graphiql/toolkit";
import { Kind, type OperationDefinitionNode, parse } from "graphql";
import { setToken } from "../session";
import type { Client } from "./client";

/** `onSignIn` is called when an operation, such as `signIn`, has signed the page in. */
export function createFetcher(client: Client, onSignIn: () => void): Fetcher {
  return async ({ query, operationName, variables }, options) => {
    const result = await client(
      { query, operationName: operationToRun(query, operationName), variables },
      options?.headers,
    );
    for (const payload of Object.values(result.data ?? {})) {
      if (hasToken(payload)) {
        setToken(payload.token);
        onSignIn();
      }
    }
    return result;
  };
}

/**
 * The name of the operation to run: of a single operation its own name, or null. Just after a change
 * of tabs, the name that GraphiQL has `chosen` is still from the previous tab.
 */
function operationToRun(query: string, chosen: string | null | undefined): string | null {
  let operations: OperationDefinitionNode[];
  try {
    operations = parse(query).definitions.filter(
      (definition) => definition.kind === Kind.OPERATION_DEFINITION,
    );
  } catch {
    // The server will report what is wrong with the document.
    operations = [];
  }
  const [operation, ...others] = operations;
  return (operation && others.length === 0 ? operation.name?.value : chosen) ?? null;
}

function hasToken(payload: unknown): payload is { token: string } {
  return (
    typeof payload === "object" &&
    payload !== null &&
    "token" in payload &&
    typeof payload.token === "string"
  );
}
