/** A page of a list of users: heading, table and pager, or why there is no table. */

import type { ComponentProps, ReactNode } from "react";
import { Link, useSearch } from "wouter";
import { errorCode } from "../errors";
import { PAGE_SIZE } from "../paging";
import { Heading } from "./Heading";
import { Pager } from "./Pager";
import { Problem } from "./Problem";
import { type Columns, type Edge, UserTable } from "./UserTable";

export interface ListPage<E extends Edge> {
  edges: E[];
  pageInfo: ComponentProps<typeof Pager>["pageInfo"];
  totalCount: number;
}

interface Props<E extends Edge> {
  title: string;
  /** The text of an empty list. */
  empty: string;
  /** The URL of the first page. */
  path: string;
  columns: Columns<E>;
  /** Undefined while it loads. */
  page: ListPage<E> | undefined;
  error: unknown;
  retry: () => Promise<unknown>;
  /** What is between the heading and the table. */
  children: ReactNode;
}

export function UserList<E extends Edge>(props: Props<E>) {
  const { title, empty, path, columns, page, error, retry, children } = props;
  const search = useSearch();

  if (errorCode(error) === "INVALID_CURSOR") {
    return (
      <section className="notice">
        <Heading>There is no such page.</Heading>
        <p>The address names a place that this list does not have.</p>
        <Link href={path} className="button">
          First page
        </Link>
      </section>
    );
  }
  if (error) {
    return <Problem error={error} retry={retry} />;
  }
  return (
    <>
      <Heading page={`${path}?${search}`}>{title}</Heading>
      {children}
      {page?.edges.length === 0 ? (
        <p className="empty">{search ? "Nobody is left on this page." : empty}</p>
      ) : (
        <UserTable caption={title} edges={page?.edges} size={PAGE_SIZE} {...columns} />
      )}
      {page && (
        <Pager
          pageInfo={page.pageInfo}
          count={page.edges.length}
          total={page.totalCount}
          path={path}
        />
      )}
    </>
  );
}
