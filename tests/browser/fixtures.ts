import AxeBuilder from "@axe-core/playwright";
import { test as base, expect, type Page, type Request, type Route } from "@playwright/test";
import { Server } from "./server";

/** Records what a page must never do; checked at the end of the test. */
class Conduct {
  readonly faults: string[] = [];
  /** Every request for `/graphql`, in order. */
  readonly operations: string[] = [];
  /** Console lines that the test expects. */
  private readonly expected: RegExp[] = [];

  constructor(page: Page, origin: string) {
    page.on("console", (message) => this.fault(`console ${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => this.fault(`uncaught: ${error.message}`));
    page.on("request", (request) => this.request(request, origin));
  }

  /** Allows one kind of line, such as the browser's own about a refused request. */
  expect(line: RegExp): void {
    this.expected.push(line);
  }

  private fault(line: string): void {
    if (!this.expected.some((expected) => expected.test(line))) {
      this.faults.push(line);
    }
  }

  private request(request: Request, origin: string): void {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && url.protocol !== "blob:" && url.origin !== origin) {
      this.fault(`request to another origin: ${request.url()}`);
    }
    if (url.pathname.endsWith("/graphql") && request.method() === "POST") {
      this.operations.push(request.postDataJSON().operationName);
    }
  }
}

type Fixtures = {
  server: Server;
  /** Watches the page: no line on the console, no request elsewhere, no violation of its policy. */
  conduct: Conduct;
};

export const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names from the pattern.
  server: async ({}, use) => {
    const server = await Server.start();
    await use(server);
    await server.stop();
  },
  baseURL: async ({ server }, use) => use(server.origin),
  conduct: [
    async ({ page, server }, use) => {
      const conduct = new Conduct(page, new URL(server.origin).origin);
      // The console reports a violation too; this one names the directive.
      await page.addInitScript(() => {
        document.addEventListener("securitypolicyviolation", (event) => {
          console.error(`violates ${event.violatedDirective}: ${event.blockedURI}`);
        });
      });
      await use(conduct);
      expect(conduct.faults).toEqual([]);
    },
    { auto: true },
  ],
});

/** Fails on what axe finds, except for rules that third-party code breaks. */
export async function expectAccessible(page: Page, others: string[] = []): Promise<void> {
  // What still fades in has less contrast than it will have.
  await page.evaluate(async () => {
    const ends = document
      .getAnimations()
      .filter((a) => a.effect?.getComputedTiming().endTime !== Infinity);
    await Promise.allSettled(ends.map((animation) => animation.finished));
  });
  const { violations } = await new AxeBuilder({ page }).disableRules(others).analyze();
  const findings = violations.map(
    ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(" ")}`,
  );
  expect(findings).toEqual([]);
}

/** Fails if something is wider than the window. */
export async function expectToFit(page: Page, name: string): Promise<void> {
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  expect(overflow, `${name} is too wide`).toBeLessThanOrEqual(0);
}

/** The storage key of the token: tests that are not about sign-in start signed in. */
export async function signedInAs(page: Page, server: Server, username: string): Promise<void> {
  const token = await server.token(username);
  await page.addInitScript((token) => {
    if (!sessionStorage.getItem("visited")) {
      sessionStorage.setItem("visited", "yes");
      sessionStorage.setItem("entourage.token", token);
    }
  }, token);
}

/** Whether a request asks for the operation. */
export const asksFor = (operation: string) => (request: Request) =>
  request.postDataJSON()?.operationName === operation;

/** Answers one operation in place of the server, which still answers all others. */
export async function intercept(
  page: Page,
  operation: string,
  answer: (route: Route) => Promise<void>,
): Promise<void> {
  const isAnswered = asksFor(operation);
  await page.route("**/graphql", (route) =>
    isAnswered(route.request()) ? answer(route) : route.continue(),
  );
}

/** Ends each connection of the page, as a proxy without WebSockets does. */
export async function withoutStream(page: Page): Promise<void> {
  await page.routeWebSocket(/\/graphql$/, (socket) => socket.close({ code: 1011 }));
}

export { expect };
