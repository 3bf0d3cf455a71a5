// Measures how cost grows: benches/peers/run.sh growth
//
// With the length of a list, with connections, and with the number of users to follow; and memory and
// startup time.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  binary, entourage, environment, makeGraph, sql, sqlFile, tokens,
} from './lib/database.mjs';
import { ask, document } from './lib/graph.mjs';
import { measure, wrk } from './lib/load.mjs';
import { memory, Server } from './lib/process.mjs';
import { digits, machine, median, medians, progress, publish, table } from './lib/report.mjs';

const USAGE = `usage: run.sh growth [OPTION...]
  --rounds N    number of rounds (3)
  --seconds N   seconds for each measurement (3)
  --docs        write the figures into docs/performance.md
  --smoke       one round of a second on a small graph`;
const PAGE = 20;
/** A late page: the 10,000th, of twenty items each. */
const DEEP = 10_000 * PAGE;
const LENGTHS = [100, 10_000, 1_000_000];
const CONNECTIONS = [1, 4, 16, 64, 256];
const WRITERS = 64;
const TARGETS = [1, 10, 100, 5000];
const STARTS = 11;

const FOLLOWERS = `query Followers($username: String!, $first: Int!, $after: String) {
  user(username: $username) {
    followers(first: $first, after: $after) {
      totalCount
      edges { followedAt node { username } }
      pageInfo { hasNextPage endCursor }
    }
  }
}`;

function options() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '3' },
      docs: { type: 'boolean', default: false },
      smoke: { type: 'boolean', default: false },
    },
  });
  const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
  if (!(Number.isInteger(rounds) && rounds > 0 && Number.isInteger(seconds) && seconds > 0)) {
    throw new Error(USAGE);
  }
  const { docs, smoke } = values;
  return smoke
    ? { rounds: 1, seconds: 1, users: 10_000, follows: 200_000, docs }
    : { rounds, seconds, users: 100_000, follows: 2_000_000, docs };
}

const start = () => Server.start('growth', [binary, 'serve'], (port) => environment({
  ENTOURAGE_LISTEN: `127.0.0.1:${port}`,
}));
const request = (query, variables, header) =>
  ({ header, body: JSON.stringify({ query: query.replace(/\s+/g, ' '), variables }) });

/** The medians of each case. All cases take turns in each round. */
async function inTurn(what, cases, { rounds, seconds }, server) {
  const all = cases.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    progress(`${what}: round ${round + 1} of ${rounds}`);
    for (const [at, { requests, connections }] of cases.entries()) {
      await ask(server.url, requests[0]); // which fails when the answer is an error
      await wrk(server.url, requests, connections, 1);
      const load = () => wrk(server.url, requests, connections, seconds);
      const result = await measure(load, server.pid);
      if (result.errors > 0) throw new Error(`${what}: ${result.errors} requests failed`);
      all[at].push(result);
    }
  }
  return cases.map(({ requests, ...one }, at) => ({ ...one, ...medians(all[at]) }));
}

/** The cursor of an entry of a list, found by paging. */
async function cursorAt(url, username, position) {
  let after = null;
  for (let left = position; left > 0;) {
    const first = Math.min(100, left);
    const { data } = await ask(url, request(FOLLOWERS, { username, first, after }));
    after = data.user.followers.pageInfo.endCursor;
    left -= first;
  }
  return after;
}

async function listLength(chosen, server) {
  const cases = [];
  for (const length of LENGTHS) {
    const username = `star${length}`;
    const deep = Math.min(DEEP, length) - PAGE;
    for (const position of [0, deep]) {
      const after = await cursorAt(server.url, username, position);
      const asked = request(FOLLOWERS, { username, first: PAGE, after });
      const { data } = await ask(server.url, asked);
      if (data.user.followers.edges.length !== PAGE) throw new Error(`no page of ${username}`);
      cases.push({ length, page: position / PAGE + 1, requests: [asked], connections: 1 });
    }
  }
  const measured = await inTurn('list length', cases, chosen, server);
  const rows = measured.map((of) => [
    of.length.toLocaleString('en-US'), of.page.toLocaleString('en-US'), digits(of.p50),
    `${digits(of.p50 / measured[0].p50)} x`, digits(of.serverUs), digits(of.databaseUs),
    digits(of.blocks),
  ]);
  const head = ['followers', 'page of 20', 'p50 ms', 'to the first row', 'server µs',
    'database µs', 'blocks read'];
  return [measured, `**A page of followers**, one request at a time\n\n${table(head, rows)}`];
}

