/** Sign-up, sign-in and sign-out. */
import { expect, expectAccessible, signedInAs, test } from "./fixtures";
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

test("a suspended user cannot sign in, and the profile says so", async ({ page, server }) => {
  await server.operate("user", "suspend", "ada");
  await page.goto("/sign-in");
  await page.getByLabel("Username").fill("ada");
  await page.getByLabel("Password").fill("entourage");
  const signIn = page.getByRole("main").getByRole("button", { name: "Sign in" });
  await signIn.click();
  await expect(page.getByRole("main")).toContainText("The account is suspended.");

  await page.goto("/users/ada");
  await expect(page.getByRole("main").getByText("Suspended", { exact: true })).toBeVisible();
  await expectAccessible(page);
  await page.goto("/?q=ada");
  await expect(page.getByText("No users for “ada”")).toBeVisible();

  await server.operate("user", "reinstate", "ada");
  await page.reload();
  await expect(page.getByRole("link", { name: "Ada Lovelace" })).toBeVisible();
  await page.goto("/sign-in");
  await page.getByLabel("Username").fill("ada");
  await page.getByLabel("Password").fill("entourage");
  await signIn.click();
  await expect(page.getByRole("banner")).toContainText("ada");
});

test("a session survives a reload", async ({ page, server }) => {
  await signedInAs(page, server, "emily");
  await page.goto("/");
  await expect(page.getByRole("banner")).toContainText("emily");
  await page.reload();
  await expect(page.getByRole("banner")).toContainText("emily");
});

test("a new tab is signed in as long as another is open", async ({ page, server, context }) => {
  await page.goto("/sign-in");
  await page.getByLabel("Username").fill("emily");
  await page.getByLabel("Password").fill("entourage");
  await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("banner")).toContainText("emily");
  const token = await page.evaluate(() => sessionStorage.getItem("entourage.token"));
  expect(token).toBeTruthy();

  const second = await context.newPage();
  await second.goto(`${server.origin}/users/ada`);
  await expect(second.getByRole("banner")).toContainText("emily");
  await expect(second.getByRole("button", { name: "Follow Ada Lovelace" })).toBeVisible();
  const third = await context.newPage();
  await third.goto(`${server.origin}/graphiql`);
  await expect(third.getByRole("status").first()).toContainText("Signed in as emily");

  // The tab that signed in need not be among those that are open.
  await page.goto("about:blank");
  await third.close();
  await second.reload();
  await expect(second.getByRole("banner")).toContainText("emily");
  const fourth = await context.newPage();
  await fourth.goto(server.origin);
  await expect(fourth.getByRole("banner")).toContainText("emily");

  await second.close();
  await fourth.close();
  const fifth = await context.newPage();
  await fifth.goto(server.origin);
  await expect(fifth.getByRole("banner").getByRole("link", { name: "Sign in" })).toBeVisible();
  const { cookies, origins } = await context.storageState({ indexedDB: true });
  expect(cookies).toEqual([]);
  expect(JSON.stringify(origins)).not.toContain(token);
});

test("a new tab sends one query, signed in or not", async ({ page, server, context }) => {
  await page.goto("/");
  await expect(page.getByRole("link", { name: "Ada Lovelace" })).toBeVisible();
  for (const username of [null, "emily"]) {
    if (username) {
      await signedInAs(page, server, username);
      await page.goto("/users/ada");
      await expect(page.getByRole("banner")).toContainText(username);
    }
    const second = await context.newPage();
    const queries: string[] = [];
    second.on("request", (request) => {
      if (request.url().endsWith("/graphql")) {
        queries.push(request.postDataJSON().operationName);
      }
    });
    await second.goto(`${server.origin}/users/ada`);
    await expect(second.getByRole("banner")).toContainText(username ?? "Sign in");
    await second.waitForLoadState("networkidle");
    expect(queries).toEqual(["ProfilePage"]);
  }
});

