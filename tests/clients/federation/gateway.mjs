/**
 * A gateway of three subgraphs: Entourage at `ENTOURAGE_URL`, and the users and posts of a host.
 * Composes them, serves the result, and prints what a client with `ENTOURAGE_TOKEN` gets.
 */

import { composeServices } from '@apollo/composition';
import { ApolloGateway, RemoteGraphQLDataSource } from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import { parse } from 'graphql';
import { local, typeDefs } from './subgraphs.mjs';

const url = process.env.ENTOURAGE_URL;
const token = process.env.ENTOURAGE_TOKEN;

async function send(url, query, variables, headers) {
  const body = JSON.stringify({ query, variables });
  headers = { 'content-type': 'application/json', ...headers };
  const response = await fetch(url, { method: 'POST', headers, body });
  return response.json();
}

/** The schema of all subgraphs together, which tools such as rover write into a file. */
async function compose() {
  const { data } = await send(url, '{ _service { sdl } }');
  const { errors, supergraphSdl } = composeServices([
    { name: 'entourage', url, typeDefs: parse(data._service.sdl) },
    { name: 'users', url: 'local:users', typeDefs: typeDefs.users },
    { name: 'posts', url: 'local:posts', typeDefs: typeDefs.posts },
  ]);
  if (errors) throw new Error(errors.map(({ message }) => message).join('\n'));
  return supergraphSdl;
}

/** Entourage, for a client of the gateway: with the client's token and address. */
class Entourage extends RemoteGraphQLDataSource {
  willSendRequest({ request, context: { authorization, address } }) {
    if (authorization) request.http.headers.set('authorization', authorization);
    if (address) request.http.headers.set('x-forwarded-for', address);
  }
}

/** The requests that the gateway has sent to Entourage. */
let requests = 0;

class Counted extends Entourage {
  willSendRequest(options) {
    requests += 1;
    super.willSendRequest(options);
  }
}

const gateway = new ApolloGateway({
  supergraphSdl: await compose(),
  buildService: ({ name, url }) => (name === 'entourage' ? new Counted({ url }) : local(name)),
});
const server = new ApolloServer({ gateway });
const { url: served } = await startStandaloneServer(server, {
  listen: { host: '127.0.0.1', port: 0 },
  context: async ({ req }) => ({
    authorization: req.headers.authorization,
    address: req.socket.remoteAddress,
  }),
});

const AUTHORS = `
  query Authors($first: Int!) {
    posts(first: $first) {
      title
      author { username name email viewerIsFollowing followers { totalCount } }
    }
  }`;

const FOLLOWERS = `
  query Followers($username: String!) {
    user(username: $username) {
      name
      email
      followers(first: 2) {
        nodes { username email posts(first: 1) { nodes { title } pageInfo { hasNextPage } } }
        pageInfo { hasNextPage }
      }
    }
  }`;

const FOLLOW = `
  mutation Follow($id: String!) {
    follow(input: { user: { externalId: $id } }) {
      outcome
      user { username email viewerIsFollowing }
    }
  }`;

const answers = {};
for (const [name, query, variables] of [
  ['authors', AUTHORS, { first: 100 }],
  ['tooMany', AUTHORS, { first: 101 }],
  ['followers', FOLLOWERS, { username: 'user_1' }],
  ['stranger', FOLLOWERS, { username: 'zoe' }],
  ['follow', FOLLOW, { id: 'h9' }],
]) {
  requests = 0;
  const answer = await send(served, query, variables, { authorization: `Bearer ${token}` });
  answers[name] = { ...answer, requests };
}
console.log(JSON.stringify(answers));
await server.stop();
