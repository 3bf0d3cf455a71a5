/** npm `graphql-sse`: a query, a refused operation, events, and events from a cursor on. */

import { createClient } from 'graphql-sse';

import { authorization, change, EVENTS, next, seen, url } from './events.mjs';

let connected = () => {};
const client = createClient({
  url,
  headers: { authorization },
  retryAttempts: 0,
  on: { connected: () => connected() },
});

const viewer = await next(client.iterate({ query: '{ viewer { user { username } } }' }));
const refused = await client.iterate({ query: '{ nothing }' }).next();

const isConnected = new Promise((resolve) => (connected = resolve));
const events = client.iterate({ query: EVENTS });
const first = next(events);
await isConnected;
await change('follow');
const event = await first;
await change('unfollow');
await change('follow');
const second = seen(await next(events));
await events.return();

const { cursor: after } = event.followEvents;
const late = client.iterate({ query: EVENTS, variables: { after } });
const again = seen(await next(late));
await late.return();

console.log(
  JSON.stringify({
    viewer: viewer.viewer.user.username,
    refused: refused.value.errors.map((error) => error.extensions.code),
    events: [seen(event), second],
    again,
  }),
);
