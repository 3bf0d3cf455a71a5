import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** The binary under test, the same as in the other tests. */
const BINARY =
  process.env.ENTOURAGE ?? fileURLToPath(new URL("../../target/debug/entourage", import.meta.url));

/** How long a server may take to print its address, on a busy machine. */
const START_TIMEOUT_MS = 60_000;

const DATABASE = "sqlite://entourage.db";

/** A server with the demo graph, its own database and its own port. */
export class Server {
  private constructor(
    /** Its origin, and its path below that if it has one. */
    readonly origin: string,
    private child: ChildProcessWithoutNullStreams,
    private readonly folder: string,
    private readonly environment: Record<string, string>,
  ) {}

  /** Starts one and waits until it prints its address. */
  static async start(environment: Record<string, string> = {}): Promise<Server> {
    const folder = await mkdtemp(join(tmpdir(), "entourage-browser-"));
    try {
      const { child, origin } = await run(folder, "127.0.0.1:0", environment);
      return new Server(origin, child, folder, environment);
    } catch (error) {
      await rm(folder, { recursive: true });
      throw error;
    }
  }

  /** Ends the process and its connections; the address and the data stay. */
  async halt(): Promise<void> {
    if (this.child.exitCode === null) {
      this.child.kill("SIGTERM");
      await once(this.child, "exit");
    }
  }

  /** Starts the process again after `halt`. */
  async resume(): Promise<void> {
    const { host } = new URL(this.origin);
    const { child } = await run(this.folder, host, this.environment);
    this.child = child;
  }

  /** The data of an operation that a test sends without a page. */
  async ask<Data>(query: string, token?: string): Promise<Data> {
    const reply = await fetch(`${this.origin}/graphql`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ query }),
    });
    const { data, errors } = (await reply.json()) as { data: Data; errors?: unknown };
    if (errors) {
      throw new Error(JSON.stringify(errors));
    }
    return data;
  }

  /** A bearer token of an account of the demo graph. */
  async token(username: string): Promise<string> {
    const { signIn } = await this.ask<{ signIn: { token: string } }>(
      `mutation { signIn(input: {username: "${username}", password: "entourage"}) { token } }`,
    );
    return signIn.token;
  }

  /** Whether the server no longer accepts a token. */
  async refuses(token: string): Promise<boolean> {
    const reply = await fetch(`${this.origin}/graphql?query={__typename}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    return reply.status === 401;
  }

  /** What the operator's command prints. */
  async operate(...command: string[]): Promise<string> {
    const options = { cwd: this.folder, env: { DATABASE_URL: DATABASE } };
    const { stdout } = await promisify(execFile)(BINARY, command, options);
    return stdout.trim();
  }

  async stop(): Promise<void> {
    await this.halt();
    await rm(this.folder, { recursive: true });
  }
}

/** Runs the binary and waits until it prints its address. */
async function run(folder: string, address: string, environment: Record<string, string>) {
  const child = spawn(BINARY, ["serve", "--demo", "--listen", address], {
    cwd: folder,
    env: { RUST_LOG: "warn", ...environment, DATABASE_URL: DATABASE },
  });
  // If the binary cannot be run, its output ends at once, and the error below has the cause.
  let log = "";
  child.on("error", (error) => {
    log += error.message;
  });
  child.stderr.on("data", (chunk) => {
    log += chunk;
  });

  const deadline = setTimeout(() => child.kill("SIGKILL"), START_TIMEOUT_MS);
  for await (const line of createInterface(child.stdout)) {
    const origin = /GraphQL\s+(http:\/\/\S+)\/graphql$/.exec(line)?.[1];
    if (origin) {
      clearTimeout(deadline);
      child.stdout.resume();
      return { child, origin };
    }
  }
  clearTimeout(deadline);
  throw new Error(`the server does not start:\n${log}`);
}
