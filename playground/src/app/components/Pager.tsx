/** The position of a page in its list, and links to its neighbours. Each page has its own URL. */

import { Link } from "wouter";
import { formatCount } from "../format";
import { type FragmentType, getFragmentData, graphql } from "../generated";
import { useRange } from "../paging";

const Pager_pageInfo = graphql(`
  fragment Pager_pageInfo on PageInfo {
    hasPreviousPage
    hasNextPage
    startCursor
    endCursor
  }
`);

interface Props {
  pageInfo: FragmentType<typeof Pager_pageInfo>;
  /** The number of items on the page. */
  count: number;
  /** The number of items in the whole list. */
  total: number;
  /** The URL of the first page. */
  path: string;
}

export function Pager({ count, total, path, ...props }: Props) {
  const pageInfo = getFragmentData(Pager_pageInfo, props.pageInfo);
  const range = useRange({ pageInfo, count, total });
  const { hasPreviousPage, hasNextPage, startCursor, endCursor } = pageInfo;
  if (!hasPreviousPage && !hasNextPage) {
    return null;
  }
  return (
    <nav className="pager" aria-label="Pages">
      {hasPreviousPage && (
        <Link href={path} className="first">
          First
        </Link>
      )}
      {range && count > 0 && (
        <p>
          {formatCount(range.start)}–{formatCount(range.end)} of {formatCount(total)}
        </p>
      )}
      {hasPreviousPage && startCursor && (
        <Link href={href(path, { before: startCursor, to: range && range.start - 1 })} rel="prev">
          Previous
        </Link>
      )}
      {hasNextPage && endCursor && (
        <Link href={href(path, { after: endCursor, from: range && range.end + 1 })} rel="next">
          Next
        </Link>
      )}
    </nav>
  );
}

function href(path: string, parameters: Record<string, string | number | null>): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== null);
  return `${path}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}
