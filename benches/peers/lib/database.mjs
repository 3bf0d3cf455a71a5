// The PostgreSQL of the run, which `tests/postgres.sh` has started, and the graph in it.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const server = new URL(process.env.TEST_POSTGRES_URL ?? fail('start this with benches/peers/run.sh'));
const binaries = process.env.TEST_POSTGRES_BINARIES ?? '';
/** The database that everything is in. Each server signs in as a role of its own. */
const DATABASE = 'bench';
const ENTOURAGE = process.env.ENTOURAGE ?? 'target/release/entourage';
/** The key that our tokens are signed with. */
export const SECRET = 'the key of the benchmark, that is no secret';

function fail(message) {
  throw new Error(message);
}

export function program(name) {
  return join(binaries, name);
}

export function urlOf(role) {
  const url = new URL(server);
  url.username = role;
  url.pathname = DATABASE;
  return url.href;
}

function psql(database, options) {
  const url = new URL(server);
  url.pathname = database;
  const always = ['-XqAt', '-F', '\t', '-v', 'ON_ERROR_STOP=1', url.href];
  // A failure has said on stderr what it is.
  const stdio = ['ignore', 'pipe', 'inherit'];
  return execFileSync(program('psql'), [...always, ...options], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio,
  });
}

/** The rows that a statement gives, each a list of text. */
export function sql(statement, database = DATABASE) {
  const lines = psql(database, ['-c', statement]).split('\n');
  return lines.filter((line) => line !== '').map((line) => line.split('\t'));
}

export function sqlFile(path) {
  psql(DATABASE, ['-f', path]);
}

/** What `entourage` needs to know of the run. */
export function environment(more = {}) {
  return {
    ...process.env,
    DATABASE_URL: urlOf('entourage'),
    ENTOURAGE_JWT_SECRET: SECRET,
    ENTOURAGE_RATE_LIMITS: 'off', // one address asks for everything here
    RUST_LOG: 'error',
    ...more,
  };
}

/** The path of our binary. */
export const binary = ENTOURAGE;

/** Runs a command of our binary, and gives what it prints. */
export function entourage(...options) {
  return execFileSync(ENTOURAGE, options, {
    encoding: 'utf8',
    env: environment(),
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
}

/** Makes the database, with our tables, empty. */
export function makeDatabase() {
  sql('CREATE EXTENSION IF NOT EXISTS pg_stat_statements', 'postgres');
  sql('CREATE ROLE entourage LOGIN', 'postgres');
  sql(`CREATE DATABASE ${DATABASE} OWNER entourage`, 'postgres');
  entourage('migrate');
}

/** Makes the database, with a graph like those that people make: always the same one. */
export function makeGraph(users, follows) {
  makeDatabase();
  const told = entourage('seed', '--users', String(users), '--follows', String(follows));
  process.stderr.write(`${told}\n`);
}

/** A bearer token for each user, in order. */
export function tokens(usernames) {
  return entourage('token', '--ttl', '1d', ...usernames).split('\n');
}

/** How many statements servers have run since `forgetStatements`, and how many pages they read. */
export function statements() {
  const [[calls, blocks]] = sql(
    `SELECT coalesce(sum(calls), 0), coalesce(sum(shared_blks_hit + shared_blks_read), 0)
     FROM pg_stat_statements JOIN pg_roles ON oid = userid WHERE rolname <> 'postgres'`,
    'postgres',
  );
  return { calls: Number(calls), blocks: Number(blocks) };
}

export function forgetStatements() {
  sql('SELECT pg_stat_statements_reset()', 'postgres');
}

/** The first process of the server, which is the parent of all others. */
export function postmaster() {
  return Number(sql("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)")[0][0]);
}
