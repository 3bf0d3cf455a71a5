/** Shared by the pages of followers and following: everything but the query. */

import type { ComponentProps } from "react";
import { Link, useSearch } from "wouter";
import { errorCode } from "../errors";
import { PAGE_SIZE } from "../paging";
import { FollowTable } from "./FollowTable";
import { Heading } from "./Heading";
import { Pager } from "./Pager";
import { Problem } from "./Problem";
import { UnknownUser } from "./UnknownUser";
import { UserBanner } from "./UserBanner";

type User = NonNullable<ComponentProps<typeof UserBanner>["user"]>;

interface Page {
  edges: NonNullable<ComponentProps<typeof FollowTable>["edges"]>;
  pageInfo: ComponentProps<typeof Pager>["pageInfo"];
  totalCount: number;
}

interface Props {
  username: string;
  title: string;
  /** The text of an empty list. */
  empty: string;
  /** The URL of the first page. */
  path: string;
  /** The user and the page: undefined while they load, null when there is no such user. */
  user: (User & { page: Page }) | null | undefined;
  error: unknown;
  retry: () => Promise<unknown>;
}

export function FollowList({ username, title, empty, path, ...result }: Props) {
  const search = useSearch();
  const { user, error, retry } = result;

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
  if (user === null) {
    return <UnknownUser username={username} />;
  }
  return (
    <>
      <Heading page={`${path}?${search}`}>{title}</Heading>
      <UserBanner user={user} />
      {user?.page.edges.length === 0 ? (
        <p className="empty">{search ? "Nobody is left on this page." : empty}</p>
      ) : (
        <FollowTable caption={title} edges={user?.page.edges} size={PAGE_SIZE} />
      )}
      {user && (
        <Pager
          pageInfo={user.page.pageInfo}
          count={user.page.edges.length}
          total={user.page.totalCount}
          path={path}
        />
      )}
    </>
  );
}
