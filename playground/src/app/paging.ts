/** The position in a list, as it stands in the address. */

import { useSearchParams } from "wouter";

export const PAGE_SIZE = 10;

export interface Position {
  first?: number;
  after?: string;
  last?: number;
  before?: string;
}

/**
 * The paging arguments for the page that the address names: `?after=CURSOR` for those behind the
 * cursor, `?before=CURSOR` for those in front of it, nothing for the first page.
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
