/** urql: queries over HTTP, subscriptions over a WebSocket. */

import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

import { authorization, EVENTS, heard, queue, url } from './events.mjs';

const socket = createClient({
  url: url.replace('http', 'ws'),
  webSocketImpl: WebSocket, // not in a browser, which has its own
  connectionParams: { authorization },
});
const client = new Client({
  url,
  preferGetMethod: false,
  fetchOptions: { headers: { authorization } },
  exchanges: [
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: ({ query, variables }) => ({
        subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query: query ?? '', variables }, sink) }),
      }),
    }),
  ],
});

/** The events after a cursor; without one, from now on. */
function events(after) {
  const results = queue();
  const observed = client.subscription(EVENTS, { after });
  const subscription = observed.subscribe(({ data, error }) => results.add(error ?? data));
  return { next: results.next, end: () => subscription.unsubscribe() };
}

const { data } = await client.query('{ viewer { user { username } latestEventCursor } }', {});
const { error: refused } = await client.query('{ nothing }', {});
const report = await heard(events, data.viewer.latestEventCursor);
await socket.dispose();

console.log(
  JSON.stringify({
    viewer: data.viewer.user.username,
    refused: refused.graphQLErrors.map(({ extensions }) => extensions.code),
    ...report,
  }),
);
