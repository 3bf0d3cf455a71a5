/** Shared by the pages of followers and following: everything but the query. */

import type { ComponentProps, ReactNode } from "react";
import { UnknownUser } from "./UnknownUser";
import { UserBanner } from "./UserBanner";
import { type ListPage, UserList } from "./UserList";
import { Ago, type Edge } from "./UserTable";

/** A follow, seen from the end that the list shows. */
export interface FollowEdge extends Edge {
  followedAt: string;
}

type User<E extends FollowEdge> = NonNullable<ComponentProps<typeof UserBanner>["user"]> & {
  viewerIsFollowing: boolean;
  page: ListPage<E> & { isHidden: boolean };
};

interface Props<E extends FollowEdge> {
  username: string;
  title: string;
  /** The text of an empty list. */
  empty: string;
  /** The URL of the first page. */
  path: string;
  /** The user and the page: undefined while they load, null when there is no such user. */
  user: User<E> | null | undefined;
  actions: (edge: E) => ReactNode;
  error: unknown;
  retry: () => Promise<unknown>;
}

export function FollowList<E extends FollowEdge>(props: Props<E>) {
  const { username, title, empty, path, user, actions, error, retry } = props;
  if (user === null) {
    return <UnknownUser username={username} />;
  }
  return (
    <UserList
      title={title}
      empty={user?.page.isHidden ? hidden(username, user.viewerIsFollowing) : empty}
      path={path}
      columns={{
        timeTitle: "Since",
        time: ({ followedAt }) => <Ago time={followedAt} />,
        actions,
      }}
      page={user?.page}
      error={error}
      retry={retry}
    >
      <UserBanner user={user} />
    </UserList>
  );
}

/** The setting of the owner is not public: the list may be hidden from followers too. */
function hidden(username: string, isFollower: boolean): string {
  return isFollower
    ? `${username} hides this list.`
    : `Follow ${username} to see this list, if ${username} shows it to followers.`;
}
