/** Sends the operations of the editor, measures them, and uses the tokens in their replies. */
import type { Fetcher } from "@graphiql/toolkit";
import {
  type ExecutionResult,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  parse,
} from "graphql";
import { setToken } from "../session";
import type { Client } from "./client";
import { stream } from "./stream";

/** What an operation took. */
export interface Price {
  /** The cost by which the server limits operations; undefined if it was not valid. */
  cost: number | undefined;
  milliseconds: number;
}

/**
 * `onSignIn` is called when an operation, such as `signIn`, has signed the page in, `onAnswer` after
 * each operation of the editor.
 */
export function createFetcher(
  client: Client,
  onSignIn: () => void,
  onAnswer: (price: Price) => void,
): Fetcher {
  return async ({ query, operationName, variables }, options) => {
    const operation = { query, operationName: operationToRun(query, operationName), variables };
    if (operationName === "IntrospectionQuery") {
      return client(operation, options?.headers);
    }
    if (isSubscription(query, operationName)) {
      return stream(operation, options?.headers);
    }

    const start = performance.now();
    const result = await client({ ...operation, extensions: { cost: true } }, options?.headers);
    onAnswer({ cost: takeCost(result), milliseconds: performance.now() - start });
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
export function operationToRun(query: string, chosen: string | null | undefined): string | null {
  const [operation, ...others] = operationsIn(query);
  return (operation && others.length === 0 ? operation.name?.value : chosen) ?? null;
}

/** Whether the operation to run has a stream of answers. */
export function isSubscription(query: string, chosen: string | null | undefined): boolean {
  const operations = operationsIn(query);
  const name = operationToRun(query, chosen);
  const operation = operations.find((operation) => operation.name?.value === name) ?? operations[0];
  return operation?.operation === OperationTypeNode.SUBSCRIPTION;
}

function operationsIn(query: string): OperationDefinitionNode[] {
  try {
    return parse(query).definitions.filter(
      (definition) => definition.kind === Kind.OPERATION_DEFINITION,
    );
  } catch {
    // The server will report what is wrong with the document.
    return [];
  }
}

/** Takes the cost out of the reply: it is shown elsewhere, and the document did not ask for it. */
function takeCost(result: ExecutionResult): number | undefined {
  const { cost, ...others } = result.extensions ?? {};
  if (Object.keys(others).length > 0) {
    result.extensions = others;
  } else {
    delete result.extensions;
  }
  return typeof cost === "number" ? cost : undefined;
}

function hasToken(payload: unknown): payload is { token: string } {
  return (
    typeof payload === "object" &&
    payload !== null &&
    "token" in payload &&
    typeof payload.token === "string"
  );
}
