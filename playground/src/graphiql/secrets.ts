/** Removes passwords and tokens from operations, before anything is stored beyond this browser tab. */

/** What an operation says or contains if it may carry a secret. */
const SECRETIVE = /password|token|secret|authorization|sign_?(in|up)|delete_?account/i;

/** A string or a block string, even if its end is not typed yet. */
const STRINGS = /"""[\s\S]*?(?:"""|$)|"(?:\\.|[^"\\\n\r])*"?/g;

/** A value without quotation marks, typed by mistake; not the type of a variable. */
const BARE_VALUES =
  /(?<!\$\w*)((?:password|token|secret)\w*\s*:\s*)[^\s"$(){}[\],]+(?=\s*[,)}\n\r]|\s*$)/gi;

export interface StoredOperation {
  query?: string | null;
  variables?: string | null;
  headers?: string | null;
}

/**
 * The operation as it may be stored. Headers are left out. Of an operation that may carry a secret,
 * the text stays, with empty strings, and the variables are left out. It may be half typed, so this
 * looks at the text and not at its syntax tree, and rather removes too much.
 */
export function withoutSecrets<Stored extends StoredOperation>(operation: Stored): Stored {
  const { query, variables } = operation;
  if (!SECRETIVE.test(query ?? "") && !SECRETIVE.test(variables ?? "")) {
    return { ...operation, headers: null };
  }
  return {
    ...operation,
    query: query?.replace(STRINGS, '""').replace(BARE_VALUES, '$1""') ?? null,
    variables: null,
    headers: null,
  };
}
