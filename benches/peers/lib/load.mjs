// Load: wrk for a server, pgbench for the bare database. Both keep a number of requests in flight.

import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { forgetStatements, postmaster, program, statements, urlOf } from './database.mjs';
import { cpu, cpuOfCommands, cpuOfMachine, memory } from './process.mjs';

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL('load.lua', import.meta.url));

/** Runs a function with a temporary folder. */
async function inFolder(work) {
  const folder = mkdtempSync(join(tmpdir(), 'entourage-bench.'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Sends these requests to a server in turn, over a number of connections. */
export function wrk(url, requests, connections, seconds) {
  return inFolder(async (folder) => {
    const file = join(folder, 'requests');
    const line = ({ header = ['', ''], body }) => [...header, body].join('\t');
    writeFileSync(file, `${requests.map(line).join('\n')}\n`);
    const options = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', SCRIPT];
    const { stdout } = await run('wrk', [...options, url, '--', file]);
    return JSON.parse(stdout.match(/^RESULT (.*)$/m)[1]);
  });
}

/** Repeats a prepared SQL script with variables on a number of connections. */
export function pgbench(script, variables, connections, seconds) {
  return inFolder(async (folder) => {
    const load = ['-n', '-M', 'prepared', '-j1', `-c${connections}`, `-T${seconds}`, '-f', script];
    const log = ['-l', `--log-prefix=${join(folder, 'log')}`];
    const defined = Object.entries(variables).map(([name, value]) => `-D${name}=${value}`);
    const { stdout } = await run(program('pgbench'), [...load, ...log, ...defined, urlOf('floor')]);
    const lines = readdirSync(folder).flatMap((name) =>
      readFileSync(join(folder, name), 'utf8').trimEnd().split('\n'));
    const times = lines.map((line) => Number(line.split(' ')[2]) / 1000).sort((a, b) => a - b);
    const perSecond = Number(stdout.match(/tps = ([\d.]+)/)[1]);
    return {
      requests: times.length,
      seconds: times.length / perSecond,
      errors: Number(stdout.match(/failed transactions: (\d+)/)?.[1] ?? 0),
      p50: times[Math.floor(times.length * 0.5)],
      p99: times[Math.floor(times.length * 0.99)],
    };
  });
}

/**
 * Measures a load: latencies in milliseconds, CPU in microseconds per request. `pid` is the first
 * process of the server, if there is one besides the database.
 */
export async function measure(load, pid) {
  const database = postmaster();
  const used = () => ({
    server: pid ? cpu(pid) : 0,
    database: cpu(database),
    load: cpuOfCommands(),
    machine: cpuOfMachine(),
  });

  forgetStatements();
  const begin = performance.now();
  const before = used();
  const result = await load();
  const after = used();
  const seconds = (performance.now() - begin) / 1000;
  const { calls, blocks } = statements();

  const of = (who) => after[who] - before[who];
  const { requests } = result;
  return {
    ...result,
    perSecond: requests / result.seconds,
    statements: calls / requests,
    blocks: blocks / requests,
    serverUs: (of('server') / requests) * 1e6,
    databaseUs: (of('database') / requests) * 1e6,
    loadUs: (of('load') / requests) * 1e6,
    // The number of cores that other work kept busy meanwhile.
    others: Math.max(0, of('machine') - of('server') - of('database') - of('load')) / seconds,
    memory: pid ? memory(pid) : 0,
  };
}
