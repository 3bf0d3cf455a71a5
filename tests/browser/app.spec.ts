/** The example app. */
import type { Page, Request } from "@playwright/test";
import {
  asksFor,
  expect,
  expectAccessible,
  expectToFit,
  intercept,
  signedInAs,
  test,
} from "./fixtures";

/** The message that the app showed last. */
const message = (page: Page) => page.getByRole("status").getByRole("paragraph");

/** Holds back the server's answer to the first matching request until it is released. */
async function holdBack(page: Page, matches: (request: Request) => boolean) {
  let answer = () => {};
  let release = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let isHolding = false;
  await page.route("**/graphql", async (route) => {
    if (isHolding || !matches(route.request())) {
      return route.continue();
    }
    isHolding = true;
    const response = await route.fetch();
    answer();
    await released;
    return route.fulfill({ response });
  });
  return { answered, release };
}

async function signIn(page: Page, username: string, password = "entourage"): Promise<void> {
  await page.getByLabel("Username").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
}

test("the whole tour", async ({ page }) => {
  await test.step("find a user", async () => {
    await page.goto("/");
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await page.getByRole("searchbox").fill("ad");
    await expect(page).toHaveURL("/?q=ad");
    await page.getByRole("link", { name: "Ada Lovelace" }).click();
    await expect(page).toHaveURL("/users/ada");
  });

  await test.step("see their counts", async () => {
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(/Ada Lovelace/);
    await expect(page.getByRole("link", { name: "24 followers" })).toBeVisible();
    await expect(page.getByRole("link", { name: "5 following" })).toBeVisible();
    await expect(page.getByRole("button", { name: /^Follow/ })).toHaveCount(0);
  });

  await test.step("sign in, and be where one was", async () => {
    await page.getByRole("main").getByRole("link", { name: "Sign in to follow" }).click();
    await signIn(page, "emily");
    await expect(page).toHaveURL("/users/ada");
    await expect(page.getByRole("banner")).toContainText("emily");
  });

  await test.step("follow: button, count and message", async () => {
    await page.getByRole("button", { name: "Follow Ada Lovelace" }).click();
    await expect(message(page)).toHaveText("You are now following Ada Lovelace");
    await expect(page.getByRole("link", { name: "25 followers" })).toBeVisible();
    await expect(page.getByRole("button", { name: "Unfollow Ada Lovelace" })).toBeVisible();
  });

  await test.step("see oneself among their followers, with the time", async () => {
    await page.getByRole("link", { name: "25 followers" }).click();
    await expect(page).toHaveURL("/users/ada/followers");
    const row = page.getByRole("row").nth(1);
    await expect(row).toContainText("emily");
    await expect(row).toContainText(/now|second/);
    await expect(row.getByRole("time")).toHaveAttribute("title", /\d{4}/);
    await expect(row.getByRole("button")).toHaveCount(0);
  });

  const names = async () => {
    await expect(page.getByRole("table")).toHaveAttribute("aria-busy", "false");
    return page.getByRole("row").getByRole("link").allTextContents();
  };
  await test.step("page forwards, reload, and back", async () => {
    const first = await names();
    await page.getByRole("link", { name: "Next" }).click();
    await expect(page).toHaveURL(/\?after=/);
    await expect(page.getByRole("row").nth(1)).not.toContainText("emily");
    const second = await names();
    expect(second).not.toEqual(first);

    await page.reload();
    await expect(page.getByRole("row")).toHaveCount(11);
    expect(await names()).toEqual(second);

    await page.getByRole("link", { name: "Next" }).click();
    await expect(page.getByRole("row")).toHaveCount(6);
    await expect(page.getByRole("link", { name: "Next" })).toHaveCount(0);
    await page.getByRole("link", { name: "Previous" }).click();
    await expect(page).toHaveURL(/\?before=/);
    await expect(page.getByRole("row")).toHaveCount(11);
    expect(await names()).toEqual(second);

    await page.goBack();
    await page.goBack();
    await expect(page).toHaveURL(/\?after=/);
    await page.goBack();
    await expect(page).toHaveURL("/users/ada/followers");
    await expect(page.getByRole("row").nth(1)).toContainText("emily");
    expect(await names()).toEqual(first);
  });

  await test.step("unfollow", async () => {
    await page.goto("/users/ada");
    await page.getByRole("button", { name: "Unfollow Ada Lovelace" }).click();
    await expect(message(page)).toHaveText("You are no longer following Ada Lovelace");
    await expect(page.getByRole("link", { name: "24 followers" })).toBeVisible();
    await page.getByRole("link", { name: "24 followers" }).click();
    await expect(page.getByRole("row").nth(1)).toContainText("maria");
  });

  await test.step("sign out", async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await expect(page.getByRole("banner").getByRole("link", { name: "Sign in" })).toBeVisible();
    await expect(page.getByRole("button", { name: /follow/i })).toHaveCount(0);
    expect(await page.evaluate(() => sessionStorage.getItem("entourage.token"))).toBeNull();
  });
});