test("signing out in one tab signs out the others", async ({ page, server, context }) => {
  await signedInAs(page, server, "emily");
  await page.goto("/users/ada");
  await expect(page.getByRole("banner")).toContainText("emily");
  const second = await context.newPage();
  await second.goto(server.origin);
  await expect(second.getByRole("banner")).toContainText("emily");

  // A message that offers to undo something ends with the session. An unfollow that overtakes its
  // follow has nothing to undo.
  const followed = page.waitForResponse("**/graphql");
  await page.getByRole("button", { name: "Follow Ada Lovelace" }).click();
  await followed;
  await page.getByRole("button", { name: "Unfollow Ada Lovelace" }).click();
  await expect(page.getByRole("button", { name: "Undo" })).toBeVisible();
  await second.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("banner").getByRole("link", { name: "Sign in" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Undo" })).toHaveCount(0);
});

test("signing in with one tab signs in the others", async ({ page, server, context }) => {
  await page.goto("/users/ada");
  const second = await context.newPage();
  await second.goto(`${server.origin}/sign-in`);
  await second.getByLabel("Username").fill("emily");
  await second.getByLabel("Password").fill("entourage");
  await second.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("banner")).toContainText("emily");
});

test("a form shows all its errors at once", async ({ page }) => {
  await page.goto("/sign-up");
  await page.getByLabel("Username").fill("not a username");
  await page.getByLabel(/^Name/).fill("n".repeat(101));
  await page.getByLabel("Password").fill("short");
  await page.getByRole("main").getByRole("button", { name: "Sign up" }).click();
  for (const label of ["Username", /^Name/, "Password"]) {
    await expect(page.getByLabel(label)).toHaveAttribute("aria-invalid", "true");
  }
  await expect(page.getByLabel("Username")).toBeFocused();
});

test("one's own profile can be edited", async ({ page, server }) => {
  await signedInAs(page, server, "emily");
  await page.goto("/users/emily");
  await page.getByRole("link", { name: "Edit profile" }).click();
  await expect(page).toHaveURL("/settings");
  await expect(page.getByLabel(/^Name/)).toHaveValue("Emily Dickinson");

  await page.getByLabel(/^Name/).fill("E. Dickinson");
  await page.getByLabel(/^Bio/).fill("Dwells in possibility.\nAnd in Amherst.");
  await page.getByLabel(/^Picture/).fill("not an address");
  await page.getByRole("button", { name: "Save profile" }).click();
  await expect(page.getByLabel(/^Picture/)).toHaveAttribute("aria-invalid", "true");
  await page.getByLabel(/^Picture/).fill("https://example.org/emily.png");
  await page.getByRole("button", { name: "Save profile" }).click();
  await expect(page.getByText("Your profile is saved.")).toBeVisible();

  await page.getByRole("link", { name: "See your profile" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("E. Dickinson");
  await expect(page.getByText("Dwells in possibility.")).toBeVisible();
  await page.getByRole("link", { name: "Edit profile" }).click();
  await expect(page.getByLabel(/^Picture/)).toHaveValue("https://example.org/emily.png");
  await page.getByLabel(/^Bio/).fill("");
  await page.getByRole("button", { name: "Save profile" }).click();
  await expect(page.getByText("Your profile is saved.")).toBeVisible();
  await page.getByRole("link", { name: "See your profile" }).click();
  await expect(page.getByText("Dwells in possibility.")).toHaveCount(0);
});

test("a password can be changed, and other sessions end", async ({ page, server, conduct }) => {
  const old = await server.token("emily");
  await signedInAs(page, server, "emily");
  await page.goto("/settings");
  await page.getByLabel("Current password").fill("not the password");
  await page.getByLabel("New password").fill("correct horse");
  await page.getByRole("button", { name: "Change password" }).click();
  await expect(page.getByLabel("Current password")).toHaveAccessibleDescription(/Wrong password/);

  await page.getByLabel("Current password").fill("entourage");
  await page.getByRole("button", { name: "Change password" }).click();
  await expect(page.getByText("Your password is changed.")).toBeVisible();
  await expect(page.getByLabel("Current password")).toHaveValue("");
  await expect(page.getByRole("banner")).toContainText("emily");
  expect(await server.refuses(old)).toBe(true);
  expect(conduct.operations).not.toContain("SignIn");
});

test("one can sign out everywhere", async ({ page, server }) => {
  const other = await server.token("emily");
  await signedInAs(page, server, "emily");
  await page.goto("/settings");
  await page.getByRole("button", { name: "Sign out everywhere" }).click();
  await expect(page.getByText("You are signed out everywhere.")).toBeVisible();
  await expect(page.getByRole("banner").getByRole("link", { name: "Sign in" })).toBeVisible();
  expect(await server.refuses(other)).toBe(true);
});

test("an account can be deleted, after a confirmation", async ({ page, server }) => {
  await signedInAs(page, server, "emily");
  await page.goto("/settings");
  await page.getByRole("button", { name: "Delete account…" }).click();
  const dialog = page.getByRole("dialog", { name: "Delete your account for good?" });
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await expect(dialog).toBeHidden();

  await page.getByRole("button", { name: "Delete account…" }).click();
  await dialog.getByLabel("Password").fill("not the password");
  await dialog.getByRole("button", { name: "Delete account" }).click();
  await expect(dialog.getByLabel("Password")).toHaveAccessibleDescription(/Wrong password/);
  await dialog.getByLabel("Password").fill("entourage");
  await dialog.getByRole("button", { name: "Delete account" }).click();
  await expect(page.getByText("Your account is deleted.")).toBeVisible();
  await expect(page).toHaveURL("/");
  await page.goto("/users/emily");
  await expect(page.getByText("There is no such user.")).toBeVisible();
});

test("the settings of a signed-out visitor lead to sign-in and back", async ({ page }) => {
  await page.goto("/settings");
  await page.getByRole("main").getByRole("link", { name: "Sign in" }).click();
  await page.getByLabel("Username").fill("emily");
  await page.getByLabel("Password").fill("entourage");
  await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL("/settings");
  await expect(page.getByLabel(/^Name/)).toHaveValue("Emily Dickinson");
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

    await page.getByLabel(/token/i).fill(await server.operate("token", "emily"));
    await page.getByRole("main").getByRole("button", { name: "Use this token" }).click();
    await expect(page.getByRole("banner")).toContainText("emily");

    await page.goto("/settings");
    await expect(page.getByRole("button", { name: "Save profile" })).toBeVisible();
    await expect(page.getByRole("button", { name: "Change password" })).toHaveCount(0);
  });
});
