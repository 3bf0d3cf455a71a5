/** GraphiQL, with its sign-in bar. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import type { Page } from "@playwright/test";
import { expect, expectAccessible, signedInAs, test } from "./fixtures";

const bar = (page: Page) => page.getByRole("region", { name: "Session" });
const session = (page: Page) => bar(page).getByRole("status");

async function open(page: Page): Promise<void> {
  await page.goto("/graphiql");
  await expect(page.locator(".graphiql-query-editor .view-line").first()).toBeVisible();
}

/** Opens a tab and waits until its document is in the editor. */
async function openTab(page: Page, name: string): Promise<void> {
  await page.getByRole("tablist").getByRole("button", { name, exact: true }).click();
  await expect.poll(() => model(page, "operation.graphql")).toMatch(new RegExp(` ${name}\\b`));
}

/** The whole text of an editor; the DOM has only the visible part. */
async function model(page: Page, file: string): Promise<string> {
  return page.evaluate((file) => {
    type Model = { uri: { path: string }; getValue(): string };
    const { __MONACO } = window as unknown as {
      __MONACO?: { editor: { getModels(): Model[] } };
    };
    const model = __MONACO?.editor.getModels().find(({ uri }) => uri.path.endsWith(file));
    return model?.getValue() ?? "";
  }, file);
}

/** What the browser keeps beyond the tab. */
async function stored(page: Page): Promise<string> {
  return page.evaluate(() => JSON.stringify({ ...localStorage }).replaceAll('\\"', '"'));
}

/** Runs the operation in the editor and returns the answer. */
async function run(page: Page, name: string): Promise<string> {
  // The page sends other queries too, such as the one for the viewer.
  const answered = page.waitForResponse(
    (response) =>
      new URL(response.url()).pathname === "/graphql" &&
      response.request().postDataJSON()?.operationName === name,
  );
  await page.getByRole("button", { name: /^Execute query/ }).click();
  // The cost is shown beside the answer.
  const { extensions, ...answer } = await (await answered).json();
  expect(extensions?.cost ?? 1).toBeGreaterThan(0);
  await expect
    .poll(async () => {
      const shown = await model(page, "response.json");
      return shown === "" ? null : JSON.parse(shown);
    })
    .toEqual(answer);
  return JSON.stringify(answer.data ?? answer.errors);
}

test("every tab runs unchanged", async ({ page }) => {
  await open(page);
  await expect(page.getByRole("tablist").getByRole("tab").first()).toBeVisible();

  await openTab(page, "Profile");
  expect(await run(page, "Profile")).toContain('"username":"ada"');
  await openTab(page, "NestedLists");
  expect(await run(page, "NestedLists")).toContain('"followedAt"');
  await openTab(page, "Paging");
  expect(JSON.parse(await model(page, "variables.json"))).toMatchObject({ first: 5 });
  expect(await run(page, "Paging")).toContain('"hasNextPage":true');

  await openTab(page, "Follow");
  expect(await run(page, "Follow")).toContain("UNAUTHENTICATED");

  await openTab(page, "SignIn");
  expect(await run(page, "SignIn")).toContain('"token"');
  await expect(session(page)).toHaveText(/Signed in as emily/);
  await openTab(page, "Follow");
  expect(await run(page, "Follow")).toContain('"outcome":"FOLLOWED"');
  await openTab(page, "Unfollow");
  expect(await run(page, "Unfollow")).toContain('"outcome":"UNFOLLOWED"');

  for (const [name, part] of [
    ["UpdatePrivacy", '"isPrivate":true'],
    ["FollowRequests", '"totalCount":0'],
    ["AcceptFollowRequest", '"outcome":"NO_REQUEST"'],
    ["RejectFollowRequest", '"outcome":"NO_REQUEST"'],
    ["RemoveFollower", '"outcome":"NOT_A_FOLLOWER"'],
    ["Block", '"outcome":"BLOCKED"'],
    ["Unblock", '"outcome":"UNBLOCKED"'],
    ["Mute", '"outcome":"MUTED"'],
    ["Unmute", '"outcome":"UNMUTED"'],
    ["FollowEventsLog", '"kind":"FOLLOW_ENDED"'],
  ] as const) {
    await openTab(page, name);
    expect(await run(page, name)).toContain(part);
  }

  await openTab(page, "SignUp");
  expect(await run(page, "SignUp")).toContain('"token"');
  await expect(session(page)).toHaveText(/Signed in as newcomer/);
  await openTab(page, "UpdateProfile");
  expect(await run(page, "UpdateProfile")).toContain('"bio":"Just arrived."');
  await openTab(page, "ChangePassword");
  expect(await run(page, "ChangePassword")).toContain('"token"');
  await openTab(page, "DeleteAccount");
  expect(await run(page, "DeleteAccount")).toContain('"deletedUserId"');
});

