/** Apollo Client 4: queries over HTTP, subscriptions over a WebSocket. */

import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { CombinedGraphQLErrors } from '@apollo/client/errors';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

import { authorization, EVENTS, heard, queue, url } from './events.mjs';

const http = new HttpLink({ uri: url, headers: { authorization } });
const socket = createClient({
  url: url.replace('http', 'ws'),
  webSocketImpl: WebSocket, // not in a browser, which has its own
  connectionParams: { authorization },
});
const isSubscription = ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION;
const link = ApolloLink.split(isSubscription, new GraphQLWsLink(socket), http);
const client = new ApolloClient({ cache: new InMemoryCache(), link });

/** The events after a cursor; without one, from now on. */
function events(after) {
  const results = queue();
  const observed = client.subscribe({ query: gql(EVENTS), variables: { after } });
  const subscription = observed.subscribe(({ data, error }) => results.add(error ?? data));
  return { next: results.next, end: () => subscription.unsubscribe() };
}

const VIEWER = '{ viewer { id user { id username } latestEventCursor } }';
const { data } = await client.query({ query: gql(VIEWER) });
const refused = await client.query({ query: gql('{ nothing }') }).catch((error) => error);
const report = await heard(events, data.viewer.latestEventCursor);
client.stop();
await socket.dispose();

console.log(
  JSON.stringify({
    viewer: data.viewer.user.username,
    refused: CombinedGraphQLErrors.is(refused) ? refused.errors.map(({ extensions }) => extensions.code) : [],
    ...report,
  }),
);
