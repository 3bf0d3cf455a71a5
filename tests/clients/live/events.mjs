/**
 * What the clients of both transports have in common: they follow the viewer with another account, and
 * print what they hear of it.
 */

export const url = process.env.ENTOURAGE_URL;
export const authorization = `Bearer ${process.env.ENTOURAGE_TOKEN}`;

export const EVENTS = `subscription Events($after: String) {
  followEvents(after: $after) { cursor kind cause isRepeat user { username } }
}`;

/** Sends a mutation of the other account. */
export async function change(field) {
  const query = `mutation { ${field}(input: { user: { username: "emily" } }) { userErrors { code } } }`;
  const headers = {
    'content-type': 'application/json',
    authorization: `Bearer ${process.env.ENTOURAGE_OTHER_TOKEN}`,
  };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query }) });
  const { data, errors } = await response.json();
  if (errors || data[field].userErrors.length > 0) throw new Error(JSON.stringify({ data, errors }));
}

/** The data of the next result. */
export async function next(results) {
  const { value, done } = await results.next();
  if (done) throw new Error('it is over');
  if (value.errors) throw new Error(JSON.stringify(value.errors));
  return value.data;
}

/** A queue of results, for clients that call back. A result that is an error is thrown. */
export function queue() {
  const results = [];
  let wake = () => {};
  const add = (result) => {
    results.push(result);
    wake();
  };
  const next = async () => {
    while (results.length === 0) await new Promise((resolve) => (wake = resolve));
    const result = results.shift();
    if (result instanceof Error) throw result;
    return result;
  };
  return { add, next };
}

/** An event without its cursor, which differs from run to run, and the types that a cache asks for. */
export function seen({ followEvents: { cursor, ...event } }) {
  if (typeof cursor !== 'string') throw new Error(`no cursor: ${cursor}`);
  const withoutType = (key, value) => (key === '__typename' ? undefined : value);
  return JSON.parse(JSON.stringify(event, withoutType));
}

/** What a client hears: `events` subscribes to what follows a cursor. */
export async function heard(events, latest) {
  const live = events(latest);
  await change('follow');
  const first = await live.next();
  await change('unfollow');
  await change('follow');
  const second = seen(await live.next());
  live.end();
  const late = events(first.followEvents.cursor);
  const again = seen(await late.next());
  late.end();
  return { events: [seen(first), second], again };
}
