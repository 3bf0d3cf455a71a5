/**
 * Resolvers for graphql-js over a copy of the graph: the rules of the server, implemented again as
 * plainly as possible.
 */

import { FRESH } from './graph.mjs';

/** A list that only the viewer reads. The graph has no requests, blocks and mutes. */
const NOTHING = {
  edges: [],
  nodes: [],
  totalCount: 0,
  pageInfo: { startCursor: null, endCursor: null, hasNextPage: false, hasPreviousPage: false },
};
const OWN = {
  blockedUsers: NOTHING,
  followRequests: NOTHING,
  mutedUsers: NOTHING,
  sentFollowRequests: NOTHING,
  privacy: { acceptsFollowed: false, followers: null, following: null, isPrivate: false },
};

/** The root value for a caller: the viewer, or anonymous. */
export function root(graph, isSignedIn) {
  const me = isSignedIn ? graph.viewer.user.id : null;
  const user = (id) => (graph.users.has(id) ? new User(graph, me, graph.users.get(id)) : null);
  // As of the authentication, so before the changes of the operation.
  const { latest } = graph;
  const followEvents = (args) => {
    const edges = graph.events.map(({ cursor, place, user: other, ...event }) => {
      const node = { __typename: 'FollowEvent', ...event, cursor, user: user(other) };
      return { cursor, place, node };
    });
    return page(graph, edges.toReversed(), true, args);
  };
  const viewer = () =>
    isSignedIn
      ? { ...graph.viewer, ...OWN, __typename: 'Viewer', user: user(me), latestEventCursor: latest, followEvents }
      : null;
  const node = ({ id }) => (isSignedIn && id === graph.viewer.id ? viewer() : user(id));
  const target = ({ id, externalId, username }) =>
    user(id ?? (externalId === undefined ? graph.byName(username) : graph.byExternalId(externalId))?.id);

  const change = (input, verb, apply) => {
    const whom = target(input.user);
    const refusal = !whom ? 'NOT_FOUND' : whom.id === me ? 'YOURSELF' : null;
    const message =
      refusal === 'YOURSELF' ? `You cannot ${verb} yourself.` : 'There is no such user.';
    const field = ['input', 'user', Object.keys(input.user)[0]];
    const outcome = refusal ? null : apply(whom.id);
    const edge = (list, from, other) => () => {
      const follow = refusal ? undefined : graph.find(me, whom.id);
      return follow ? followEdge(follow, list, user(other())) : null;
    };
    return {
      outcome,
      query: () => api,
      user: refusal ? null : whom,
      userErrors: refusal ? [{ code: refusal, field, message, retryAt: null }] : [],
      viewer,
      followerEdge: edge('followersDESC', whom, () => me),
      followingEdge: edge('followingDESC', me, () => whom.id),
    };
  };

  const api = {
    node,
    nodes: ({ ids }) => ids.map((id) => node({ id })),
    user: ({ by, username }) => target(by ?? { username: username ?? '' }),
    users: (args) => usersPage(graph, args, user),
    usersByRef: ({ refs }) => refs.map(target),
    viewer,
    follow: ({ input }) =>
      change(input, 'follow', (id) => {
        if (graph.find(me, id)) return 'ALREADY_FOLLOWING';
        graph.follow(id);
        return 'FOLLOWED';
      }),
    unfollow: ({ input }) =>
      change(input, 'unfollow', (id) => {
        if (!graph.unfollow(id)) return 'NOT_FOLLOWING';
        graph.logUnfollow(id);
        return 'UNFOLLOWED';
      }),
  };
  return api;
}

/** The flags that need a request, a block, a mute, or a private or suspended account. */
const NEVER = [
  'isPrivate',
  'isSuspended',
  'viewerHasRequested',
  'hasRequestedViewer',
  'viewerIsBlocking',
  'viewerIsMuting',
];

class User {
  __typename = 'User';

