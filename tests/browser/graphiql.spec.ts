/** GraphiQL, with its sign-in bar. */
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
      __MONACO: { editor: { getModels(): Model[] } };
    };
    const model = __MONACO.editor.getModels().find(({ uri }) => uri.path.endsWith(file));
    return model?.getValue() ?? "";
  }, file);
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
  const answer = await (await answered).json();
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

  const stored = await page.evaluate(() => JSON.stringify({ ...localStorage }));
  expect(stored).not.toContain("entourage");
  expect(stored).not.toContain(token);
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

test("the explorer builds a query", async ({ page }) => {
  await open(page);
  await page.getByRole("button", { name: "Show GraphiQL Explorer" }).click();
  const explorer = page.locator(".graphiql-plugin");
  await explorer.getByText("viewer", { exact: true }).first().click();
  await expect.poll(() => model(page, "operation.graphql")).toMatch(/^ {2}viewer$/m);
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`axe finds nothing serious that is ours, ${colorScheme}`, async ({ page, server }) => {
    await page.emulateMedia({ colorScheme });
    await signedInAs(page, server, "grace");
    await open(page);
    await expect(session(page)).toHaveText(/Signed in as grace/);
    // GraphiQL renders a tab with buttons inside, which we cannot change from outside.
    await expectAccessible(page, ["nested-interactive"]);

    await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
    await page.getByRole("link", { name: "Query" }).first().click();
    await expect(page.locator(".graphiql-doc-explorer")).toContainText("Root of all queries.");
    await expectAccessible(page, ["nested-interactive"]);
  });
}