test("a subscription shows each event until it is stopped", async ({ page, server }) => {
  const { viewer } = await server.ask<{ viewer: { latestEventCursor: string } }>(
    "{ viewer { latestEventCursor } }",
    await server.token("emily"),
  );
  const follow = 'mutation { follow(input: {user: {username: "emily"}}) { outcome } }';
  await server.ask(follow, await server.token("ada"));
  await signedInAs(page, server, "emily");
  const query = await readFile("../../playground/documents/follow-events.graphql", "utf8");
  const variables = JSON.stringify({ after: viewer.latestEventCursor });
  await page.goto(`/graphiql?${new URLSearchParams({ query, variables })}`);
  await expect.poll(() => model(page, "operation.graphql")).toBe(query);

  const opened = page.waitForEvent("websocket");
  await page.getByRole("button", { name: /^Execute query/ }).click();
  const socket = await opened;
  expect(new URL(socket.url()).pathname).toBe("/graphql");
  const shown = async () => JSON.parse((await model(page, "response.json")) || "null")?.data;
  const event = { kind: "FOLLOWED", isRepeat: false };
  await expect.poll(shown).toMatchObject({ followEvents: { ...event, user: { username: "ada" } } });
  await server.ask(follow, await server.token("isaac"));
  await expect
    .poll(shown)
    .toMatchObject({ followEvents: { ...event, user: { username: "isaac" } } });
  const closed = socket.waitForEvent("close");
  await page.getByRole("button", { name: /^Stop query/ }).click();
  await closed;

  await openTab(page, "FollowEventsLog");
  const log = JSON.parse(await run(page, "FollowEventsLog"));
  expect(log.viewer.followEvents.nodes).toMatchObject([
    { user: { username: "isaac" } },
    { user: { username: "ada" } },
  ]);
});

test("a subscription ends with the session", async ({ page, server }) => {
  await signedInAs(page, server, "emily");
  await open(page);
  await openTab(page, "FollowEvents");
  const opened = page.waitForEvent("websocket");
  await page.getByRole("button", { name: /^Execute query/ }).click();
  const closed = (await opened).waitForEvent("close");
  await bar(page).getByRole("button", { name: "Sign out" }).click();
  await closed;
  // The server's refusal is an answer.
  await page.getByRole("button", { name: /^Execute query/ }).click();
  await expect.poll(() => model(page, "response.json")).toContain("UNAUTHENTICATED");
});

test("the examples teach every mutation", async ({ page, server }) => {
  const { __type } = await server.ask<{ __type: { fields: { name: string }[] } }>(
    '{ __type(name: "Mutation") { fields { name } } }',
  );
  await open(page);
  for (const { name } of __type.fields) {
    const title = name.charAt(0).toUpperCase() + name.slice(1);
    await openTab(page, title);
    expect(await model(page, "operation.graphql")).toMatch(new RegExp(`^  ${name}\\b`, "m"));
  }
});

test("signing out everywhere ends the session of the page", async ({ page, conduct }) => {
  // The browser logs every reply with that status.
  conduct.expect(/status of 401/);
  await open(page);
  await openTab(page, "SignIn");
  await run(page, "SignIn");
  await expect(session(page)).toHaveText(/Signed in as emily/);
  await openTab(page, "SignOutEverywhere");
  expect(await run(page, "SignOutEverywhere")).toContain('"userErrors":[]');
  await openTab(page, "Profile");
  await page.getByRole("button", { name: /^Execute query/ }).click();
  await expect(session(page)).toHaveText("The server refused the token. You are signed out.");
});

test("an address opens its operation", async ({ page }) => {
  const query = "query Linked($name: String!) { user(username: $name) { username } }";
  const link = new URLSearchParams({ query, variables: '{"name":"alan"}' });
  // As for an API client; a browser is redirected.
  await page.goto(`/graphql?${link}`);
  // The address is gone, and with it whatever else was in it.
  await expect(page).toHaveURL("/graphiql");
  await expect.poll(() => model(page, "operation.graphql")).toBe(query);
  expect(JSON.parse(await model(page, "variables.json"))).toEqual({ name: "alan" });
  expect(await run(page, "Linked")).toContain('"username":"alan"');

  // It is a tab beside the others, and the same address opens the same tab again.
  const tabs = page.getByRole("tablist").getByRole("tab");
  const count = await tabs.count();
  expect(count).toBeGreaterThan(1);
  await openTab(page, "Paging");
  await expect.poll(() => stored(page)).toContain("Linked");
  await page.goto(`/graphiql?${link}`);
  await expect.poll(() => model(page, "operation.graphql")).toBe(query);
  await expect(tabs).toHaveCount(count);
  await page.reload();
  await expect.poll(() => model(page, "operation.graphql")).toBe(query);
  await expect(tabs).toHaveCount(count);
});

