/**
 * The WebSocket for subscriptions, by the protocol `graphql-transport-ws`.
 *
 * A WebSocket, and not an event stream, because browsers open at most six connections to a server
 * that speaks HTTP/1.1, in all tabs together. With an event stream in each, the seventh tab would
 * wait for its first page. WebSockets are not counted among them.
 */

import { type Client, createClient } from "graphql-ws";

/** Between two pings. */
const PING_MS = 20_000;
/** For the answer to a ping. Without one the connection is dead, which the browser does not notice. */
const PONG_MS = 10_000;

/** What a client says about itself: its `authorization`, if it has one. */
export type ConnectionParams = Record<string, string>;

/**
 * A client that connects with its first subscription, and disconnects after its last one. It does
 * not reconnect: only the subscriber knows the cursor to go on from.
 */
export function createSocket(connectionParams: ConnectionParams): Client {
  const url = new URL("graphql", document.baseURI);
  url.protocol = url.protocol.replace("http", "ws");
  let deadline: ReturnType<typeof setTimeout> | undefined;
  const client = createClient({
    url: url.href,
    connectionParams,
    retryAttempts: 0,
    keepAlive: PING_MS,
    on: {
      ping: (isReceived) => {
        if (!isReceived) {
          deadline = setTimeout(() => client.terminate(), PONG_MS);
        }
      },
      pong: (isReceived) => isReceived && clearTimeout(deadline),
      closed: () => clearTimeout(deadline),
    },
  });
  return client;
}
