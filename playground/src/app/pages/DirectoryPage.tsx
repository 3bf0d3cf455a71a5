/** All users, or those whom the search in `?q=` finds by their usernames and names. */

import { useQuery } from "@apollo/client/react";
import { useEffect, useRef } from "react";
import { useSearchParams } from "wouter";
import { focusHeading, Heading } from "../components/Heading";
import { Problem } from "../components/Problem";
import { UserCard } from "../components/UserCard";
import { describeError } from "../errors";
import { formatCount } from "../format";
import { graphql } from "../generated";
import { warn } from "../messages";

const PAGE_SIZE = 12;

const DirectoryPage_query = graphql(`
  query DirectoryPage($text: String, $first: Int!, $after: String) {
    users(query: $text, first: $first, after: $after) {
      totalCount
      edges {
        cursor
        node {
          id
          ...UserCard_user
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
    ...Header_query
  }
`);

export function DirectoryPage() {
  const [search, setSearch] = useSearchParams();
  const text = search.get("q") ?? "";
  const list = useRef<HTMLUListElement>(null);
  const continueAt = useRef<{ text: string; index: number } | null>(null);
  const { data, previousData, error, loading, refetch, fetchMore } = useQuery(DirectoryPage_query, {
    // A newer search cancels the request for an older one.
    variables: { text: text || null, first: PAGE_SIZE },
    // On return the list is as long as before: refetching its first page would truncate it.
    fetchPolicy: "cache-first",
  });
  // While a search is in flight, the previous results stay.
  const users = (data ?? previousData)?.users;

  const count = users?.edges.length ?? 0;

  useEffect(() => {
    // The button disappears with the last page. Move the focus to the first new user.
    const next = continueAt.current;
    if (next?.text === text && next.index < count) {
      // Unless the user has moved the focus meanwhile.
      if (document.activeElement?.matches("body, .show-more")) {
        list.current?.children[next.index]?.querySelector("a")?.focus();
      }
      continueAt.current = null;
    }
  }, [count, text]);

  function showMore() {
    // While a search is in flight, the visible list is not the one to extend.
    if (loading) {
      return;
    }
    continueAt.current = { text, index: count };
    // A failure becomes a message; the visible list stays.
    fetchMore({ variables: { after: users?.pageInfo.endCursor ?? null } }).catch((error) => {
      continueAt.current = null;
      warn(describeError(error));
    });
  }

  function tryAgain() {
    // The button disappears.
    focusHeading();
    // A second failure arrives as the query's error, so the promise is ignored.
    refetch().catch(() => undefined);
  }

  // After a failed search the field stays, for another one.
  if (error && !users) {
    return <Problem error={error} retry={refetch} />;
  }
  return (
    <>
      <Heading title="Entourage">Who is here</Heading>
      <p className="lede">A follow graph behind a GraphQL API. Find somebody, and follow them.</p>
      <search className="directory-search">
        <label htmlFor="q">Search by name or username</label>
        <input
          id="q"
          type="search"
          autoComplete="off"
          autoCapitalize="none"
          spellCheck="false"
          maxLength={100}
          value={text}
          onChange={({ target }) =>
            setSearch(target.value ? { q: target.value } : {}, { replace: true })
          }
        />
        <p aria-live="polite">{data?.users && found(data.users.totalCount, text)}</p>
      </search>
      {error ? (
        <section className="notice">
          <p role="alert">{describeError(error)}</p>
          <button type="button" className="button" onClick={tryAgain}>
            Try again
          </button>
        </section>
      ) : (
        <ul className="cards" aria-busy={loading} ref={list}>
          {users
            ? users.edges.map(({ node }) => <UserCard key={node.id} user={node} />)
            : [...Array(PAGE_SIZE).keys()].map((card) => <SkeletonCard key={card} />)}
        </ul>
      )}
      {!error && users?.pageInfo.hasNextPage && (
        <button type="button" className="button show-more" aria-busy={loading} onClick={showMore}>
          Show more
        </button>
      )}
    </>
  );
}

function found(count: number, text: string): string {
  const users = `${count === 0 ? "No" : formatCount(count)} ${count === 1 ? "user" : "users"}`;
  return text.trim() ? `${users} for “${text.trim()}”` : users;
}

function SkeletonCard() {
  return (
    <li className="card user-card skeleton">
      <span className="avatar medium" />
      <span className="bar who" />
      <span className="bar bio" />
    </li>
  );
}
