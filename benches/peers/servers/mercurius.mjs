// Mercurius 16 on Fastify, with hand-written loaders: one statement per level and field. It supports
// only the measured queries, so it does less than any real server.

import Fastify from 'fastify';
import mercurius from 'mercurius';
import postgres from 'postgres';

const sql = postgres(process.env.DATABASE_URL, {
  max: Number(process.env.CONNECTIONS),
  // As text, because a JavaScript Date has no microseconds.
  types: { time: { to: 1184, from: [1184], serialize: String, parse: String } },
});
const user = sql`u.id, u.username, u.follower_count, u.following_count`;

const schema = `
  type Query {
    user(username: String!): User
    users(first: Int!, after: ID): UserPage!
  }
  type Mutation {
    follow(username: String!): User
    unfollow(username: String!): User
  }
  type User {
    id: ID!
    username: String!
    followerCount: Int!
    followingCount: Int!
    viewerIsFollowing: Boolean!
    followers(first: Int!): [Follow!]!
    following(first: Int!): [Follow!]!
  }
  type Follow { followedAt: String!, user: User! }
  type UserPage { users: [User!]!, hasNextPage: Boolean!, endCursor: ID }
`;

const pages = {
  followers: (ids, first) => sql`
    SELECT of.id AS of_id, f.followed_at, ${user}
    FROM unnest(${ids}::bigint[]) of (id)
    CROSS JOIN LATERAL (
      SELECT follower_id, followed_at FROM follows WHERE followee_id = of.id
      ORDER BY followed_at DESC, follower_id DESC LIMIT ${first}) f
    JOIN users u ON u.id = f.follower_id
    ORDER BY of.id, f.followed_at DESC, f.follower_id DESC`,
  following: (ids, first) => sql`
    SELECT of.id AS of_id, f.followed_at, ${user}
    FROM unnest(${ids}::bigint[]) of (id)
    CROSS JOIN LATERAL (
      SELECT followee_id, followed_at FROM follows WHERE follower_id = of.id
      ORDER BY followed_at DESC, followee_id DESC LIMIT ${first}) f
    JOIN users u ON u.id = f.followee_id
    ORDER BY of.id, f.followed_at DESC, f.followee_id DESC`,
};

/** Loads a list of many users, with one statement per page size. */
const follows = (list) => async (queries) => {
  const sizes = Map.groupBy(queries, ({ params }) => params.first);
  const lists = new Map();
  await Promise.all(Array.from(sizes, async ([first, asked]) => {
    const ids = [...new Set(asked.map(({ obj }) => obj.id))];
    for (const id of ids) lists.set(`${first} ${id}`, []);
    for (const row of await pages[list](ids, first)) lists.get(`${first} ${row.of_id}`).push(row);
  }));
  return queries.map(({ obj, params }) => lists.get(`${params.first} ${obj.id}`));
};

async function viewerIsFollowing(queries, { viewer }) {
  if (!viewer) return queries.map(() => false);
  const ids = [...new Set(queries.map(({ obj }) => obj.id))];
  const rows = await sql`
    SELECT followee_id FROM follows
    WHERE follower_id = ${viewer} AND followee_id = ANY (${ids}::bigint[])`;
  const followed = new Set(rows.map((row) => row.followee_id));
  return queries.map(({ obj }) => followed.has(obj.id));
}

const resolvers = {
  Query: {
    user: async (_, { username }) =>
      (await sql`SELECT ${user} FROM users u WHERE username = ${username}`)[0],
    users: async (_, { first, after }) => {
      const rows = await sql`
        SELECT ${user} FROM users u WHERE id > ${after ?? '0'} ORDER BY id LIMIT ${first + 1}`;
      const users = rows.slice(0, first);
      return { users, hasNextPage: rows.length > first, endCursor: users.at(-1)?.id };
    },
  },
  // One statement each: the edge, and both counters if the edge changed.
  Mutation: {
    follow: async (_, { username }, { viewer }) => (await sql`
      WITH target AS (SELECT id FROM users WHERE username = ${username}),
        made AS (
          INSERT INTO follows (follower_id, followee_id)
          SELECT ${viewer}::bigint, id FROM target ON CONFLICT DO NOTHING
          RETURNING follower_id, followee_id),
        counted AS (
          UPDATE users u
          SET follower_count = follower_count + (u.id = followee_id)::int,
            following_count = following_count + (u.id = follower_id)::int
          FROM made WHERE u.id IN (follower_id, followee_id) RETURNING u.*)
      SELECT ${user} FROM counted u WHERE id = (SELECT id FROM target)
      UNION ALL
      SELECT ${user} FROM users u
      WHERE username = ${username} AND NOT EXISTS (SELECT FROM made)`)[0],
    unfollow: async (_, { username }, { viewer }) => (await sql`
      WITH target AS (SELECT id FROM users WHERE username = ${username}),
        gone AS (
          DELETE FROM follows USING target WHERE follower_id = ${viewer} AND followee_id = id
          RETURNING follower_id, followee_id),
        counted AS (
          UPDATE users u
          SET follower_count = follower_count - (u.id = followee_id)::int,
            following_count = following_count - (u.id = follower_id)::int
          FROM gone WHERE u.id IN (follower_id, followee_id) RETURNING u.*)
      SELECT ${user} FROM counted u WHERE id = (SELECT id FROM target)
      UNION ALL
      SELECT ${user} FROM users u
      WHERE username = ${username} AND NOT EXISTS (SELECT FROM gone)`)[0],
  },
  User: {
    followerCount: (of) => of.follower_count,
    followingCount: (of) => of.following_count,
  },
  Follow: { followedAt: (row) => row.followed_at, user: (row) => row },
};

// Its request cache serialises every object to build a key, which costs more than it saves: off.
const opts = { cache: false };
const loaders = {
  User: {
    followers: { loader: follows('followers'), opts },
    following: { loader: follows('following'), opts },
    viewerIsFollowing: { loader: viewerIsFollowing, opts },
  },
};

const app = Fastify({ logger: false });
app.register(mercurius, {
  schema,
  resolvers,
  loaders,
  jit: 1, // compile a document when it is asked for the second time
  graphiql: false,
  path: '/graphql',
  context: (request) => ({ viewer: request.headers['x-viewer-id'] }),
});
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1', backlog: 1024 });