async function connections(chosen, server) {
  const names = sql(`SELECT username FROM users JOIN follow_counts ON user_id = id
    WHERE username LIKE 'user%' ORDER BY followers DESC, id OFFSET 10 LIMIT 2000`);
  const profiles = names.map(([username]) =>
    request(document('entourage', 'profile'), { username }));
  const lists = [];
  for (let after = null; lists.length < 64;) {
    const asked = request(document('entourage', 'lists'), { after });
    const { data } = await ask(server.url, asked);
    lists.push(asked);
    after = data.users.pageInfo.endCursor;
  }
  const cases = Object.entries({ profile: profiles, lists }).flatMap(([query, requests]) =>
    CONNECTIONS.map((connections) => ({ query, requests, connections })));
  const measured = await inTurn('connections', cases, chosen, server);
  const rows = measured.map((of) => [
    of.query, String(of.connections), digits(of.perSecond), digits(of.p50), digits(of.p99),
    digits(of.serverUs), digits(of.databaseUs), digits(of.memory),
  ]);
  const head = ['query', 'connections', 'requests/s', 'p50 ms', 'p99 ms', 'server µs',
    'database µs', 'memory MB'];
  return [measured, `**Connections**\n\n${table(head, rows)}`];
}

async function targets(chosen, server) {
  const viewers = sql(`SELECT username FROM users WHERE username LIKE 'user%'
    ORDER BY md5(username) LIMIT 5000`).map(([name]) => name);
  const all = await tokens(viewers);
  const headers = new Map(all.map((token, at) =>
    [viewers[at], ['Authorization', `Bearer ${token}`]]));
  const list = `'${viewers.join("','")}'`;
  const cases = TARGETS.map((count) => {
    const pairs = sql(`
      SELECT v.username, t.username
      FROM (SELECT row_number() OVER (ORDER BY id) AS n, id, username FROM users
            WHERE username IN (${list})) v
      JOIN (SELECT row_number() OVER (ORDER BY followers DESC, id) AS n, id, username
            FROM users JOIN follow_counts ON user_id = id WHERE username LIKE 'user%') t
        ON t.n = 1 + v.n % ${count}
      WHERE v.id <> t.id AND NOT EXISTS (
        SELECT FROM follows WHERE follower_id = v.id AND followee_id = t.id)`);
    const requests = pairs.map(([viewer, username]) =>
      request(document('entourage', 'follow'), { username }, headers.get(viewer)));
    return { count, requests, connections: WRITERS };
  });
  const measured = await inTurn('targets', cases, chosen, server);
  const rows = measured.map((of) => [
    of.count.toLocaleString('en-US'), digits(of.perSecond), digits(of.p50), digits(of.p99),
    digits(of.statements), digits(of.serverUs), digits(of.databaseUs),
  ]);
  const head = ['users to follow', 'requests/s', 'p50 ms', 'p99 ms', 'statements', 'server µs',
    'database µs'];
  const title = `**Writes**, a follow and an unfollow, ${WRITERS} connections`;
  return [measured, `${title}\n\n${table(head, rows)}`];
}

/** The startup time on this database, and the memory of an idle server. */
async function starts() {
  const times = [];
  const sizes = [];
  for (let n = 0; n < STARTS; n += 1) {
    const server = await start();
    times.push(server.startMs);
    await new Promise((resolve) => setTimeout(resolve, 500));
    sizes.push(memory(server.pid));
    await server.stop();
  }
  const text = `**Start** on this database: ${digits(median(times))} ms until it accepts `
    + `connections (median of ${STARTS}; at most ${digits(Math.max(...times))} ms). **Memory** of `
    + `an idle server: ${digits(median(sizes))} MB.`;
  return [{ times, sizes }, text];
}

async function main() {
  const chosen = options();
  await makeGraph(chosen.users, chosen.follows);
  progress('a million users more');
  await sqlFile(fileURLToPath(new URL('stars.sql', import.meta.url)));

  const parts = [await starts()];
  for (const part of [listLength, connections, targets]) {
    // Each part has its own server, so that the memory is that of the part.
    const server = await start();
    parts.push(await part(chosen, server));
    await server.stop();
  }
  await entourage('check');

  const [[users, follows]] = sql('SELECT (SELECT count(*) FROM users), count(*) FROM follows');
  const text = [
    `${machine()}. ${users} users, ${follows} follows; medians of ${chosen.rounds} rounds of `
      + `${chosen.seconds} s.`,
    ...parts.map(([, part]) => part),
  ].join('\n\n');
  const figures = parts.map(([measured]) => measured);
  publish('growth', text, { chosen, figures }, chosen);
}

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
