/** Sign-up, sign-in and sign-out. */
import { expect, signedInAs, test } from "./fixtures";
import { Server } from "./server";

test("a wrong password is reported and the input is kept", async ({ page }) => {
  await page.goto("/sign-in");
  await page.getByLabel("Username").fill("ada");
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("main")).toContainText("Wrong username or password.");
  await expect(page.getByLabel("Username")).toHaveValue("ada");
  await expect(page.getByLabel("Password")).toHaveValue("not the password");
});

test("a new user signs up and is signed in", async ({ page }) => {
  await page.goto("/sign-up");
  await page.getByLabel("Username").fill("ada");
  await page.getByLabel(/^Name/).fill("Ada again");
  await page.getByLabel("Password").fill("correct horse");
  await page.getByRole("main").getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByLabel("Username")).toHaveAccessibleDescription(/That username is taken\./);

  await page.getByLabel("Username").fill("newcomer");
  await page.getByRole("main").getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByRole("banner")).toContainText("newcomer");
});

test("a session survives a reload", async ({ page, server }) => {
  await signedInAs(page, server, "emily");
  await page.goto("/");
  await expect(page.getByRole("banner")).toContainText("emily");
  await page.reload();
  await expect(page.getByRole("banner")).toContainText("emily");
});

test("a page restored by the browser notices an ended session", async ({ page, server }) => {
  await signedInAs(page, server, "emily");
  await page.goto("/");
  await expect(page.getByRole("banner")).toContainText("emily");
  // Simulates going back: a browser under test never restores a page from memory.
  await page.evaluate(() => {
    sessionStorage.removeItem("entourage.token");
    window.dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
  });
  await expect(page.getByRole("banner").getByRole("link", { name: "Sign in" })).toBeVisible();
});

for (const target of ["//example.org/", "/\t/example.org/", "https://example.org/", "/graphiql"]) {
  test(`signing in leads home instead of to ${JSON.stringify(target)}`, async ({ page }) => {
    await page.goto(`/sign-in?${new URLSearchParams({ return: target })}`);
    await page.getByLabel("Username").fill("emily");
    await page.getByLabel("Password").fill("entourage");
    await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("banner")).toContainText("emily");
    await expect(page).toHaveURL("/");
  });
}

test("a refused token ends the session with a message", async ({ page, conduct }) => {
  // The browser logs every reply with that status.
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

test.describe("with sign-up closed", () => {
  test.use({
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names from the pattern.
    server: async ({}, use) => {
      const server = await Server.start({ ENTOURAGE_SIGN_UP: "closed" });
      await use(server);
      await server.stop();
    },
  });

  test("an operator's token signs in", async ({ page, server }) => {
    await page.goto("/sign-in");
    await expect(page.getByLabel("Password")).toHaveCount(0);
    await page.getByLabel(/token/i).fill("not a token");
    await page.getByRole("main").getByRole("button", { name: "Use this token" }).click();
    await expect(page.getByLabel(/token/i)).toHaveAccessibleDescription(
      /This is not a bearer token\./,
    );

    await page.getByLabel(/token/i).fill(await server.operatorToken("emily"));
    await page.getByRole("main").getByRole("button", { name: "Use this token" }).click();
    await expect(page.getByRole("banner")).toContainText("emily");
  });
});
