// Measures Entourage next to its peers and to the database itself: benches/peers/run.sh peers
//
// All servers run at once, on one PostgreSQL with one graph, and take turns in each round, so that
// noise affects all alike. Before that, their answers are compared.

import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  binary, entourage, environment, makeGraph, sql, sqlFile, urlOf,
} from './lib/database.mjs';
import { Asked, ask, leaves, QUERIES } from './lib/graph.mjs';
import { measure, pgbench, wrk } from './lib/load.mjs';
import { Server } from './lib/process.mjs';
import { digits, machine, median, medians, progress, publish, table } from './lib/report.mjs';

const USAGE = `usage: run.sh peers [OPTION...]
  --rounds N       number of rounds (5)
  --seconds N      seconds for each measurement (4), after one second to warm up
  --queries A,B    which of ${Object.keys(QUERIES).join(', ')} (all)
  --readers N      connections of a query (16)
  --writers N      connections of a mutation (64)
  --users N, --follows N   the size of the graph (100000, 2000000)
  --docs           write the figures into docs/performance.md
  --smoke          one round of a second on a small graph`;
/** The database connections of each server and of pgbench. */
const CONNECTIONS = 16;
/** How long a request may still run after its client has disconnected. */
const SETTLE_MS = 500;
/** The number of compared requests of each query. */
const COMPARED = 50;

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

function options() {
  const whole = (value) => ({ type: 'string', default: String(value) });
  const { values } = parseArgs({
    options: {
      rounds: whole(5), seconds: whole(4), readers: whole(16), writers: whole(64),
      users: whole(100_000), follows: whole(2_000_000),
      queries: { type: 'string', default: Object.keys(QUERIES).join() },
      docs: { type: 'boolean', default: false },
      smoke: { type: 'boolean', default: false },
    },
  });
  const { docs, smoke, queries, ...numbers } = values;
  const chosen = Object.fromEntries(Object.entries(numbers).map(([k, v]) => [k, Number(v)]));
  const small = smoke ? { rounds: 1, seconds: 1, users: 10_000, follows: 200_000 } : {};
  const names = queries.split(',');
  const isWrong = (number) => !(Number.isInteger(number) && number > 0);
  if (Object.values(chosen).some(isWrong) || names.some((name) => !(name in QUERIES))) {
    throw new Error(USAGE);
  }
  return { ...chosen, ...small, queries: names, docs };
}

/** The Node that runs the peers: PostGraphile needs a newer one than we require. */
function node() {
  const brought = here(`node_modules/node-linux-${process.arch}/bin/node`);
  return existsSync(brought) ? brought : process.execPath;
}

/** Starts all servers; the first one is the reference for answers. */
async function start() {
  const peer = async (name, role) => {
    const workers = availableParallelism();
    const env = (port) => ({
      ...process.env,
      NODE_ENV: 'production',
      GRAPHILE_ENV: 'production',
      DATABASE_URL: urlOf(role),
      PORT: String(port),
      CONNECTIONS: String(Math.max(1, Math.round(CONNECTIONS / workers))),
    });
    const command = [node(), here('servers/cluster.mjs'), `./${role}.mjs`];
    return { name, folder: role, server: await Server.start(name, command, env) };
  };
  const ours = async (name, more) => {
    const env = (port) => environment({
      ENTOURAGE_LISTEN: `127.0.0.1:${port}`,
      ENTOURAGE_DATABASE_CONNECTIONS_MAX: String(CONNECTIONS),
      ...more,
    });
    const server = await Server.start(name, [binary, 'serve'], env);
    return { name, folder: 'entourage', server, isOurs: true };
  };
  const uncached = { ENTOURAGE_USERS_CACHED_MAX: '0' };
  return [
    await ours('Entourage', {}),
    { ...(await ours('Entourage, without its user cache', uncached)), onlyReads: true },
    await peer('PostGraphile 5', 'postgraphile'),
    await peer('Mercurius 16', 'mercurius'),
    { name: 'SQL by pgbench' },
  ];
}

/** Builds the requests of a query and compares all answers with those of the first server. */
async function compare(query, subjects, asked) {
  const expected = new Map();
  for (const subject of subjects.filter(({ server }) => server)) {
    const { url } = subject.server;
    subject.requests = await asked.requests(query, subject.folder, url);
    const step = Math.max(1, Math.floor(subject.requests.length / COMPARED));
    const lengths = [];
    for (let at = 0; at < subject.requests.length; at += step) {
      const { data, bytes } = await ask(url, subject.requests[at]);
      const found = JSON.stringify(leaves(data));
      if (!expected.has(at)) expected.set(at, found);
      if (found !== expected.get(at)) {
        throw new Error(`${subject.name} answers ${query} ${at} with\n${found}\n`
          + `and not\n${expected.get(at)}`);
      }
      lengths.push(bytes);
    }
    subject.bytes = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
  }
}

