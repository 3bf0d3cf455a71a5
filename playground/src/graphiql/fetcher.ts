/** Sends what the editor runs, and takes up the tokens that come back. */
import type { Fetcher } from "@graphiql/toolkit";
import { Kind, type OperationDefinitionNode, parse } from "graphql";
import { setToken } from "../session";
import type { Client } from "./client";

/** `onSignIn` hears that an operation, such as `signIn`, has signed the page in. */
export function createFetcher(client: Client, onSignIn: () => void): Fetcher {
  return async ({ query, operationName, variables }, options) => {
    const result = await client(
      { query, operationName: soleOperationName(query) ?? operationName, variables },
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
 * The name of the operation, if there is but one. For a moment after a change of tabs GraphiQL
 * still has the name from the tab before.
 */
function soleOperationName(query: string): string | undefined {
  let operations: OperationDefinitionNode[];
  try {
    operations = parse(query).definitions.filter(
      (definition) => definition.kind === Kind.OPERATION_DEFINITION,
    );
  } catch {
    // The server tells what is wrong with the document.
    return undefined;
  }
  return operations.length === 1 ? operations[0]?.name?.value : undefined;
}

function hasToken(payload: unknown): payload is { token: string } {
  return (
    typeof payload === "object" &&
    payload !== null &&
    "token" in payload &&
    typeof payload.token === "string"
  );
}
