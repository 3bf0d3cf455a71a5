/** What changes on a page while one looks at it. */
import type { Page } from "@playwright/test";
import { expect, expectAccessible, expectToFit, signedInAs, test, withoutStream } from "./fixtures";
import type { Server } from "./server";

const FOLDER = "../../target/screenshots";

const news = (page: Page) => page.getByRole("log", { name: "News" }).getByRole("paragraph");
const banner = (page: Page) => page.getByRole("banner");
const rows = (page: Page) => page.getByRole("row");
const heading = (page: Page) => page.getByRole("heading", { level: 1 });

const follow = (username: string) => `follow(input: {user: {username: "${username}"}}) { outcome }`;
const unfollow = (username: string) =>
  `unfollow(input: {user: {username: "${username}"}}) { outcome }`;
const PRIVATE = "updatePrivacy(input: {isPrivate: true}) { viewer { id } }";

/** Sends mutations as a user of the demo graph. In it nobody follows emily. */
async function send(server: Server, username: string, ...mutations: string[]): Promise<void> {
  const fields = mutations.map((mutation, index) => `m${index}: ${mutation}`);
  await server.ask(`mutation { ${fields.join(" ")} }`, await server.token(username));
}

test("counts, list and label change, and a notice tells who", async ({ page, server, browser }) => {
  await signedInAs(page, server, "emily");
  await page.goto("/users/emily");
  await expect(page.getByRole("link", { name: "0 followers" })).toBeVisible();

  await test.step("the count of one's profile", async () => {
    const context = await browser.newContext({ baseURL: server.origin });
    const other = await context.newPage();
    await signedInAs(other, server, "ada");
    await other.goto("/users/emily");
    await other.getByRole("button", { name: "Follow Emily Dickinson" }).click();
    await expect(page.getByRole("link", { name: "1 follower" })).toBeVisible();
    await expect(news(page)).toHaveText("Ada Lovelace follows you");
    await expect(news(other)).toHaveCount(0);
    await context.close();
  });

  await test.step("the list of followers", async () => {
    await page.getByRole("link", { name: "1 follower" }).click();
    await expect(rows(page)).toHaveCount(2);
    await send(server, "isaac", follow("emily"));
    await expect(rows(page)).toHaveCount(3);
    await expect(rows(page).nth(1)).toContainText("isaac");
    await expect(page.getByRole("link", { name: "2 followers" })).toBeVisible();
    await expect(news(page).last()).toHaveText("Isaac Newton follows you");
  });

  await test.step("the profile of the follower", async () => {
    await page.goto("/users/jane");
    await expect(heading(page)).toHaveText("Jane Austen");
    await expect(page.getByText("Follows you", { exact: true })).toHaveCount(0);
    await send(server, "jane", follow("emily"));
    await expect(page.getByText("Follows you", { exact: true })).toBeVisible();
  });

  await page.getByRole("button", { name: "Dismiss: Jane Austen follows you" }).click();
  await expect(news(page)).toHaveCount(0);
  await expect(heading(page)).toBeFocused();
});

test("a notice leads to the user, and leaves by itself", async ({ page, server }) => {
  await page.clock.install();
  await signedInAs(page, server, "emily");
  await page.goto("/");
  await expect(page.getByRole("link", { name: "Ada Lovelace" })).toBeVisible();
  await send(server, "ada", follow("emily"));
  await expect(news(page)).toHaveText("Ada Lovelace follows you");
  await news(page).getByRole("link").click();
  await expect(page).toHaveURL("/users/ada");
  await expect(page.getByText("Follows you", { exact: true })).toBeVisible();
  await expect(news(page)).toHaveCount(0);

  await send(server, "isaac", follow("emily"));
  await expect(news(page)).toHaveText("Isaac Newton follows you");
  await news(page).getByRole("link").focus();
  await page.clock.fastForward("00:30");
  await expect(news(page)).toBeVisible();
  await heading(page).focus();
  await page.mouse.move(0, 0);
  await page.clock.fastForward("00:30");
  await expect(news(page)).toHaveCount(0);
});

