/** One page of a list of users, as a table. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import { formatExact, formatRelative } from "../format";
import { type FragmentType, getFragmentData, graphql } from "../generated";
import { profilePath } from "../links";
import { Avatar } from "./Avatar";
import { RelationLabel } from "./RelationLabel";

const UserTable_user = graphql(`
  fragment UserTable_user on User {
    username
    name
    bio
    ...Avatar_user
    ...RelationLabel_user
  }
`);

/** A user at their position in the list. */
export interface Edge {
  cursor: string;
  node: FragmentType<typeof UserTable_user>;
}

/** What the columns after the user show. */
export interface Columns<E extends Edge> {
  /** The heading of the column with the time. */
  timeTitle: string;
  time: (edge: E) => ReactNode;
  actions: (edge: E) => ReactNode;
}

interface Props<E extends Edge> extends Columns<E> {
  caption: string;
  /** Undefined while the page loads. */
  edges: E[] | undefined;
  /** The number of placeholder rows until then. */
  size: number;
}

export function UserTable<E extends Edge>(props: Props<E>) {
  const { caption, edges, size, timeTitle, time, actions } = props;
  return (
    <table className="user-table" aria-busy={edges === undefined}>
      <caption className="visually-hidden">{caption}</caption>
      <thead>
        <tr>
          <th scope="col">User</th>
          <th scope="col">{timeTitle}</th>
          <th scope="col">
            <span className="visually-hidden">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {edges
          ? edges.map((edge) => (
              <tr key={edge.cursor}>
                <th scope="row">
                  <UserCell user={edge.node} />
                </th>
                <td>{time(edge)}</td>
                <td>{actions(edge)}</td>
              </tr>
            ))
          : [...Array(size).keys()].map((row) => <SkeletonRow key={row} />)}
      </tbody>
    </table>
  );
}

/** How long ago something was. */
export function Ago({ time }: { time: string }) {
  return (
    <time dateTime={time} title={formatExact(time)}>
      {formatRelative(time)}
    </time>
  );
}

function UserCell(props: { user: FragmentType<typeof UserTable_user> }) {
  const user = getFragmentData(UserTable_user, props.user);
  return (
    <div className="user-cell">
      <Avatar user={user} />
      <div className="who">
        <Link href={profilePath(user.username)} className="cover">
          {user.name ?? user.username}
        </Link>
        <span className="username">
          @{user.username} <RelationLabel user={user} />
        </span>
        {user.bio && <span className="bio">{user.bio}</span>}
      </div>
    </div>
  );
}

function SkeletonRow() {
  return (
    <tr className="skeleton">
      <td>
        <div className="user-cell">
          <span className="avatar medium" />
          <span className="bar" />
        </div>
      </td>
      <td>
        <span className="bar" />
      </td>
      <td />
    </tr>
  );
}
