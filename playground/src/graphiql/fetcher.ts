/** Sends what the editor runs, and takes up the tokens that come back. */
import type { Fetcher } from "@graphiql/toolkit";
import { Kind, type OperationDefinitionNode, parse } from "graphql";
import { setToken } from "../session";
import type { Client } from "./client";

/** `onSignIn` hears that an operation, such as `signIn`, has signed the page in. */
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
 * The name of the operation to run: where there is but one its own, null if it has none. For a
 * moment after a change of tabs the name that GraphiQL has `chosen` is from the tab before.
 */
function operationToRun(query: string, chosen: string | null | undefined): string | null {
  let operations: OperationDefinitionNode[];
  try {
    operations = parse(query).definitions.filter(
      (definition) => definition.kind === Kind.OPERATION_DEFINITION,
    );
  } catch {
    // The server tells what is wrong with the document.
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