test("each page sends one query", async ({ page, conduct }) => {
  for (const path of ["/", "/users/ada", "/users/ada/followers", "/users/ada/following"]) {
    const before = conduct.operations.length;
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await page.waitForLoadState("networkidle");
    expect(conduct.operations.slice(before), path).toHaveLength(1);
  }
});

test("a restricted user sees no button", async ({ page, server }) => {
  await signedInAs(page, server, "diogenes");
  await page.goto("/users/ada");
  await expect(page.getByRole("banner")).toContainText("diogenes");
  await expect(page.getByRole("link", { name: "24 followers" })).toBeVisible();
  await expect(page.getByRole("button", { name: /follow/i })).toHaveCount(0);
  await expect(page.getByText("Your account may not follow anybody.")).toBeVisible();
  await page.goto("/");
  await expect(page.getByRole("link", { name: "Ada Lovelace" })).toBeVisible();
  await expect(page.getByRole("button", { name: /follow/i })).toHaveCount(0);
});

test("users cannot follow themselves", async ({ page, server }) => {
  await signedInAs(page, server, "emily");
  await page.goto("/users/emily");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(/Emily Dickinson/);
  await expect(page.getByRole("main").getByRole("button", { name: /follow/i })).toHaveCount(0);
});

test("a follower of the viewer is labelled", async ({ page, server }) => {
  await signedInAs(page, server, "ada");
  await page.goto("/users/alan");
  await expect(page.getByText("Follows you")).toBeVisible();
  await page.goto("/users/emily");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(/Emily Dickinson/);
  await expect(page.getByText("Follows you")).toHaveCount(0);
});

test("a follow shows at once and is reverted on refusal", async ({ page, server }) => {
  await signedInAs(page, server, "emily");
  await page.goto("/users/ada");
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  await intercept(page, "Follow", async (route) => {
    await held;
    await route.fulfill({
      json: {
        data: {
          follow: {
            __typename: "FollowPayload",
            outcome: null,
            user: null,
            viewer: null,
            followerEdge: null,
            followingEdge: null,
            userErrors: [
              {
                __typename: "FollowError",
                code: "NOT_FOUND",
                field: ["user"],
                message: "there is no such user",
              },
            ],
          },
        },
      },
    });
  });
  await page.getByRole("button", { name: "Follow Ada Lovelace" }).click();
  await expect(page.getByRole("button", { name: "Unfollow Ada Lovelace" })).toBeVisible();
  await expect(page.getByRole("link", { name: "25 followers" })).toBeVisible();

  release();
  await expect(page.getByRole("alert")).toHaveText(/There is no such user\./);
  await expect(page.getByRole("button", { name: "Follow Ada Lovelace" })).toBeVisible();
  await expect(page.getByRole("link", { name: "24 followers" })).toBeVisible();
});

test("a stale answer does not revert a follow", async ({ page, server }) => {
  await signedInAs(page, server, "emily");
  await page.goto("/users/ada");
  await expect(page.getByRole("button", { name: "Follow Ada Lovelace" })).toBeVisible();
  await page.getByRole("banner").getByRole("link", { name: "Entourage" }).click();

  const isProfile = asksFor("ProfilePage");
  const held = await holdBack(page, isProfile);
  await page.getByRole("main").getByRole("link", { name: "Ada Lovelace" }).click();
  await held.answered;
  await page.getByRole("button", { name: "Follow Ada Lovelace" }).click();
  await expect(message(page)).toHaveText("You are now following Ada Lovelace");

  const askedAgain = page.waitForRequest(isProfile);
  held.release();
  await (await askedAgain).response();
  await page.waitForLoadState("networkidle");
  await expect(page.getByRole("button", { name: "Unfollow Ada Lovelace" })).toBeVisible();
  await expect(page.getByRole("link", { name: "25 followers" })).toBeVisible();
});

