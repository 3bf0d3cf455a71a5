/** Both pages below a path of their origin. */
import { test as base, expect } from "./fixtures";
import { Server } from "./server";

const PATH = "/social";

const test = base.extend({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names from the pattern.
  server: async ({}, use) => {
    const server = await Server.start({ ENTOURAGE_BASE_PATH: PATH });
    await use(server);
    await server.stop();
  },
});

test("nothing outside of a base path is requested", async ({ page, server, conduct }) => {
  const outside: string[] = [];
  page.on("request", (request) => {
    const { protocol, pathname } = new URL(request.url());
    if (protocol === "http:" && !pathname.startsWith(`${PATH}/`)) {
      outside.push(request.url());
    }
  });

  page.on("websocket", (socket) => {
    if (new URL(socket.url()).pathname !== `${PATH}/graphql`) {
      outside.push(socket.url());
    }
  });

  await test.step("the app", async () => {
    await page.goto(`${server.origin}/`);
    await page.getByRole("link", { name: "Ada Lovelace" }).click();
    await expect(page).toHaveURL(`${server.origin}/users/ada`);
    const picture = page.getByRole("main").locator("img.avatar").first();
    await expect(picture).toHaveAttribute("src", new RegExp(`^${PATH}/avatars/`));
    await expect(picture).toHaveJSProperty("complete", true);

    await page.getByRole("main").getByRole("link", { name: "Sign in to follow" }).click();
    await page.getByLabel("Username").fill("emily");
    await page.getByLabel("Password").fill("entourage");
    await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
    await expect(page).toHaveURL(`${server.origin}/users/ada`);
    await expect(page.getByRole("status").getByRole("paragraph")).toHaveText(/signed in as emily/);
    await server.ask(
      'mutation { follow(input: {user: {username: "emily"}}) { outcome } }',
      await server.token("ada"),
    );
    const news = page.getByRole("log", { name: "News" });
    await expect(news).toContainText("Ada Lovelace follows you");
    await expect(page.getByText("Follows you", { exact: true })).toBeVisible();

    await page.getByRole("link", { name: "24 followers" }).click();
    await page.reload();
    await expect(page).toHaveURL(`${server.origin}/users/ada/followers`);
    await expect(page.getByRole("row")).toHaveCount(11);
    await page.getByRole("link", { name: "Next" }).click();
    await expect(page).toHaveURL(/\/social\/users\/ada\/followers\?after=/);
    await page.getByRole("link", { name: /skip/i }).press("Enter");
    await expect(page).toHaveURL(/\/social\/users\/ada\/followers\?after=.*#main$/);
    await expect(page.getByRole("row").nth(1)).toBeVisible();
  });

  await test.step("a page that does not exist", async () => {
    conduct.expect(/status of 404/);
    const response = await page.goto(`${server.origin}/nowhere/at/all`);
    expect(response?.status()).toBe(404);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("There is no such page.");
    await page.getByRole("main").getByRole("link").click();
    await expect(page).toHaveURL(`${server.origin}/`);
  });

  await test.step("GraphiQL", async () => {
    await page.goto(`${server.origin}/graphql?query=%7B__typename%7D`);
    await expect(page).toHaveURL(`${server.origin}/graphiql`);
    await expect(page.locator(".graphiql-query-editor .view-line").first()).toBeVisible();
    await page.getByRole("button", { name: /^Execute query/ }).click();
    await expect(page.locator(".graphiql-response")).toContainText("Query");
    await expect(page.getByRole("region", { name: "Session" })).toContainText("emily");
    await page.getByRole("link", { name: "App" }).click();
    await expect(page).toHaveURL(`${server.origin}/`);
    await expect(page.getByRole("link", { name: "Ada Lovelace" })).toBeVisible();
  });

  expect(outside).toEqual([]);
});