test("an address may contain what is not an operation", async ({ page }) => {
  await page.goto(
    `/graphiql?${new URLSearchParams({ query: "{ users(", variables: "{nonsense" })}`,
  );
  await expect.poll(() => model(page, "operation.graphql")).toBe("{ users(");
  expect(await model(page, "variables.json")).toBe("{nonsense");
});

test("the cost and the time of the answer are beside it", async ({ page }) => {
  await open(page);
  await openTab(page, "NestedLists");
  await run(page, "NestedLists");
  const price = page.locator(".graphiql-footer");
  await expect(price).toHaveText(/^Last answer: cost \d+, [\d,]+ ms$/);
  const { extensions } = await page.evaluate(
    async (query) => {
      const body = JSON.stringify({ query, extensions: { cost: true } });
      const headers = { "content-type": "application/json" };
      return (await fetch("/graphql", { method: "POST", headers, body })).json();
    },
    await model(page, "operation.graphql"),
  );
  await expect(price).toContainText(`cost ${extensions.cost},`);
  expect(await model(page, "response.json")).not.toContain("extensions");
});

test("an operation is copied as curl, without the token", async ({ page, server, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await signedInAs(page, server, "emily");
  const query =
    "query It_s($name: String!) { viewer { user { username } } user(username: $name) { name } }";
  const link = new URLSearchParams({ query: `# It's "quoted" $HOME\n${query}` });
  await page.goto(`/graphiql?${link}&variables={"name":"ada"}`);
  await expect.poll(() => model(page, "operation.graphql")).toContain(query);
  await page.getByRole("button", { name: "Copy as curl" }).click();
  await expect(session(page)).toHaveText("Copied as curl.");

  const command = await page.evaluate(() => navigator.clipboard.readText());
  const token = await page.evaluate(() => sessionStorage.getItem("entourage.token") ?? "");
  expect(command).not.toContain(token);
  const { stdout } = await promisify(execFile)("sh", ["-c", `${command} --silent`], {
    env: { ...process.env, TOKEN: token },
  });
  expect(JSON.parse(stdout)).toEqual({
    data: { viewer: { user: { username: "emily" } }, user: { name: "Ada Lovelace" } },
  });
});

test("a subscription is copied as curl that reads a stream", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await open(page);
  await openTab(page, "FollowEvents");
  await page.getByRole("button", { name: "Copy as curl" }).click();
  await expect(session(page)).toHaveText("Copied as curl.");
  const command = await page.evaluate(() => navigator.clipboard.readText());
  // Signed out it is refused, so the stream ends.
  const { stdout } = await promisify(execFile)("sh", ["-c", `${command} --silent`]);
  expect(stdout).toMatch(/^event: next\ndata: .*UNAUTHENTICATED/);
});

test("documents and history outlive the browser tab", async ({ page, context, server }) => {
  const link = new URLSearchParams({ query: "query Kept { viewer { permissions } }" });
  await page.goto(`/graphiql?${link}`);
  await expect.poll(() => model(page, "operation.graphql")).toContain("Kept");
  await run(page, "Kept");
  await openTab(page, "Paging");
  await expect.poll(() => stored(page)).toMatch(/"activeTabIndex":2\b/);
  await page.close();

  const later = await context.newPage();
  await later.goto(`${server.origin}/graphiql`);
  await expect.poll(() => model(later, "operation.graphql")).toContain("query Paging");
  expect(JSON.parse(await model(later, "variables.json"))).toMatchObject({ first: 5 });
  await openTab(later, "Kept");
  await later.getByRole("button", { name: "Show History" }).click();
  await expect(later.locator(".graphiql-history-items")).toContainText("Kept");

  // What was removed from an example for storage is there again.
  await openTab(later, "SignIn");
  expect(await run(later, "SignIn")).toContain('"token"');
});

test("the bar signs in, shows the user, survives a reload, signs out", async ({ page }) => {
  await open(page);
  await bar(page).getByLabel("Username").fill("emily");
  await bar(page).getByLabel("Password").fill("not the password");
  await bar(page).getByRole("button", { name: "Sign in" }).click();
  await expect(session(page)).toHaveText("Wrong username or password.");

  await bar(page).getByLabel("Password").fill("entourage");
  await bar(page).getByRole("button", { name: "Sign in" }).click();
  await expect(session(page)).toHaveText("Signed in as emily, role user, with FOLLOW");

  await page.reload();
  await expect(session(page)).toHaveText("Signed in as emily, role user, with FOLLOW");
  await openTab(page, "Follow");
  expect(await run(page, "Follow")).toContain('"outcome":"FOLLOWED"');

  await bar(page).getByRole("button", { name: "Sign out" }).click();
  await expect(session(page)).toHaveText(/Signed out/);
  expect(await run(page, "Follow")).toContain("UNAUTHENTICATED");
});