/** One measurement of one server. */
async function once(query, subject, asked, { seconds, readers, writers }) {
  const { name, server, requests, bytes } = subject;
  const connections = QUERIES[query].writes ? writers : readers;
  const script = here(`queries/floor/${query}.sql`);
  const load = server
    ? (duration) => wrk(server.url, requests, connections, duration)
    : (duration) => pgbench(script, asked.lengths, CONNECTIONS, duration);
  await load(1);
  const result = await measure(() => load(seconds), server?.pid);

  // A GraphQL error is a success for HTTP, but it is shorter than an answer.
  const length = server && result.bytes / result.requests;
  if (result.errors > 0 || length < 0.8 * bytes) {
    throw new Error(`${name} fails under load: ${result.errors} errors, ${length} bytes each`);
  }
  progress(`  ${name.padEnd(34)} ${digits(result.perSecond).padStart(8)}/s, CPU for each: server `
    + `${digits(result.serverUs)} us, database ${digits(result.databaseUs)} us`);
  return result;
}

/** The table of a query. A ratio is the median over rounds of the ratio within a round. */
function report(query, subjects, results) {
  const found = subjects.filter(({ name }) => results[query][name]);
  const rounds = ({ name }) => results[query][name].map(({ perSecond }) => perSecond);
  const best = (of) => rounds(of[0]).map((_, at) => Math.max(...of.map((one) => rounds(one)[at])));
  const ratio = (subject, to) => {
    const ratios = rounds(subject).map((rate, at) => rate / to[at]);
    return `${digits(median(ratios))} x`;
  };
  const peers = best(found.filter(({ server, isOurs }) => server && !isOurs));
  const floor = best(found.filter(({ server }) => !server));

  const head = ['', 'requests/s', 'to best peer', 'to SQL', 'p50 ms', 'p99 ms', 'statements',
    'server µs', 'database µs', 'load µs', 'memory MB'];
  const rows = found.map((subject) => {
    const { name, server } = subject;
    const of = medians(results[query][name]);
    return [
      name, digits(of.perSecond), server ? ratio(subject, peers) : '', ratio(subject, floor),
      digits(of.p50), digits(of.p99), digits(of.statements), server ? digits(of.serverUs) : '',
      digits(of.databaseUs), digits(of.loadUs), server ? digits(of.memory) : '',
    ];
  });
  return `**${query}**: ${QUERIES[query].asks}\n\n${table(head, rows)}`;
}

/** Counters must be unchanged: each follow was undone, and none was lost. */
async function check() {
  await entourage('check');
  const [[wrong]] = sql(`
    SELECT count(*) FROM peers.users u
    LEFT JOIN (SELECT followee_id AS id, count(*) AS n FROM peers.follows GROUP BY 1) a USING (id)
    LEFT JOIN (SELECT follower_id AS id, count(*) AS n FROM peers.follows GROUP BY 1) b USING (id)
    WHERE u.follower_count <> coalesce(a.n, 0) OR u.following_count <> coalesce(b.n, 0)`);
  if (wrong !== '0') throw new Error(`${wrong} users of the peers have wrong counts`);
}

async function main() {
  const chosen = options();
  await makeGraph(chosen.users, chosen.follows);
  await sqlFile(here('tables.sql'));
  const asked = await Asked.load();
  const subjects = await start();

  const results = {};
  for (let round = 0; round < chosen.rounds; round += 1) {
    for (const query of chosen.queries) {
      progress(`round ${round + 1} of ${chosen.rounds}: ${query}`);
      const { writes } = QUERIES[query];
      const measured = subjects.filter(({ onlyReads }) => !(writes && onlyReads));
      await compare(query, measured, asked);
      // Each round starts with another server.
      const from = round % measured.length;
      for (const subject of [...measured.slice(from), ...measured.slice(0, from)]) {
        const result = await once(query, subject, asked, chosen);
        ((results[query] ??= {})[subject.name] ??= []).push(result);
      }
      if (writes) {
        await sleep(SETTLE_MS);
        await sqlFile(here('settle.sql'));
      }
    }
  }
  for (const { server } of subjects) await server?.stop();
  await check();

  const all = Object.values(results).flatMap((of) => Object.values(of).flat());
  const { others } = medians(all);
  const text = [
    `${machine()}. ${chosen.users} users, ${chosen.follows} follows; medians of ${chosen.rounds} `
      + `rounds of ${chosen.seconds} s; ${chosen.readers} connections to read, ${chosen.writers} `
      + `to write. Meanwhile other work took ${digits(others)} cores.`,
    ...chosen.queries.map((query) => report(query, subjects, results)),
  ].join('\n\n');
  publish('peers', text, { chosen, results }, chosen);
}

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