test("a request raises the badge and is in the list", async ({ page, server }) => {
  await send(server, "emily", PRIVATE);
  await signedInAs(page, server, "emily");
  await page.goto("/");
  await expect(page.getByRole("link", { name: "Ada Lovelace" })).toBeVisible();
  await expect(banner(page).getByRole("link", { name: /request/ })).toHaveCount(0);
  await send(server, "ada", follow("emily"));
  await expect(news(page)).toHaveText("Ada Lovelace asks to follow you");
  const badge = banner(page).getByRole("link", { name: "1 follow request" });
  await expect(badge).toBeVisible();

  await badge.click();
  await expect(page).toHaveURL("/requests");
  await expect(rows(page)).toHaveCount(2);
  await send(server, "isaac", follow("emily"));
  await expect(rows(page)).toHaveCount(3);
  await expect(rows(page).nth(1)).toContainText("isaac");
  await expect(banner(page).getByRole("link", { name: "2 follow requests" })).toBeVisible();

  // A withdrawn request is gone without a notice, and one that comes again has none either.
  await send(server, "isaac", unfollow("emily"));
  await expect(rows(page)).toHaveCount(2);
  await expect(badge).toBeVisible();
});

test("an accepted request shows the list that it opens", async ({ page, server }) => {
  await send(server, "ada", PRIVATE);
  await send(server, "emily", follow("ada"));
  await signedInAs(page, server, "emily");
  await page.goto("/users/ada/followers");
  await expect(page.getByText(/^Follow ada to see this list/)).toBeVisible();
  await send(server, "ada", 'acceptFollowRequest(input: {user: {username: "emily"}}) { outcome }');
  await expect(news(page)).toHaveText("Ada Lovelace accepted your request");
  await expect(page.getByRole("button", { name: "Unfollow Ada Lovelace" })).toBeVisible();
  await expect(rows(page).nth(1)).toContainText("emily");
});

test("a second tab shows what the first one does", async ({ page, server, context }) => {
  await send(server, "ada", follow("emily"));
  await signedInAs(page, server, "emily");
  await page.goto("/users/emily/followers");
  await expect(rows(page)).toHaveCount(2);

  const second = await context.newPage();
  await second.goto(`${server.origin}/users/emily`);
  await expect(second.getByRole("link", { name: "1 follower" })).toBeVisible();
  await expect(banner(second)).toContainText("emily");

  await page.getByRole("button", { name: "More about Ada Lovelace" }).click();
  await page.getByRole("menuitem", { name: "Remove follower" }).click();
  await expect(page.getByRole("status")).toContainText("Ada Lovelace no longer follows you.");
  await expect(second.getByRole("link", { name: "0 followers" })).toBeVisible();

  await send(server, "isaac", follow("emily"));
  for (const tab of [page, second]) {
    await expect(news(tab)).toHaveText("Isaac Newton follows you");
    await expect(tab.getByRole("link", { name: "1 follower" })).toBeVisible();
  }
});

test("a change in this tab sends no query more", async ({ page, server, conduct }) => {
  await send(server, "ada", follow("emily"));
  await send(server, "isaac", follow("emily"));
  await signedInAs(page, server, "emily");
  const socket = page.waitForEvent("websocket");
  await page.goto("/users/emily/followers");
  await expect(rows(page)).toHaveCount(3);
  const event = (await socket).waitForEvent("framereceived", {
    predicate: ({ payload }) => String(payload).includes("FOLLOWER_REMOVED"),
  });
  conduct.operations.length = 0;
  await page.getByRole("button", { name: "More about Ada Lovelace" }).click();
  await page.getByRole("menuitem", { name: "Remove follower" }).click();
  await expect(rows(page)).toHaveCount(2);
  await event;

  // The next event of another user comes after it.
  await send(server, "jane", follow("emily"));
  await expect(news(page)).toHaveText("Jane Austen follows you");
  await expect(rows(page)).toHaveCount(3);
  expect(conduct.operations).toEqual([
    "RemoveFollower",
    "FollowersPage",
    "Arrivals",
    "FollowersPage",
  ]);
});

test("sign-out ends the stream", async ({ page, server }) => {
  await signedInAs(page, server, "emily");
  const opened = page.waitForEvent("websocket");
  await page.goto("/");
  const socket = await opened;
  expect(new URL(socket.url()).pathname).toBe("/graphql");
  const closed = socket.waitForEvent("close");
  await page.getByRole("button", { name: "Sign out" }).click();
  await closed;
  await expect(banner(page).getByRole("link", { name: "Sign in" })).toBeVisible();
});

test("after a restart of the server nothing is missing", async ({ page, server, conduct }) => {
  // The browser logs every attempt to connect in the meantime.
  conduct.expect(/WebSocket connection to .* failed/);
  await signedInAs(page, server, "emily");
  const first = page.waitForEvent("websocket");
  await page.goto("/users/emily/followers");
  await expect(page.getByText("Nobody follows emily yet.")).toBeVisible();
  const closed = (await first).waitForEvent("close");

  await server.halt();
  await closed;
  await server.resume();
  await send(server, "ada", follow("emily"));
  await expect(news(page)).toHaveText("Ada Lovelace follows you");
  await expect(rows(page)).toHaveCount(2);
  await expect(page.getByRole("link", { name: "1 follower" })).toBeVisible();
});

