// Servers, each in its own process group, and the CPU and memory of processes.

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
/** The log file of the servers. */
const LOGS = 'target/bench';
const START_MAX_MS = 60_000;
const STOP_MAX_MS = 5_000;

const running = new Set();
process.on('exit', () => {
  for (const server of running) server.kill('SIGKILL');
});
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]]) {
  process.on(signal, () => process.exit(code));
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null; // the process has ended
  }
}

/** A process according to /proc: its parent, its CPU time and that of exited children. */
function stat(pid) {
  const text = read(`/proc/${pid}/stat`);
  if (text === null) return null;
  const [, parent, ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [user, system, childUser, childSystem] = rest.slice(9, 13).map(Number);
  return {
    parent: Number(parent),
    own: (user + system) / TICKS,
    children: (childUser + childSystem) / TICKS,
  };
}

/** A process and all its descendants. */
function family(root) {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const stats = new Map(all.map((pid) => [Number(pid), stat(pid)]));
  const members = [root];
  for (const member of members) {
    for (const [pid, known] of stats) if (known?.parent === member) members.push(pid);
  }
  return members.map((pid) => [pid, stats.get(pid)]).filter(([, known]) => known);
}

/** CPU seconds of a process and its descendants, exited ones included. */
export function cpu(root) {
  const members = family(root);
  return members.reduce((sum, [, { own, children }]) => sum + own + children, 0);
}

/** CPU seconds of the commands that this process has run. */
export function cpuOfCommands() {
  return stat(process.pid).children;
}

/** Busy CPU seconds of the whole machine. */
export function cpuOfMachine() {
  const [line] = readFileSync('/proc/stat', 'utf8').split('\n');
  const [user, nice, system, , , interrupt, softInterrupt, stolen] =
    line.split(/\s+/).slice(1).map(Number);
  return (user + nice + system + interrupt + softInterrupt + stolen) / TICKS;
}

/** Memory in MB of a process and its descendants; shared memory counts once. */
export function memory(root) {
  const kilobytes = family(root).map(([pid]) => {
    const found = read(`/proc/${pid}/smaps_rollup`)?.match(/^Pss:\s+(\d+)/m);
    return Number(found?.[1] ?? 0);
  });
  return kilobytes.reduce((sum, of) => sum + of, 0) / 1024;
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => resolve(false)).on('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** A free port. */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().on('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** A server that listens on a port of loopback. */
export class Server {
  /** Starts it on a free port and waits until it accepts connections. */
  static async start(name, [command, ...options], environmentFor) {
    const port = await freePort();
    const env = environmentFor(port);
    mkdirSync(LOGS, { recursive: true });
    const log = `${LOGS}/${name.replace(/\W+/g, '-')}.log`;
    const file = openSync(log, 'w');
    const stdio = ['ignore', file, file];
    const server = new Server(name, port, spawn(command, options, { detached: true, env, stdio }));

    const begin = performance.now();
    while (!(await accepts(port))) {
      if (server.ended || performance.now() - begin > START_MAX_MS) {
        throw new Error(`${name} does not start: see ${log}`);
      }
      await sleep(2);
    }
    server.startMs = performance.now() - begin;
    return server;
  }

  constructor(name, port, child) {
    this.name = name;
    this.url = `http://127.0.0.1:${port}/graphql`;
    this.pid = child.pid;
    this.ended = false;
    this.end = new Promise((resolve) => child.on('exit', resolve).on('error', resolve));
    this.end.then(() => {
      this.ended = true;
      running.delete(this);
    });
    running.add(this);
  }

  kill(signal) {
    try {
      process.kill(-this.pid, signal);
    } catch {
      // It has exited by itself.
    }
  }

  async stop() {
    this.kill('SIGTERM');
    await Promise.race([this.end, sleep(STOP_MAX_MS, undefined, { ref: false })]);
    this.kill('SIGKILL');
    await this.end;
  }
}