test("following a followed user says so", async ({ page, server }) => {
  await signedInAs(page, server, "emily");
  await page.goto("/users/ada");
  await expect(page.getByRole("button", { name: "Follow Ada Lovelace" })).toBeVisible();
  // Meanwhile, in another window:
  await server.ask(
    `mutation { follow(input: {user: {username: "ada"}}) { outcome } }`,
    await server.token("emily"),
  );
  await page.getByRole("button", { name: "Follow Ada Lovelace" }).click();
  await expect(message(page)).toHaveText("Looks like you are already following that user.");
  await expect(page.getByRole("link", { name: "25 followers" })).toBeVisible();
});

test("an unknown user is reported", async ({ page }) => {
  await page.goto("/users/nobody_at_all");
  await expect(page.getByText("There is no such user.")).toBeVisible();
});

test("an unknown address is a page of the app, and missing", async ({ page, conduct }) => {
  // The browser logs every reply with that status.
  conduct.expect(/status of 404/);
  const response = await page.goto("/nowhere/at/all");
  expect(response?.status()).toBe(404);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("There is no such page.");
  await expect(page.getByRole("banner").getByRole("link", { name: "Sign in" })).toBeVisible();
  await page.getByRole("main").getByRole("link", { name: "All users" }).click();
  await expect(page).toHaveURL("/");
});

test("a status leaves by itself, unless it is in use", async ({ page, server }) => {
  await page.clock.install();
  await signedInAs(page, server, "emily");
  await page.goto("/users/ada");
  await page.getByRole("button", { name: "Follow Ada Lovelace" }).click();
  await expect(message(page)).toHaveText("You are now following Ada Lovelace");
  await page.getByRole("button", { name: "Dismiss" }).focus();
  await page.clock.fastForward("00:30");
  await expect(message(page)).toBeVisible();
  await page.getByRole("heading", { level: 1 }).focus();
  await page.mouse.move(0, 0);
  await page.clock.fastForward("00:30");
  await expect(message(page)).toHaveCount(0);
});

test("an error stays until it is dismissed", async ({ page, server, conduct }) => {
  // The browser logs every request without an answer.
  conduct.expect(/Failed to load resource/);
  await page.clock.install();
  await signedInAs(page, server, "emily");
  await page.goto("/users/ada");
  await expect(page.getByRole("button", { name: "Follow Ada Lovelace" })).toBeVisible();
  await intercept(page, "Follow", (route) => route.abort());
  await page.getByRole("button", { name: "Follow Ada Lovelace" }).click();
  await expect(page.getByRole("alert")).toContainText("cannot be reached");
  await page.mouse.move(0, 0);
  await page.clock.fastForward("10:00");
  await expect(page.getByRole("alert")).toContainText("cannot be reached");
  await page.getByRole("button", { name: "Dismiss" }).click();
  await expect(page.getByRole("alert")).toHaveText("");
});

test("an unfollow can be undone", async ({ page, server }) => {
  await signedInAs(page, server, "ada");
  await page.goto("/users/ada/following");
  const row = page.getByRole("row").nth(1);
  const name = (await row.getByRole("link").textContent()) ?? "";
  await row.getByRole("button", { name: `Unfollow ${name}` }).click();
  await expect(message(page)).toHaveText(`You are no longer following ${name}`);
  await expect(page.getByRole("row")).toHaveCount(5);
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(message(page)).toHaveText(`You are now following ${name}`);
  await expect(page.getByRole("row")).toHaveCount(6);
  await expect(row).toContainText(name);
  await expect(page.getByRole("link", { name: "5 following" })).toBeVisible();
});

test("a follow by a signed-out visitor leads to sign-in and back", async ({ page }) => {
  for (const path of ["/?q=ada", "/users/ada", "/users/alan/following?from=1"]) {
    await page.goto(path);
    const follow = page.getByRole("main").getByRole("link", { name: "Sign in to follow ada" });
    await expect(follow.first()).toHaveText("Follow");
    await follow.first().click();
    await expect(page).toHaveURL(`/sign-in?${new URLSearchParams({ return: path })}`);
  }
  await signIn(page, "emily");
  await expect(page).toHaveURL("/users/alan/following?from=1");
  await page
    .getByRole("button", { name: /^Follow Ada/ })
    .first()
    .click();
  await expect(message(page)).toHaveText("You are now following Ada Lovelace");
});

