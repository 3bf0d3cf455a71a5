// The PostgreSQL of the run, started by `tests/postgres.sh`, and its graph.

import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** The database of the run. Each server has its own role. */
const DATABASE = 'bench';
/** The key that our tokens are signed with. */
const SECRET = 'the key of the benchmark, that is no secret';
const OUTPUT_MAX = 1 << 28;

const { TEST_POSTGRES_URL: server, TEST_POSTGRES_BINARIES: binaries } = process.env;
if (!server || !binaries) throw new Error('start this with benches/peers/run.sh');
/** The path of our binary. */
export const binary = process.env.ENTOURAGE ?? 'target/release/entourage';

/** The path of one of PostgreSQL's programs. */
export function program(name) {
  return join(binaries, name);
}

/** The URL of the database for a role. */
export function urlOf(role) {
  const url = new URL(server);
  url.username = role;
  url.pathname = DATABASE;
  return url.href;
}

function psql(database, ...options) {
  const url = new URL(server);
  url.pathname = database;
  return ['-XqAt', '-F', '\t', '-v', 'ON_ERROR_STOP=1', url.href, ...options];
}

/** The rows of a short statement, each a list of text. */
export function sql(statement, database = DATABASE) {
  const options = { encoding: 'utf8', maxBuffer: OUTPUT_MAX, stdio: ['ignore', 'pipe', 'pipe'] };
  const output = execFileSync(program('psql'), psql(database, '-c', statement), options);
  return output.split('\n').filter((line) => line !== '').map((line) => line.split('\t'));
}

/** Runs the statements of a file. */
export async function sqlFile(path) {
  await run(program('psql'), psql(DATABASE, '-f', path));
}

/** The environment of `entourage`. */
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

/** Runs a command of our binary and returns its output. */
export async function entourage(...options) {
  const { stdout } = await run(binary, options, { env: environment(), maxBuffer: OUTPUT_MAX });
  return stdout.trim();
}

/** Creates the database with a reproducible, realistic graph. */
export async function makeGraph(users, follows) {
  sql('CREATE EXTENSION IF NOT EXISTS pg_stat_statements', 'postgres');
  sql('CREATE ROLE entourage LOGIN', 'postgres');
  sql(`CREATE DATABASE ${DATABASE} OWNER entourage`, 'postgres');
  await entourage('migrate');
  const output = await entourage('seed', '--users', String(users), '--follows', String(follows));
  process.stderr.write(`${output}\n`);
}

/** A bearer token for each user, in order. */
export async function tokens(usernames) {
  const output = await entourage('token', '--ttl', '1d', ...usernames);
  return output.split('\n');
}

/** The statements that servers have run since `forgetStatements`, and the pages that they read. */
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
