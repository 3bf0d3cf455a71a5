/** Relay: its network layer with queries over HTTP and subscriptions over a WebSocket. */

import { createClient } from 'graphql-ws';
import runtime from 'relay-runtime';
import WebSocket from 'ws';

import { authorization, EVENTS, heard, queue, url } from './events.mjs';

const { Network, Observable } = runtime;
const socket = createClient({
  url: url.replace('http', 'ws'),
  webSocketImpl: WebSocket, // not in a browser, which has its own
  connectionParams: { authorization },
});
const post = async ({ text }, variables) => {
  const headers = { 'content-type': 'application/json', authorization };
  const body = JSON.stringify({ query: text, variables });
  return (await fetch(url, { method: 'POST', headers, body })).json();
};
const subscribe = ({ name, text }, variables) =>
  Observable.create((sink) => socket.subscribe({ operationName: name, query: text, variables }, sink));
const network = Network.create(post, subscribe);

/** Executes a document, as Relay does with those that its compiler wrote. */
const execute = (operationKind, name, text, variables = {}) =>
  network.execute({ operationKind, name, text, metadata: {} }, variables, { force: true });

/** The events after a cursor; without one, from now on. */
function events(after) {
  const results = queue();
  const next = ({ data, errors }) => results.add(errors ? new Error(JSON.stringify(errors)) : data);
  const subscription = execute('subscription', 'Events', EVENTS, { after }).subscribe({ next });
  return { next: results.next, end: () => subscription.unsubscribe() };
}

const VIEWER = 'query Viewer { viewer { user { username } latestEventCursor } }';
const { data } = await execute('query', 'Viewer', VIEWER).toPromise();
const refused = await execute('query', 'Wrong', 'query Wrong { nothing }').toPromise();
const report = await heard(events, data.viewer.latestEventCursor);
await socket.dispose();

console.log(
  JSON.stringify({
    viewer: data.viewer.user.username,
    refused: refused.errors.map(({ extensions }) => extensions.code),
    ...report,
  }),
);