test("the pager says where its page is", async ({ page }) => {
  const position = page.getByRole("navigation", { name: "Pages" }).getByRole("paragraph");
  await page.goto("/users/ada/followers");
  await expect(position).toHaveText("1–10 of 24");
  await page.getByRole("link", { name: "Next" }).click();
  await expect(position).toHaveText("11–20 of 24");
  await page.reload();
  await expect(position).toHaveText("11–20 of 24");
  await page.getByRole("link", { name: "Next" }).click();
  await expect(position).toHaveText("21–24 of 24");
  await page.getByRole("link", { name: "Previous" }).click();
  await expect(position).toHaveText("11–20 of 24");

  // A number that cannot be right is not shown.
  await page.goto(page.url().replace("to=20", "to=9999"));
  await expect(page.getByRole("row")).toHaveCount(11);
  await expect(position).toHaveCount(0);
  await page.getByRole("link", { name: "First" }).click();
  await expect(position).toHaveText("1–10 of 24");
});

test("a row of a list shows the bio", async ({ page, server }) => {
  await server.ask(
    'mutation { updateProfile(input: {bio: "Breaks codes."}) { user { id } } }',
    await server.token("alan"),
  );
  await page.goto("/users/ada/followers");
  await expect(page.getByRole("row", { name: /alan/ })).toContainText("Breaks codes.");
});

for (const username of [null, "grace", "hypatia"]) {
  test(`the header fits a phone, ${username ?? "signed out"}`, async ({ page, server }) => {
    if (username) {
      await signedInAs(page, server, username);
    }
    await page.setViewportSize({ width: 360, height: 800 });
    await page.goto("/users/ada");
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(/Ada Lovelace/);
    const banner = page.getByRole("banner");
    const { height } = (await banner.boundingBox()) ?? { height: 0 };
    expect(height).toBeLessThanOrEqual(64);
    for (const control of await banner.getByRole("link").or(banner.getByRole("button")).all()) {
      await expect(control).toBeInViewport({ ratio: 1 });
      const isCut = await control.evaluate((element) =>
        [element, ...element.querySelectorAll("*")]
          .filter((part) => getComputedStyle(part).position !== "absolute")
          .some((part) => part.scrollWidth > part.clientWidth && part.clientWidth > 0),
      );
      expect(isCut, await control.innerText()).toBe(false);
    }
    await expect(banner.getByRole("link", { name: "Entourage" })).toBeVisible();
    await expectToFit(page, "header");
  });
}

test("an empty list says that it is empty", async ({ page }) => {
  await page.goto("/users/emily/followers");
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(page.getByRole("table")).toHaveCount(0);
  await expect(page.getByText(/nobody follows|no followers/i)).toBeVisible();
});

test("an invalid cursor leads to the first page", async ({ page, conduct }) => {
  // The browser logs every reply with that status.
  conduct.expect(/status of 400/);
  await page.goto("/users/ada/followers?after=nonsense");
  await page.getByRole("link", { name: /first page/i }).click();
  await expect(page).toHaveURL("/users/ada/followers");
  await expect(page.getByRole("row")).toHaveCount(11);
});

test("a list announces that it is loading and loaded", async ({ page }) => {
  const held = await holdBack(page, () => true);
  await page.goto("/users/ada/followers");
  await expect(page.getByRole("table")).toHaveAttribute("aria-busy", "true");
  held.release();
  await expect(page.getByRole("table")).toHaveAttribute("aria-busy", "false");
  await expect(page.getByRole("row").nth(1)).toContainText("maria");
});

test("a failed search keeps the field for another one", async ({ page, conduct }) => {
  // The browser logs every request without an answer.
  conduct.expect(/Failed to load resource/);
  await page.goto("/");
  await expect(page.getByRole("link", { name: "Ada Lovelace" })).toBeVisible();
  await intercept(page, "DirectoryPage", (route) => route.abort());
  await page.getByRole("searchbox").fill("ma");
  await expect(page.getByRole("main").getByRole("alert")).toContainText("cannot be reached");
  await expect(page.getByRole("searchbox")).toBeFocused();

  await page.unrouteAll();
  await page.getByRole("searchbox").fill("ad");
  await expect(page.getByRole("link", { name: "Ada Lovelace" })).toBeVisible();
  await expect(page.getByRole("main").getByRole("alert")).toHaveCount(0);
});

