/** Two subgraphs of a host: its users, and their posts. Both know a user by the id at the host. */

import { LocalGraphQLDataSource } from '@apollo/gateway';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse } from 'graphql';

const users = parse(`
  extend schema
    @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@override"])

  type User @key(fields: "externalId") {
    externalId: String!
    email: String
    name: String @override(from: "entourage")
  }
`);

const posts = parse(`
  extend schema
    @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])

  type User @key(fields: "externalId") {
    externalId: String!
    posts(first: Int!): PostConnection
  }

  type Post @key(fields: "id") {
    id: ID!
    title: String!
    author: User
  }

  type PostConnection {
    nodes: [Post!]!
    pageInfo: PageInfo!
  }

  type PageInfo @shareable {
    endCursor: String
    hasNextPage: Boolean!
    hasPreviousPage: Boolean!
    startCursor: String
  }

  type Query {
    posts(first: Int!): [Post!]!
  }
`);

const number = (externalId) => Number(externalId.slice('h'.length));
const post = (n) => ({ id: String(n), title: `Post ${n}`, author: { externalId: `h${n}` } });
const numbers = (first) => Array.from({ length: first }, (_, index) => index + 1);
const postsOf = ({ externalId }, { first }) => {
  const nodes = [post(number(externalId))].slice(0, first);
  const ends = { startCursor: null, endCursor: null };
  return { nodes, pageInfo: { ...ends, hasNextPage: false, hasPreviousPage: false } };
};

/** A user as another subgraph refers to them. One without an id at the host is unknown here. */
const __resolveReference = (reference) => (reference.externalId === null ? null : reference);

const resolvers = {
  users: {
    User: {
      __resolveReference,
      email: ({ externalId }) => `${externalId}@example.com`,
      name: ({ externalId }) => `Number ${number(externalId)}`,
    },
  },
  posts: {
    User: { __resolveReference, posts: postsOf },
    Query: { posts: (_, { first }) => numbers(first).map(post) },
  },
};

/** The schemas as a gateway is composed from them. */
export const typeDefs = { users, posts };

/** A subgraph in this process, instead of a server of its own. */
export const local = (name) =>
  new LocalGraphQLDataSource(
    buildSubgraphSchema({ typeDefs: typeDefs[name], resolvers: resolvers[name] }),
  );
