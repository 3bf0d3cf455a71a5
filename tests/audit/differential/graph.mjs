/**
 * A copy of the server's small graph, and resolvers over it for graphql-js.
 *
 * It is read from the server over its API. Values that only the server can know, such as the time of
 * a new follow, are FRESH here, which matches any text. Changed parts of the copy are reloaded before
 * the next operation.
 */

/** Stands for a text that only the server can know. */
export const FRESH = '\u0000fresh';

const USERS_MAX = 100;
const ORDERS = ['ASC', 'DESC'];
const USER_FIELDS = ['USERNAME', 'CREATED_AT'];

const EDGES = '{ edges { cursor followedAt node { id } } }';
const ordered = (field) =>
  ORDERS.map((order) => `${field}${order}: ${field}(first: 100, orderBy: { direction: ${order} }) ${EDGES}`).join(' ');
const userLists = USER_FIELDS.flatMap((field) =>
  ORDERS.map(
    (order) =>
      `${field}_${order}: users(first: 100, orderBy: { field: ${field}, direction: ${order} }) { edges { cursor node { id } } }`,
  ),
).join(' ');

const EVENTS = `latestEventCursor
    followEvents(last: 100, before: $read) {
      edges { cursor node { at cause cursor isRepeat kind user { id } } }
      pageInfo { hasPreviousPage }
    }`;

const EVERYTHING = `{
  viewer { id user { id } role { id name permissions } permissions latestEventCursor followEvents(first: 100) {
    edges { cursor node { at cause cursor isRepeat kind user { id } } }
  } }
  users(first: 100) { totalCount nodes { id externalId username name bio createdAt avatarUrl ${ordered('followers')} ${ordered('following')} } }
}`;
const PAIR = `query ($user: ID!, $read: String) {
  viewer { ${EVENTS} user { ${ordered('following')} } }
  node(id: $user) { ... on User { ${ordered('followers')} } }
}`;

export class Graph {
  constructor(server, token) {
    this.server = server;
    this.token = token;
    /** The positions of cursors, deleted follows included. */
    this.places = new Map();
    /** The users whom the viewer followed or unfollowed since the copy was read. */
    this.changed = new Set();
  }

  /** Reads the whole graph. */
  async load() {
    const run = (query) => this.server.run(query, {}, this.token);
    const { viewer, users } = await run(EVERYTHING);
    if (users.totalCount > USERS_MAX) {
      throw new Error(`the graph has ${users.totalCount} users; at most ${USERS_MAX} can be copied`);
    }
    const { latestEventCursor, followEvents, ...rest } = viewer;
    this.viewer = rest;
    this.latest = latestEventCursor;
    /** The newest events of the viewer, oldest first. */
    this.events = [];
    this.#log(followEvents.edges);
    this.users = new Map(users.nodes.map((user) => [user.id, user]));
    this.follows = [];
    for (const user of users.nodes) {
      this.#read(user, 'followers', (edge) => ({ follower: edge.node.id, followee: user.id }));
    }
    for (const user of users.nodes) {
      this.#read(user, 'following', (edge) => ({ follower: user.id, followee: edge.node.id }));
    }

    this.lists = await run(`{ ${userLists} }`);
    for (const { edges } of Object.values(this.lists)) {
      for (const [place, { cursor }] of edges.entries()) this.places.set(cursor, place);
    }
    this.changed.clear();
  }

  /** Reloads what the last operation changed. */
  async refresh() {
    for (const changed of this.changed) {
      const variables = { user: changed, read: this.latest };
      const { viewer, node } = await this.server.run(PAIR, variables, this.token);
      this.latest = viewer.latestEventCursor;
      this.events = this.events.filter(({ cursor }) => cursor !== FRESH);
      this.#log(viewer.followEvents.edges);
      const me = this.viewer.user.id;
      this.unfollow(changed);
      const ofPair = (edge, other) => edge.node.id === other;
      this.#read(node, 'followers', (edge) => ofPair(edge, me) && { follower: me, followee: changed });
      this.#read(viewer.user, 'following', (edge) => ofPair(edge, changed) && { follower: me, followee: changed });
    }
    this.changed.clear();
  }

  /** Adds events that were read, newest first. */
  #log(edges) {
    for (const { cursor, node } of edges.toReversed()) {
      const place = (this.events.at(-1)?.place ?? 0) + 1;
      this.places.set(cursor, place);
      this.events.push({ cursor, place, ...node, user: node.user?.id });
    }
  }

  #read(user, field, pairOf) {
    for (const order of ORDERS) {
      for (const edge of user[`${field}${order}`].edges) {
        const pair = pairOf(edge);
        if (!pair) continue;
        const { follower, followee } = pair;
        const known = this.find(follower, followee) ?? { follower, followee, at: edge.followedAt };
        known.place = micros(edge.followedAt);
        known[`${field}${order}`] = edge.cursor;
        this.places.set(edge.cursor, known.place);
        if (!this.follows.includes(known)) this.follows.push(known);
      }
    }
    this.follows.sort((a, b) => a.place - b.place);
  }

  find(follower, followee) {
    return this.follows.find((f) => f.follower === follower && f.followee === followee);
  }

  byExternalId(id) {
    return [...this.users.values()].find((user) => user.externalId === id);
  }

  byName(username) {
    const name = username.toLowerCase();
    return [...this.users.values()].find((user) => user.username.toLowerCase() === name);
  }

  follow(followee) {
    this.changed.add(followee);
    const place = Number.MAX_SAFE_INTEGER - 1_000_000 + this.follows.length;
    this.follows.push({ follower: this.viewer.user.id, followee, at: FRESH, place });
  }

  unfollow(followee) {
    this.changed.add(followee);
    const follow = this.find(this.viewer.user.id, followee);
    this.follows = this.follows.filter((other) => other !== follow);
    return follow !== undefined;
  }

  /** Adds the event of an unfollow. */
  logUnfollow(user) {
    const place = (this.events.at(-1)?.place ?? 0) + 1;
    const fixed = { cause: 'USER', kind: 'FOLLOW_ENDED', isRepeat: false };
    this.events.push({ cursor: FRESH, place, at: FRESH, ...fixed, user });
  }

  /** A cursor of a list, named as in the queries above, for the generator. */
  cursors(list) {
    if (list === 'followEvents') return this.events.map((event) => event.cursor);
    const edges = this.lists[list]?.edges ?? this.follows;
    return edges.map((edge) => edge.cursor ?? edge[list]).filter((cursor) => cursor !== undefined);
  }
}

/** Microseconds since 1970 of an RFC 3339 time with up to six digits of fraction. */
function micros(time) {
  const [, seconds, fraction = ''] = time.match(/^(.*?)(?:\.(\d+))?Z$/);
  return Date.parse(`${seconds}Z`) * 1_000 + Number(fraction.padEnd(6, '0'));
}