test("a search finds any word of a name", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("searchbox", { name: "Search by name or username" }).fill("LOVE");
  await expect(page.getByRole("main").getByRole("listitem")).toHaveCount(1);
  await expect(page.getByRole("link", { name: "Ada Lovelace" })).toBeVisible();
  await expect(page.getByText("1 user for “LOVE”")).toBeVisible();
});

test("the directory loads more users", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByRole("main").getByRole("listitem")).toHaveCount(12);
  await page.getByRole("button", { name: "Show more" }).click();
  await expect(page.getByRole("main").getByRole("listitem")).toHaveCount(24);
  await page.getByRole("button", { name: "Show more" }).click();
  await expect(page.getByRole("main").getByRole("listitem")).toHaveCount(27);
  await expect(page.getByRole("button", { name: "Show more" })).toHaveCount(0);
});

test("a table can follow back, row by row", async ({ page, server }) => {
  await signedInAs(page, server, "ada");
  await page.goto("/users/ada/followers");
  const row = page.getByRole("row", { name: /alan/ });
  await row.getByRole("button", { name: "Follow Alan Turing" }).click();
  await expect(row.getByRole("button", { name: "Unfollow Alan Turing" })).toBeVisible();
  await expect(message(page)).toHaveText("You are now following Alan Turing");
  await page.goto("/users/ada/following");
  await expect(page.getByRole("row").nth(1)).toContainText("alan");
});

test("the app works with the keyboard only", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByRole("link", { name: "Ada Lovelace" })).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: /skip/i })).toBeFocused();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement?.closest("main") !== null)).toBe(true);
  await page.getByRole("link", { name: "Ada Lovelace" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
});

test("the longest names fit on a phone", async ({ page, server }) => {
  const username = "x".repeat(30);
  const { signUp } = await server.ask<{ signUp: { token: string } }>(
    `mutation { signUp(input: {username: "${username}", name: "${"n".repeat(100)}",
      password: "correct horse"}) { token } }`,
  );
  await server.ask(
    `mutation { follow(input: {user: {username: "ada"}}) { outcome } }`,
    signUp.token,
  );
  await page.addInitScript(
    (token) => sessionStorage.setItem("entourage.token", token),
    signUp.token,
  );
  await page.setViewportSize({ width: 360, height: 800 });
  for (const path of ["/users/ada/followers", `/users/${username}`, `/?q=${username}`]) {
    await page.goto(path);
    await expect(page.getByRole("main").getByText(`@${username}`)).toBeVisible();
    await expectToFit(page, path);
    await expect(page.getByRole("button", { name: "Sign out" })).toBeInViewport({ ratio: 1 });
  }
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`axe finds nothing, ${colorScheme}`, async ({ page, server, conduct }) => {
    // The browser logs every reply with that status.
    conduct.expect(/status of 404/);
    await page.emulateMedia({ colorScheme });
    await signedInAs(page, server, "grace");
    for (const [path, content] of [
      ["/", "Ada Lovelace"],
      ["/users/ada", "24 followers"],
      ["/users/ada/followers", "maria"],
      ["/users/emily/followers", "Nobody follows emily yet."],
      ["/users/nobody_at_all", "There is no such user."],
      ["/nowhere", "There is no such page."],
      ["/sign-in", "Password"],
      ["/sign-up", "Password"],
      ["/settings", "Delete account"],
    ] as const) {
      await page.goto(path);
      await expect(page.getByRole("main").getByText(content).first()).toBeVisible();
      await page.waitForLoadState("networkidle");
      await expectAccessible(page);
    }
  });

  test(`axe finds nothing in dialogs and messages, ${colorScheme}`, async ({ page, server }) => {
    await page.emulateMedia({ colorScheme });
    await signedInAs(page, server, "grace");
    await page.goto("/settings");
    await page.getByRole("button", { name: "Delete account…" }).click();
    await expect(page.getByRole("dialog")).toBeVisible();
    await expectAccessible(page);

    await page.goto("/users/ada/followers");
    await page.getByRole("button", { name: "Unfollow Alan Turing" }).click();
    await expect(page.getByRole("button", { name: "Undo" })).toBeVisible();
    await expectAccessible(page);

    await page.getByRole("button", { name: "Sign out" }).click();
    await expect(page.getByRole("link", { name: "Sign in to follow ada" })).toBeVisible();
    await expectAccessible(page);
  });
}