test("passwords and tokens do not outlive the browser tab", async ({ page }) => {
  await open(page);
  await openTab(page, "SignIn");
  const { token } = JSON.parse(await run(page, "SignIn")).signIn;
  await page.getByRole("button", { name: "Headers" }).click();
  await page.locator(".graphiql-editor-tool .monaco-editor").last().click();
  await page.keyboard.insertText(JSON.stringify({ authorization: `Bearer ${token}` }));
  await run(page, "SignIn");

  // Typed as one does, with an end that is missing.
  for (const [name, query] of [
    ["Literal", 'mutation Literal { signIn(input: {username: "emily", password: "entourage"}) {'],
    ["Block", 'mutation Block { deleteAccount(input: {password: """entourage'],
    ["Alias", 'mutation Alias($p: String = "entourage") { signUp(input: {password: $p'],
    [
      "Bare",
      "mutation Bare { changePassword(input: {currentPassword: entourage, newPassword: entourage",
    ],
    ["Comment", '# password: "entourage"\nquery Comment { viewer { permissions } }'],
  ] as const) {
    const link = new URLSearchParams({ query, variables: '{"p": "entourage"}' });
    await page.goto(`/graphiql?${link}`);
    await expect.poll(() => model(page, "operation.graphql")).toBe(query);
    await expect.poll(() => stored(page)).toContain(name);
  }
  await run(page, "Comment");
  await expect.poll(() => stored(page)).toContain("graphiql:queries");

  await page.evaluate(() => sessionStorage.removeItem("entourage.token"));
  const everything = await page.evaluate(() =>
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state, location.href]),
  );
  expect(everything).not.toContain("entourage");
  expect(everything).not.toContain(token);
  expect(await page.evaluate(() => indexedDB.databases())).toEqual([]);
});

test("a token can be pasted, and a refused one is discarded", async ({ page, server, conduct }) => {
  await open(page);
  await bar(page).getByRole("button", { name: "Paste a token" }).click();
  await bar(page)
    .getByLabel("Token")
    .fill(await server.token("hypatia"));
  await bar(page).getByRole("button", { name: "Use token" }).click();
  await expect(session(page)).toHaveText(/Signed in as hypatia, role moderator/);

  // The browser logs every reply with that status.
  conduct.expect(/status of 401/);
  await page.evaluate(() => sessionStorage.setItem("entourage.token", "e30.e30.AAAA"));
  await page.reload();
  await expect(session(page)).toHaveText("The server refused the token. You are signed out.");
  await openTab(page, "Profile");
  expect(await run(page, "Profile")).toContain('"username":"ada"');
});

test("the documentation opens and the editor completes a field", async ({ page }) => {
  await open(page);
  await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
  await page.getByRole("link", { name: "Query" }).first().click();
  await expect(page.locator(".graphiql-doc-explorer")).toContainText("Root of all queries.");

  await page.getByRole("button", { name: "New tab" }).click();
  await page.locator(".graphiql-query-editor .monaco-editor").click();
  await page.keyboard.type("{ vie");
  await page.keyboard.press("Control+Space");
  await expect(page.locator(".suggest-widget .focused")).toContainText("viewer");
  await page.keyboard.press("Enter");
  await expect.poll(() => model(page, "operation.graphql")).toMatch(/\{ viewer\b/);
});

test("the documentation names the permission of a mutation", async ({ page }) => {
  await open(page);
  await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
  await page.getByRole("link", { name: "Mutation" }).first().click();
  const docs = page.locator(".graphiql-doc-explorer");
  await docs.getByRole("link", { name: "follow", exact: true }).click();
  await expect(docs).toContainText(/FOLLOW/);
});

test("the explorer builds a query", async ({ page }) => {
  await open(page);
  await page.getByRole("button", { name: "Show GraphiQL Explorer" }).click();
  const explorer = page.locator(".graphiql-plugin");
  await explorer.getByText("viewer", { exact: true }).first().click();
  await expect.poll(() => model(page, "operation.graphql")).toMatch(/^ {2}viewer$/m);
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`axe finds nothing that is ours, ${colorScheme}`, async ({ page, server }) => {
    await page.emulateMedia({ colorScheme });
    await signedInAs(page, server, "grace");
    await open(page);
    await expect(session(page)).toHaveText(/Signed in as grace/);
    // GraphiQL renders a tab with buttons inside, which we cannot change from outside.
    await expectAccessible(page, ["nested-interactive"]);

    await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
    await page.getByRole("link", { name: "Query" }).first().click();
    await expect(page.locator(".graphiql-doc-explorer")).toContainText("Root of all queries.");
    await run(page, "Profile");
    await expect(page.locator(".graphiql-footer")).toContainText("Last answer");
    await expectAccessible(page, ["nested-interactive"]);
  });
}
