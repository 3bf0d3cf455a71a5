/** Links from a page of a list to its neighbours. Each page has its own URL. */

import { Link } from "wouter";
import { type FragmentType, getFragmentData, graphql } from "../generated";

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
  /** The URL of the first page. */
  path: string;
}

export function Pager(props: Props) {
  const { path } = props;
  const pageInfo = getFragmentData(Pager_pageInfo, props.pageInfo);
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
      {hasPreviousPage && startCursor && (
        <Link href={`${path}?${new URLSearchParams({ before: startCursor })}`} rel="prev">
          Previous
        </Link>
      )}
      {hasNextPage && endCursor && (
        <Link href={`${path}?${new URLSearchParams({ after: endCursor })}`} rel="next">
          Next
        </Link>
      )}
    </nav>
  );
}
