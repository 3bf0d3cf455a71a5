/**
 * npm `graphql-ws`: a query, a refused operation, events, and events from a cursor on. Then it waits
 * until the server sends it elsewhere.
 */

import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

import { authorization, change, EVENTS, next, seen, url } from './events.mjs';

const closed = [];
let retries = 0;
const client = createClient({
  url: url.replace('http', 'ws'),
  webSocketImpl: WebSocket,
  connectionParams: { authorization },
  keepAlive: 500,
  retryAttempts: 1,
  on: {
    closed: ({ code }) => closed.push(code),
    connecting: (isRetry) => (retries += isRetry ? 1 : 0),
  },
});

const query = '{ viewer { user { username } latestEventCursor } }';
const { viewer } = await next(client.iterate({ query }));
const refused = await client
  .iterate({ query: '{ nothing }' })
  .next()
  .catch((errors) => errors.map((error) => error.extensions.code));

const latest = { after: viewer.latestEventCursor };
const events = client.iterate({ query: EVENTS, variables: latest });
const first = events.next();
await change('follow');
const event = await first;
await change('unfollow');
await change('follow');
const second = seen(await next(events));
await events.return();

const after = event.value.data.followEvents.cursor;
const late = client.iterate({ query: EVENTS, variables: { after } });
const again = seen(await next(late));

console.error('READY');
const over = await late.next().catch(() => 'over');
console.log(
  JSON.stringify({
    viewer: viewer.user.username,
    refused,
    events: [seen(event.value.data), second],
    again,
    // 1000 is its own: it closes a socket without operations.
    closed: closed.find((code) => code !== 1000),
    retries,
    over,
  }),
);
