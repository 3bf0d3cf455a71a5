/** What changes on a page while one looks at it. */
import type { Page } from "@playwright/test";
import { expect, expectAccessible, signedInAs, test } from "./fixtures";
import type { Server } from "./server";

const news = (page: Page) => page.getByRole("log", { name: "News" }).getByRole("paragraph");
const banner = (page: Page) => page.getByRole("banner");
const rows = (page: Page) => page.getByRole("row");

const follow = (username: string) => `follow(input: {user: {username: "${username}"}}) { outcome }`;
const unfollow = (username: string) =>
  `unfollow(input: {user: {username: "${username}"}}) { outcome }`;

async function send(server: Server, username: string, ...mutations: string[]): Promise<void> {
  const fields = mutations.map((mutation, index) => `m${index}: ${mutation}`);
  await server.ask(`mutation { ${fields.join(" ")} }`, await server.token(username));
}

test("counts, list and label change, and a notice tells who", async ({ page, server, browser }) => {
  await signedInAs(page, server, "ada");
  await page.goto("/users/ada");
  await expect(page.getByRole("link", { name: "24 followers" })).toBeVisible();

  const context = await browser.newContext({ baseURL: server.origin });
  const other = await context.newPage();
  await signedInAs(other, server, "emily");
  await other.goto("/users/ada");
  await other.getByRole("button", { name: "Follow Ada Lovelace" }).click();
  await expect(page.getByRole("link", { name: "25 followers" })).toBeVisible();
  await expect(news(page)).toHaveText("Emily Dickinson follows you");
  await context.close();

  await page.getByRole("link", { name: "25 followers" }).click();
  await expect(rows(page).nth(1)).toContainText("emily");
  await expect(news(page)).toHaveText("Emily Dickinson follows you");
  await send(server, "isaac", follow("ada"));
  await expect(rows(page).nth(1)).toContainText("isaac");
  await expect(page.getByRole("link", { name: "26 followers" })).toBeVisible();

  await page.goto("/users/jane");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Jane Austen");
  await expect(page.getByText("Follows you")).toHaveCount(0);
  await send(server, "jane", follow("ada"));
  await expect(page.getByText("Follows you")).toBeVisible();
  await expect(page.getByRole("link", { name: "1 following" })).toBeVisible();

  await page.getByRole("button", { name: /^Dismiss: Jane Austen/ }).click();
  await expect(news(page)).toHaveCount(0);
  await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
});

test("a notice leads to the user, and leaves by itself", async ({ page, server }) => {
  await page.clock.install();
  await signedInAs(page, server, "ada");
  await page.goto("/");
  await expect(page.getByRole("link", { name: "Ada Lovelace" })).toBeVisible();
  await send(server, "emily", follow("ada"));
  await expect(news(page)).toHaveText("Emily Dickinson follows you");
  await news(page).getByRole("link").click();
  await expect(page).toHaveURL("/users/emily");
  await expect(news(page)).toHaveCount(0);

  await send(server, "isaac", follow("ada"));
  await expect(news(page)).toHaveText("Isaac Newton follows you");
  await news(page).getByRole("link").focus();
  await page.clock.fastForward("00:30");
  await expect(news(page)).toBeVisible();
  await page.getByRole("heading", { level: 1 }).focus();
  await page.mouse.move(0, 0);
  await page.clock.fastForward("00:30");
  await expect(news(page)).toHaveCount(0);
});
