/**
 * The tabs that GraphiQL opens with: those of the last visit, or the examples; and one for the
 * operation in the URL.
 */
import { EXAMPLES } from "./examples";

/** A tab as GraphiQL stores it. */
interface Tab {
  id: string;
  title: string;
  query: string | null;
  variables: string | null;
  headers: string | null;
  operationName: string | null;
  response: string | null;
}

interface TabState {
  activeTabIndex: number;
  tabs: Tab[];
}

export interface Operation {
  query: string;
  variables: string;
}

const KEY = "graphiql:tabState";

/**
 * Writes the tabs into the storage, and returns the operation of the active one. GraphiQL needs it
 * besides: otherwise its editors stay empty unless the first tab is active.
 */
export function openTabs(storage: Storage, search: URLSearchParams): Operation {
  const { tabs, activeTabIndex } = read(storage.getItem(KEY)) ?? examples();
  let active = activeTabIndex;
  const linked = linkedOperation(search);
  if (linked) {
    const same = (tab: Tab) => tab.query === linked.query && tab.variables === linked.variables;
    active = tabs.findIndex(same);
    if (active === -1) {
      active = tabs.push(tab(linked, search.get("operationName"))) - 1;
    }
  }
  storage.setItem(KEY, JSON.stringify({ tabs, activeTabIndex: active }));
  return { query: tabs[active]?.query ?? "", variables: tabs[active]?.variables ?? "" };
}

/** The operation in the URL: the parameters of a GET for `/graphql`. */
function linkedOperation(search: URLSearchParams): Operation | null {
  const query = search.get("query");
  if (!query) {
    return null;
  }
  const variables = search.get("variables") ?? "";
  try {
    return { query, variables: variables && JSON.stringify(JSON.parse(variables), null, 2) };
  } catch {
    // The editor shows what is wrong with them.
    return { query, variables };
  }
}

function examples(): TabState {
  return { activeTabIndex: 0, tabs: EXAMPLES.map((example) => tab(example, null)) };
}

function tab({ query, variables }: Operation, operationName: string | null): Tab {
  const name =
    operationName ?? /^\s*(?:query|mutation|subscription)\s+(\w+)/m.exec(query)?.[1] ?? null;
  return {
    // Random, since the tabs of earlier visits have ids too.
    id: String(Math.random()),
    title: name ?? "<untitled>",
    query,
    variables,
    headers: null,
    operationName: name,
    response: null,
  };
}

/** The tabs of the last visit, or null on a first visit. */
function read(stored: string | null): TabState | null {
  try {
    const state: TabState | null = JSON.parse(stored ?? "null");
    return state?.tabs[state.activeTabIndex] ? state : null;
  } catch {
    return null;
  }
}
