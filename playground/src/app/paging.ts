/** The position in a list, kept in the URL. */

import { useSearchParams } from "wouter";

export const PAGE_SIZE = 10;

export interface Position {
  first?: number;
  after?: string;
  last?: number;
  before?: string;
}

/**
 * The paging arguments of the page in the URL: `?after=CURSOR` for the items after the cursor,
 * `?before=CURSOR` for those before it, neither for the first page.
 */
export function usePosition(): Position {
  const [search] = useSearchParams();
  const after = search.get("after");
  if (after !== null) {
    return { first: PAGE_SIZE, after };
  }
  const before = search.get("before");
  return before === null ? { first: PAGE_SIZE } : { last: PAGE_SIZE, before };
}
