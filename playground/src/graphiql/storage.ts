/**
 * Where GraphiQL keeps its state: in local storage, so that tabs and history outlive the browser tab,
 * but without passwords and tokens.
 *
 * Until the page is closed, GraphiQL reads back exactly what it has written. A later visit finds the
 * examples complete: their passwords belong to the demo graph.
 */
import { EXAMPLES } from "./examples";
import { type StoredOperation, withoutSecrets } from "./secrets";

/** The keys whose values contain operations, and the property that has them. */
const OPERATIONS = {
  "graphiql:tabState": "tabs",
  "graphiql:queries": "queries",
  "graphiql:favorites": "favorites",
} as const;

/** The texts in the editors, which the tabs contain too. */
const EDITORS = ["graphiql:query", "graphiql:variables", "graphiql:headers"];

export function createStorage(stored: Storage): Storage {
  const written = new Map<string, string>();
  return {
    get length() {
      return stored.length;
    },
    key: (index) => stored.key(index),
    clear() {
      written.clear();
      stored.clear();
    },
    getItem(key) {
      return written.get(key) ?? mapOperations(key, stored.getItem(key), completeExample);
    },
    setItem(key, value) {
      if (EDITORS.includes(key)) {
        return;
      }
      written.set(key, value);
      const storable = mapOperations(key, value, withoutSecrets);
      if (storable !== null) {
        stored.setItem(key, storable);
      }
    },
    removeItem(key) {
      written.delete(key);
      stored.removeItem(key);
    },
  };
}

/** The value with every operation in it changed; null if it is malformed. */
function mapOperations(
  key: string,
  value: string | null,
  change: (operation: StoredOperation) => StoredOperation,
): string | null {
  if (value === null || !(key in OPERATIONS)) {
    return value;
  }
  const property = OPERATIONS[key as keyof typeof OPERATIONS];
  try {
    const state = JSON.parse(value);
    return JSON.stringify({ ...state, [property]: state[property].map(change) });
  } catch {
    return null;
  }
}

/** Gives an example back what was removed from it. */
function completeExample(operation: StoredOperation): StoredOperation {
  const example = EXAMPLES.find(({ query }) => withoutSecrets({ query }).query === operation.query);
  return example && operation.variables === null ? { ...operation, ...example } : operation;
}
