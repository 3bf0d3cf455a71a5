/** The position in a list, kept in the URL. */

import { useSearchParams } from "wouter";

export const PAGE_SIZE = 10;

/** The paging arguments of a query. */
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

/** Which items of the whole list a page shows, counted from 1. */
export interface Range {
  start: number;
  end: number;
}

interface Page {
  pageInfo: { hasPreviousPage: boolean; hasNextPage: boolean };
  /** The number of items on the page. */
  count: number;
  /** The number of items in the whole list. */
  total: number;
}

/**
 * The range of a page. A cursor does not say how many items are before it, so the links between
 * pages pass the number on: `from` is the first item's, `to` the last one's. The ends of the list
 * are known without it, which also corrects the number after others have followed or unfollowed.
 * Null for an address in the middle without a number.
 */
export function useRange({ pageInfo, count, total }: Page): Range | null {
  const [search] = useSearchParams();
  const from = positive(search.get("from"));
  const to = positive(search.get("to"));
  const start = !pageInfo.hasPreviousPage
    ? 1
    : !pageInfo.hasNextPage
      ? total - count + 1
      : (from ?? (to === null ? null : to - count + 1));
  if (start === null || start < 1 || start + count - 1 > total) {
    return null;
  }
  return { start, end: start + count - 1 };
}

function positive(text: string | null): number | null {
  return text !== null && /^[1-9]\d{0,9}$/.test(text) ? Number(text) : null;
}