  constructor(graph, me, fields) {
    this.graph = graph;
    this.me = me;
    for (const name of NEVER) this[name] = false;
    for (const name of ['id', 'externalId', 'username', 'name', 'bio', 'createdAt', 'avatarUrl']) this[name] = fields[name];
  }

  followerCount() {
    return this.graph.follows.filter((follow) => follow.followee === this.id).length;
  }

  followingCount() {
    return this.graph.follows.filter((follow) => follow.follower === this.id).length;
  }

  isViewer() {
    return this.id === this.me;
  }

  isFollowingViewer() {
    return this.graph.find(this.id, this.me) !== undefined;
  }

  viewerIsFollowing() {
    return this.graph.find(this.me, this.id) !== undefined;
  }

  viewerFollowedAt() {
    return this.graph.find(this.me, this.id)?.at;
  }

  viewerCanFollow() {
    return this.viewerCannotFollowReasons().length === 0;
  }

  viewerCannotFollowReasons() {
    if (!this.me) return ['UNAUTHENTICATED'];
    return this.isViewer() ? ['YOURSELF'] : [];
  }

  followers(args) {
    return this.#follows(args, 'followers', 'followee', 'follower');
  }

  following(args) {
    return this.#follows(args, 'following', 'follower', 'followee');
  }

  #follows({ orderBy, ...args }, list, mine, other) {
    const { direction } = orderBy ?? { direction: 'DESC' };
    const follows = this.graph.follows.filter((follow) => follow[mine] === this.id);
    const user = (id) => new User(this.graph, this.me, this.graph.users.get(id));
    const edges = follows.map((follow) => followEdge(follow, `${list}${direction}`, user(follow[other])));
    const descending = direction === 'DESC';
    return page(this.graph, descending ? edges.toReversed() : edges, descending, args);
  }
}

function followEdge(follow, list, node) {
  return { cursor: follow[list] ?? FRESH, followedAt: follow.at, node, place: follow.place };
}

function usersPage(graph, { orderBy, query, ...args }, user) {
  const { field, direction } = orderBy ?? { field: 'USERNAME', direction: 'ASC' };
  const text = query ?? '';
  const words = wordsOf(text);
  const isFound = ({ username, name }) =>
    words.every((word) => [username.toLowerCase(), ...wordsOf(name ?? '')].some((other) => other.startsWith(word)));
  const edges = graph.lists[`${field}_${direction}`].edges
    .map(({ cursor, node }, place) => ({ cursor, node: user(node.id), place }))
    .filter(({ node }) => (words.length > 0 || text.trim() === '') && isFound(node));
  return page(graph, edges, false, args);
}

/** The words of a text without case and accents, for the texts that the generator uses. */
function wordsOf(text) {
  const folded = text.normalize('NFKD').replace(/\p{M}/gu, '').toUpperCase().toLowerCase();
  return folded.match(/[\p{L}\p{N}_]+/gu) ?? [];
}

/** A page of a list; `descending` is the direction of its positions. */
function page(graph, list, descending, { first, last, after, before }) {
  const isBeyond = (edge, cursor, orAt) => {
    const distance = (edge.place - graph.places.get(cursor)) * (descending ? -1 : 1);
    return distance > 0 || (orAt && distance === 0);
  };
  const isAfter = (edge) => after == null || isBeyond(edge, after, false);
  const isBefore = (edge) => before == null || !isBeyond(edge, before, true);
  const between = list.filter((edge) => isAfter(edge) && isBefore(edge));
  const size = first ?? last ?? 20;
  const backward = first == null && last != null;
  const edges = backward ? between.slice(Math.max(between.length - size, 0)) : between.slice(0, size);
  const isCut = edges.length < between.length;
  return {
    edges,
    nodes: edges.map((edge) => edge.node),
    totalCount: list.length,
    isHidden: false,
    pageInfo: {
      startCursor: edges.at(0)?.cursor,
      endCursor: edges.at(-1)?.cursor,
      hasNextPage: (!backward && isCut) || !list.every(isBefore),
      hasPreviousPage: (backward && isCut) || !list.every(isAfter),
    },
  };
}