test("without a stream the app works", async ({ page, server }) => {
  await withoutStream(page);
  await signedInAs(page, server, "emily");
  await page.goto("/users/ada");
  await page.getByRole("button", { name: "Follow Ada Lovelace" }).click();
  await expect(page.getByRole("link", { name: "25 followers" })).toBeVisible();
  await expect(page.getByRole("status")).toContainText("You are now following Ada Lovelace");
  await expect(page.getByRole("alert")).toHaveText("");
});

test("events that are gone make the page read everything again", async ({ page, server }) => {
  let isExpired = false;
  await page.routeWebSocket(/\/graphql$/, (socket) => {
    const upstream = socket.connectToServer();
    socket.onMessage((message) => {
      const { id, type } = JSON.parse(String(message));
      if (type !== "subscribe" || isExpired) {
        upstream.send(message);
        return;
      }
      isExpired = true;
      const after = JSON.parse(String(message)).payload.variables.after;
      const extensions = { code: "EVENTS_EXPIRED", oldestCursor: after };
      const payload = [{ message: "The log no longer has what follows.", extensions }];
      send(server, "ada", follow("emily")).then(() =>
        socket.send(JSON.stringify({ id, type: "error", payload })),
      );
    });
  });
  await signedInAs(page, server, "emily");
  await page.goto("/users/emily");
  await expect(page.getByRole("link", { name: "1 follower" })).toBeVisible();
  await expect(news(page)).toHaveText("Ada Lovelace follows you");
});

test("events that come together are one notice, and repeats none", async ({ page, server }) => {
  const held: string[] = [];
  let count = 0;
  await page.routeWebSocket(/\/graphql$/, (socket) => {
    socket.connectToServer().onMessage((message) => {
      held.push(String(message));
      count += JSON.parse(String(message)).type === "next" ? 1 : 0;
      // The first three events pass together.
      if (count === 0 || count >= 3) {
        for (const text of held.splice(0)) {
          socket.send(text);
        }
      }
    });
  });
  await signedInAs(page, server, "emily");
  await page.goto("/users/emily/followers");
  await expect(page.getByText("Nobody follows emily yet.")).toBeVisible();
  for (const username of ["ada", "isaac", "jane"]) {
    await send(server, username, follow("emily"));
  }
  await expect(news(page)).toHaveText("Ada Lovelace and 2 others follow you");
  await expect(rows(page)).toHaveCount(4);

  await send(server, "ada", unfollow("emily"), follow("emily"));
  await expect(rows(page).nth(1)).toContainText("ada");
  await expect(news(page)).toHaveText("Ada Lovelace and 2 others follow you");
});

test("the end of a session reaches a page that nobody touches", async ({
  page,
  server,
  conduct,
}) => {
  // The browser logs every reply with that status.
  conduct.expect(/status of 401/);
  let close = () => {};
  let acknowledge = () => {};
  const acknowledged = new Promise<void>((resolve) => {
    acknowledge = resolve;
  });
  await page.routeWebSocket(/\/graphql$/, (socket) => {
    socket.connectToServer().onMessage((message) => {
      socket.send(message);
      acknowledge();
    });
    // The server looks a session up again every half a minute.
    close = () => socket.close({ code: 4403, reason: "Forbidden" });
  });
  await signedInAs(page, server, "emily");
  await page.goto("/users/ada");
  await expect(banner(page)).toContainText("emily");
  await send(server, "emily", "signOutEverywhere { userErrors { code } }");
  // The browser warns of a connection that is closed while it is opened.
  await acknowledged;
  close();
  await expect(page.getByRole("alert")).toHaveText(/^Your session has ended/);
  await expect(banner(page).getByRole("link", { name: "Sign in" })).toBeVisible();
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const width of [1440, 360]) {
    test(`axe finds nothing in notices, ${colorScheme}, ${width} pixels`, async ({
      page,
      server,
    }) => {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize({ width, height: 900 });
      await signedInAs(page, server, "emily");
      await page.goto("/users/ada/followers");
      await expect(rows(page)).toHaveCount(11);
      await page.getByRole("button", { name: "Follow Alan Turing" }).click();
      await send(server, "ada", follow("emily"));
      await expect(news(page)).toHaveText("Ada Lovelace follows you");
      await expect(page.getByRole("status")).toContainText("You are now following Alan Turing");
      await expectAccessible(page);
      await expectToFit(page, "notices");
      await page.screenshot({ path: `${FOLDER}/notices-${width}-${colorScheme}.png` });
    });
  }
}
