/** Shared by the lists that only the viewer sees: requests, blocked and muted users. */

import type { ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { signInPath } from "../links";
import { Heading } from "./Heading";
import { type ListPage, UserList } from "./UserList";
import type { Columns, Edge } from "./UserTable";

/** A link to this list or to one beside it. */
interface Tab {
  path: string;
  label: string;
}

export interface Props<E extends Edge> {
  title: string;
  /** What the list is, or what to do with it. */
  intro: string;
  /** The text of an empty list. */
  empty: string;
  path: string;
  tabs: Tab[];
  columns: Columns<E>;
  /** The query: its viewer is null when signed out. */
  result: {
    data: { viewer: { page: ListPage<E> } | null } | undefined;
    error?: unknown;
    refetch: () => Promise<unknown>;
  };
}

export function ViewerList<E extends Edge>(props: Props<E>) {
  const { title, intro, empty, path, tabs, columns, result } = props;
  const { data, error, refetch } = result;
  if (data && !data.viewer) {
    return (
      <section className="notice">
        <Heading>{title}</Heading>
        <p>Sign in to see this list.</p>
        <Link href={signInPath(path)} className="button">
          Sign in
        </Link>
      </section>
    );
  }
  return (
    <UserList
      title={title}
      empty={empty}
      path={path}
      columns={columns}
      page={data?.viewer?.page}
      error={error}
      retry={refetch}
    >
      <p className="lede">{intro}</p>
      <Tabs tabs={tabs} />
    </UserList>
  );
}

function Tabs({ tabs }: { tabs: Tab[] }): ReactNode {
  const [location] = useLocation();
  return (
    <nav className="tabs" aria-label="Lists">
      {tabs.map(({ path, label }) => (
        <Link key={path} href={path} aria-current={location === path ? "page" : undefined}>
          {label}
        </Link>
      ))}
    </nav>
  );
}
