/** Signing up, in and out. */
import { expect, signedInAs, test } from "./fixtures";
import { Server } from "./server";

test("a wrong password is said, and nothing that was typed is lost", async ({ page }) => {
  await page.goto("/sign-in");
  await page.getByLabel("Username").fill("ada");
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("main")).toContainText(/password is wrong/i);
  await expect(page.getByLabel("Username")).toHaveValue("ada");
});

test("somebody new signs up, and is signed in", async ({ page }) => {
  await page.goto("/sign-up");
  await page.getByLabel("Username").fill("ada");
  await page.getByLabel("Name", { exact: true }).fill("Ada again");
  await page.getByLabel("Password").fill("correct horse");
  await page.getByRole("main").getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByLabel("Username")).toHaveAccessibleDescription(/has this username/i);

  await page.getByLabel("Username").fill("newcomer");
  await page.getByRole("main").getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByRole("banner")).toContainText("Ada again");
});

test("a session survives a reload", async ({ page, server }) => {
  await signedInAs(page, server, "emily");
  await page.goto("/");
  await expect(page.getByRole("banner")).toContainText("Emily Dickinson");
  await page.reload();
  await expect(page.getByRole("banner")).toContainText("Emily Dickinson");
});

test("a token that the server refuses ends the session, and says so", async ({ page, conduct }) => {
  conduct.expect(/status of 401/);
  await page.addInitScript(() => {
    if (!sessionStorage.getItem("visited")) {
      sessionStorage.setItem("visited", "yes");
      sessionStorage.setItem("entourage.token", "stale");
    }
  });
  await page.goto("/users/ada");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(/Ada Lovelace/);
  await expect(page.getByText("Your session has ended. Sign in again.")).toBeVisible();
  await expect(page.getByRole("banner").getByRole("link", { name: "Sign in" })).toBeVisible();
});

test.describe("where sign-up is closed", () => {
  test.use({
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names from the pattern.
    server: async ({}, use) => {
      const server = await Server.start({ ENTOURAGE_SIGN_UP: "closed" });
      await use(server);
      await server.stop();
    },
  });

  test("a token of the operator signs in", async ({ page, server }) => {
    await page.goto("/sign-in");
    await expect(page.getByLabel("Password")).toHaveCount(0);
    await page.getByLabel(/token/i).fill(await server.operatorToken("emily"));
    await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("banner")).toContainText("Emily Dickinson");
  });
});
