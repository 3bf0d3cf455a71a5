/** One page of followers or following, as a table. */

import { Link } from "wouter";
import { formatExact, formatRelative } from "../format";
import { type FragmentType, getFragmentData, graphql } from "../generated";
import { profilePath } from "../links";
import { Avatar } from "./Avatar";
import { FollowButton } from "./FollowButton";
import { RelationLabel } from "./RelationLabel";

const FollowTable_user = graphql(`
  fragment FollowTable_user on User {
    username
    name
    bio
    ...Avatar_user
    ...FollowButton_user
    ...RelationLabel_user
  }
`);

/** A follow, seen from the end that the list shows. */
interface Edge {
  cursor: string;
  followedAt: string;
  node: FragmentType<typeof FollowTable_user>;
}

interface Props {
  caption: string;
  /** Undefined while the page loads. */
  edges: Edge[] | undefined;
  /** The number of placeholder rows until then. */
  size: number;
}

export function FollowTable({ caption, edges, size }: Props) {
  return (
    <table className="follow-table" aria-busy={edges === undefined}>
      <caption className="visually-hidden">{caption}</caption>
      <thead>
        <tr>
          <th scope="col">User</th>
          <th scope="col">Since</th>
          <th scope="col">
            <span className="visually-hidden">Follow</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {edges
          ? edges.map((edge) => <Row key={edge.cursor} {...edge} />)
          : [...Array(size).keys()].map((row) => <SkeletonRow key={row} />)}
      </tbody>
    </table>
  );
}

function Row(props: Edge) {
  const user = getFragmentData(FollowTable_user, props.node);
  return (
    <tr>
      <th scope="row">
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
      </th>
      <td>
        <time dateTime={props.followedAt} title={formatExact(props.followedAt)}>
          {formatRelative(props.followedAt)}
        </time>
      </td>
      <td>
        <FollowButton user={user} />
      </td>
    </tr>
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
