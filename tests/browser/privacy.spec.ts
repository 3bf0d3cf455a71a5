/** Private accounts, follow requests, hidden lists, blocks and mutes. */
import type { Locator, Page } from "@playwright/test";
import {
  expect,
  expectAccessible,
  expectToFit,
  intercept,
  signedInAs,
  test,
  withoutStream,
} from "./fixtures";
import type { Server } from "./server";

const WIDTHS = [1440, 360];

/** The message that the app showed last. */
const message = (page: Page) => page.getByRole("status").getByRole("paragraph").last();

const heading = (page: Page) => page.getByRole("heading", { level: 1 });

/** Sends a mutation as a user of the demo graph. */
async function send(server: Server, username: string, ...mutations: string[]): Promise<void> {
  const fields = mutations.map((mutation, index) => `m${index}: ${mutation}`);
  await server.ask(`mutation { ${fields.join(" ")} }`, await server.token(username));
}

const privacy = (settings: string) => `updatePrivacy(input: {${settings}}) { viewer { id } }`;
const about = (name: string, username: string, more = "") =>
  `${name}(input: {user: {username: "${username}"}${more}}) { outcome }`;

/** Makes an account private and has others ask to follow it, the first of them first. */
async function withRequests(server: Server, username: string, ...others: string[]) {
  await send(server, username, privacy("isPrivate: true"));
  for (const other of others) {
    await send(server, other, about("follow", username));
  }
}

/** Opens the menu of a user, and returns it. */
async function openMenu(scope: Page | Locator, name: string): Promise<Locator> {
  await scope.getByRole("button", { name: `More about ${name}` }).click();
  const menu = scope.getByRole("menu", { name: `More about ${name}` });
  await expect(menu.getByRole("menuitem").first()).toBeFocused();
  return menu;
}

async function visit(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await expect(heading(page)).toBeVisible();
  await page.waitForLoadState("networkidle");
}

test("a private account is asked, and the request withdrawn", async ({ page, server }) => {
  await send(server, "jane", privacy("isPrivate: true"));
  await signedInAs(page, server, "ada");
  await page.goto("/users/jane");
  await expect(page.getByRole("main").getByText("Private account")).toBeVisible();
  const count = page.getByRole("link", { name: /followers$/ });
  const before = (await count.textContent()) ?? "";

  await page.getByRole("button", { name: "Follow Jane Austen" }).click();
  const requested = page.getByRole("button", { name: /^Requested: .*Jane Austen$/ });
  await expect(requested).toHaveText("Requested");
  await expect(message(page)).toHaveText("You have asked to follow Jane Austen");
  await expect(count).toHaveText(before);

  await requested.click();
  await expect(page.getByRole("button", { name: "Follow Jane Austen" })).toBeVisible();
  await expect(message(page)).toHaveText("You no longer ask to follow Jane Austen");
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(requested).toBeVisible();
  await page.reload();
  await expect(requested).toBeVisible();

  // Meanwhile it is rejected, and the page does not know.
  await send(server, "jane", about("rejectFollowRequest", "ada"));
  await requested.click();
  await expect(message(page)).toHaveText("Looks like your request is no longer waiting.");
  await expect(page.getByRole("button", { name: "Follow Jane Austen" })).toBeVisible();
});

test("a request shows at once and is reverted on refusal", async ({ page, server, conduct }) => {
  // The browser logs every request without an answer.
  conduct.expect(/Failed to load resource/);
  await send(server, "jane", privacy("isPrivate: true"));
  await signedInAs(page, server, "ada");
  await page.goto("/users/jane");
  const follow = page.getByRole("button", { name: "Follow Jane Austen" });
  await expect(follow).toBeVisible();
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  await intercept(page, "Follow", async (route) => {
    await held;
    await route.abort();
  });
  await follow.click();
  await expect(page.getByRole("button", { name: /^Requested/ })).toBeVisible();
  release();
  await expect(page.getByRole("alert")).toContainText("cannot be reached");
  await expect(follow).toBeVisible();
});

test("a private account may accept those it follows at once", async ({ page, server }) => {
  await send(server, "jane", privacy("isPrivate: true, acceptsFollowed: true"));
  await send(server, "jane", about("follow", "alan"));
  await signedInAs(page, server, "alan");
  await page.goto("/users/jane");
  await page.getByRole("button", { name: "Follow Jane Austen" }).click();
  await expect(page.getByRole("button", { name: "Unfollow Jane Austen" })).toBeVisible();
  await expect(message(page)).toHaveText("You are now following Jane Austen");
});

test("a hidden list says so, and the counts stay", async ({ page, server }) => {
  await send(server, "ada", privacy("isPrivate: true, following: NOBODY"));
  await page.goto("/users/ada/followers");
  await expect(page.getByText(/^Follow ada to see this list/)).toBeVisible();
  await expect(page.getByRole("link", { name: "24 followers" })).toBeVisible();
  await expect(page.getByRole("link", { name: "5 following" })).toBeVisible();
  await expect(page.getByRole("table")).toHaveCount(0);
  await expect(page.getByRole("navigation", { name: "Pages" })).toHaveCount(0);

  await signedInAs(page, server, "alan");
  await page.goto("/users/ada/followers");
  await expect(page.getByRole("row")).toHaveCount(11);
  await page.getByRole("link", { name: "5 following" }).click();
  await expect(page.getByText("ada hides this list.")).toBeVisible();

  // Without the follow the other list is hidden too.
  await page.getByRole("link", { name: "24 followers" }).click();
  await page.getByRole("button", { name: "Unfollow Ada Lovelace" }).click();
  await expect(page.getByText(/^Follow ada to see this list/)).toBeVisible();
  await expect(page.getByRole("link", { name: "23 followers" })).toBeVisible();
});

test("the owner sees a hidden list", async ({ page, server }) => {
  await send(server, "ada", privacy("followers: NOBODY"));
  await signedInAs(page, server, "ada");
  await page.goto("/users/ada/followers");
  await expect(page.getByRole("row")).toHaveCount(11);
});

for (const [answer, label, reply, count] of [
  ["Accept", "Follows you", "Emily Dickinson now follows you.", "25 followers"],
  ["Reject", null, "You have rejected the request of Emily Dickinson.", "24 followers"],
] as const) {
  test(`a profile offers to ${answer.toLowerCase()} its request`, async ({ page, server }) => {
    await withRequests(server, "ada", "emily");
    await signedInAs(page, server, "ada");
    await page.goto("/users/emily");
    await expect(page.getByText("Asks to follow you")).toBeVisible();
    await expect(page.getByRole("link", { name: "1 follow request" })).toBeVisible();
    await page.getByRole("button", { name: `${answer} the request of Emily Dickinson` }).click();
    await expect(message(page)).toHaveText(reply);
    await expect(page.getByText("Asks to follow you")).toHaveCount(0);
    await expect(page.getByRole("button", { name: /the request of/ })).toHaveCount(0);
    await expect(page.getByRole("link", { name: "1 follow request" })).toHaveCount(0);
    await expect(page.getByText("Follows you")).toHaveCount(label ? 1 : 0);
    await expect(heading(page)).toBeFocused();
    await page.goto("/users/ada");
    await expect(page.getByRole("link", { name: count })).toBeVisible();
  });
}

test("requests are answered one by one", async ({ page, server, conduct }) => {
  // Three followers who unfollowed and ask again.
  const others = ["emily", "alan", "grace"];
  await send(server, "alan", about("unfollow", "ada"));
  await send(server, "grace", about("unfollow", "ada"));
  await withRequests(server, "ada", ...others);
  await withoutStream(page);
  await signedInAs(page, server, "ada");
  await page.goto("/");
  await page.getByRole("banner").getByRole("link", { name: "3 follow requests" }).click();
  await expect(page).toHaveURL("/requests");
  await expect(page.getByRole("row")).toHaveCount(4);
  await expect(page.getByRole("row").nth(1)).toContainText("grace");
  await expect(page.getByRole("row").nth(1)).toContainText("Asks to follow you");

  conduct.operations.length = 0;
  await page.getByRole("button", { name: "Accept the request of Grace Hopper" }).click();
  await expect(message(page)).toHaveText("Grace Hopper now follows you.");
  await expect(page.getByRole("row")).toHaveCount(3);
  await expect(heading(page)).toBeFocused();
  expect(conduct.operations).toEqual(["AcceptFollowRequest", "RequestsPage"]);
  await page.getByRole("button", { name: "Reject the request of Alan Turing" }).click();
  await expect(page.getByRole("row")).toHaveCount(2);
  await expect(
    page.getByRole("banner").getByRole("link", { name: "1 follow request" }),
  ).toBeVisible();

  // Meanwhile the request is withdrawn, and the page does not know.
  await send(server, "emily", about("unfollow", "ada"));
  await page.getByRole("button", { name: "Accept the request of Emily Dickinson" }).click();
  await expect(message(page)).toHaveText("Emily Dickinson no longer asks to follow you.");
  await expect(page.getByText("No request waits for your answer.")).toBeVisible();
  await expect(page.getByRole("banner").getByRole("link", { name: /request/ })).toHaveCount(0);
});

test("many requests are paged", async ({ page, server }) => {
  const { users } = await server.ask<{ users: { nodes: { username: string }[] } }>(
    "{ users(first: 27) { nodes { username } } }",
  );
  const others = users.nodes
    .map(({ username }) => username)
    .filter((username) => username !== "emily" && username !== "diogenes")
    .slice(0, 12);
  await withRequests(server, "emily", ...others);
  await signedInAs(page, server, "emily");
  await page.goto("/requests");
  const position = page.getByRole("navigation", { name: "Pages" }).getByRole("paragraph");
  await expect(position).toHaveText("1–10 of 12");
  await page.getByRole("link", { name: "Next" }).click();
  await expect(page.getByRole("row")).toHaveCount(3);
  await expect(position).toHaveText("11–12 of 12");
  await page.reload();
  await expect(page.getByRole("row")).toHaveCount(3);
  await page.getByRole("link", { name: "Previous" }).click();
  await expect(page.getByRole("row")).toHaveCount(11);
});

test("sent requests are listed and withdrawn", async ({ page, server }) => {
  await withRequests(server, "jane", "ada");
  await withRequests(server, "isaac", "ada");
  await signedInAs(page, server, "ada");
  await page.goto("/requests");
  await page.getByRole("link", { name: "Sent" }).click();
  await expect(page).toHaveURL("/requests/sent");
  await expect(page.getByRole("row")).toHaveCount(3);
  await page.getByRole("button", { name: /^Requested: .*Isaac Newton$/ }).click();
  await expect(message(page)).toHaveText("You no longer ask to follow Isaac Newton");
  await expect(page.getByRole("row")).toHaveCount(2);
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(page.getByRole("row")).toHaveCount(3);
});

test("an account becomes private, and its lists hidden", async ({ page, server }) => {
  await signedInAs(page, server, "ada");
  await page.goto("/settings");
  await page.getByLabel("Private account").check();
  await page.getByLabel("Accept those whom you follow at once").check();
  await page.getByLabel("Who sees your followers").selectOption("Only you");
  await page.getByLabel("Who sees whom you follow").selectOption("Followers");
  await page.getByRole("button", { name: "Save privacy" }).click();
  await expect(message(page)).toHaveText("Your privacy settings are saved.");

  const read = async () => {
    const { viewer } = await server.ask<{ viewer: { privacy: unknown } }>(
      "{ viewer { privacy { isPrivate acceptsFollowed followers following } } }",
      await server.token("ada"),
    );
    return viewer.privacy;
  };
  expect(await read()).toEqual({
    isPrivate: true,
    acceptsFollowed: true,
    followers: "NOBODY",
    following: "FOLLOWERS",
  });
  await page.reload();
  await expect(page.getByLabel("Private account")).toBeChecked();
  await expect(page.getByLabel("Who sees your followers")).toHaveValue("NOBODY");
  await page.getByLabel("Who sees your followers").selectOption("As the account");
  await page.getByLabel("Private account").uncheck();
  await page.getByRole("button", { name: "Save privacy" }).click();
  await expect(message(page)).toHaveText("Your privacy settings are saved.");
  expect(await read()).toMatchObject({ isPrivate: false, followers: null });
});

test("going public accepts the requests", async ({ page, server }) => {
  await withRequests(server, "emily", "ada", "alan");
  await signedInAs(page, server, "emily");
  await page.goto("/settings");
  await page.getByLabel("Private account").uncheck();
  await page.getByRole("button", { name: "Save privacy" }).click();
  await expect(page.getByText("2 requests were accepted.")).toBeVisible();
  await expect(page.getByText(/still wait/)).toHaveCount(0);
  await expect(page.getByRole("banner").getByRole("link", { name: /request/ })).toHaveCount(0);
  await page.goto("/users/emily");
  await expect(page.getByRole("link", { name: "2 followers" })).toBeVisible();
});

test("going public goes on until no request is left", async ({ page, server }) => {
  await withRequests(server, "emily", "ada");
  // Events would make the page read the real number of requests.
  await withoutStream(page);
  await signedInAs(page, server, "emily");
  await page.goto("/settings");
  await expect(page.getByLabel("Private account")).toBeChecked();
  // As the server answers while there are more requests than it accepts in a call.
  const left = [6_001, 1_001, 0];
  await intercept(page, "UpdatePrivacy", async (route) => {
    const response = await route.fetch();
    const reply = await response.json();
    const [before = 0, remaining = 0] = left;
    left.shift();
    const payload = reply.data.updatePrivacy;
    payload.acceptedRequests = before - remaining;
    payload.remainingRequests = remaining;
    payload.viewer.followRequests.totalCount = remaining;
    return route.fulfill({ response, json: reply });
  });
  await page.getByLabel("Private account").uncheck();
  await page.getByRole("button", { name: "Save privacy" }).click();
  await expect(page.getByText("5,000 requests were accepted.")).toBeVisible();
  await expect(page.getByText("1,001 requests still wait.")).toBeVisible();
  await page.getByRole("button", { name: "Accept the next requests" }).click();
  await expect(page.getByText("6,001 requests were accepted.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Accept the next requests" })).toHaveCount(0);
  await expect(heading(page)).toBeFocused();
  await expect(page.getByRole("button", { name: "Save privacy" })).toBeVisible();
});

test("a block is confirmed, shown and undone", async ({ page, server }) => {
  await signedInAs(page, server, "ada");
  await page.goto("/users/charles");
  await expect(page.getByRole("button", { name: "Unfollow Charles Darwin" })).toBeVisible();
  const choose = async () => {
    const menu = await openMenu(page, "Charles Darwin");
    await menu.getByRole("menuitem", { name: "Block…" }).click();
  };
  await choose();
  const dialog = page.getByRole("dialog", { name: "Block Charles Darwin?" });
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByRole("button", { name: "More about Charles Darwin" })).toBeFocused();
  await expect(page.getByText("Blocked", { exact: true })).toHaveCount(0);

  await choose();
  await dialog.getByRole("button", { name: "Block" }).click();
  await expect(message(page)).toHaveText("You block Charles Darwin.");
  await expect(page.getByText("Blocked", { exact: true })).toBeVisible();
  await expect(page.getByText("Follows you")).toHaveCount(0);
  await expect(page.getByRole("button", { name: /^(Unf|F)ollow/ })).toHaveCount(0);
  await expect(page.getByRole("main").getByRole("button", { name: "Unblock" })).toBeVisible();
  const { user } = await server.ask<{ user: null }>(
    '{ user(username: "ada") { id } }',
    await server.token("charles"),
  );
  expect(user).toBeNull();

  await page.getByRole("button", { name: "Undo" }).click();
  await expect(message(page)).toHaveText("You no longer block Charles Darwin.");
  await expect(page.getByRole("button", { name: "Follow Charles Darwin" })).toBeVisible();
  await expect(page.getByText("Blocked", { exact: true })).toHaveCount(0);
});

test("blocked users are listed and unblocked", async ({ page, server }) => {
  await send(server, "ada", about("block", "charles"), about("block", "emmy"));
  await signedInAs(page, server, "ada");
  await page.goto("/settings");
  await page.getByRole("link", { name: "Blocked users" }).click();
  await expect(page).toHaveURL("/settings/blocked");
  await expect(page.getByRole("row")).toHaveCount(3);
  await page.getByRole("button", { name: "Unblock Charles Darwin" }).click();
  await expect(message(page)).toHaveText("You no longer block Charles Darwin.");
  await expect(page.getByRole("row")).toHaveCount(2);
  await page.getByRole("button", { name: "Unblock Emmy Noether" }).click();
  await expect(page.getByText("You do not block any user.")).toBeVisible();
});

test("a mute has an end, and is undone", async ({ page, server }) => {
  await signedInAs(page, server, "ada");
  await page.goto("/users/charles");
  let menu = await openMenu(page, "Charles Darwin");
  await menu.getByRole("menuitem", { name: "Mute for a week" }).click();
  await expect(message(page)).toHaveText(/^You have muted Charles Darwin until .*\d{4}/);
  await expect(page.getByText(/^Muted until .*\d{4}/)).toBeVisible();
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(message(page)).toHaveText("You no longer mute Charles Darwin.");
  await expect(page.getByText(/^Muted/)).toHaveCount(0);

  menu = await openMenu(page, "Charles Darwin");
  await menu.getByRole("menuitem", { name: "Mute until I end it" }).click();
  await expect(page.getByText("Muted", { exact: true })).toBeVisible();
  menu = await openMenu(page, "Charles Darwin");
  await expect(menu.getByRole("menuitem", { name: /^Mute/ })).toHaveCount(0);
  await menu.getByRole("menuitem", { name: "Unmute" }).click();
  await expect(page.getByText("Muted", { exact: true })).toHaveCount(0);
});

test("muted users are listed with the end of the mute", async ({ page, server }) => {
  const soon = new Date(Date.now() + 1_500).toISOString();
  const later = new Date(Date.now() + 86_400_000).toISOString();
  await send(
    server,
    "ada",
    about("mute", "charles"),
    about("mute", "emmy", `, until: "${later}"`),
    about("mute", "mary", `, until: "${soon}"`),
  );
  await expect.poll(() => new Date().toISOString() > soon).toBe(true);
  await signedInAs(page, server, "ada");
  await page.goto("/settings");
  await page.getByRole("link", { name: "Muted users" }).click();
  await expect(page).toHaveURL("/settings/muted");
  await expect(page.getByRole("row", { name: /Charles/ })).toContainText("You end it");
  await expect(page.getByRole("row", { name: /Emmy/ }).getByRole("time")).toHaveText(/\d{4}/);
  await expect(page.getByRole("row", { name: /Mary/ }).getByRole("time")).toHaveText("Over");
  await page.getByRole("button", { name: "Unmute Mary Shelley" }).click();
  await expect(message(page)).toHaveText("You no longer mute Mary Shelley.");
  await expect(page.getByRole("row")).toHaveCount(3);
});

test("a follower is removed in the list", async ({ page, server }) => {
  await signedInAs(page, server, "ada");
  await page.goto("/users/ada/followers");
  const row = page.getByRole("row", { name: /maria/ });
  const menu = await openMenu(row, "Maria Sibylla Merian");
  await menu.getByRole("menuitem", { name: "Remove follower" }).click();
  await expect(message(page)).toHaveText("Maria Sibylla Merian no longer follows you.");
  await expect(page.getByRole("row", { name: /maria/ })).toHaveCount(0);
  await expect(page.getByRole("link", { name: "23 followers" })).toBeVisible();
  await expect(heading(page)).toBeFocused();

  // A blocked follower leaves the list too.
  const alan = page.getByRole("row", { name: /alan/ });
  await (await openMenu(alan, "Alan Turing")).getByRole("menuitem", { name: "Block…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Block" }).click();
  await expect(message(page)).toHaveText("You block Alan Turing.");
  await expect(page.getByRole("link", { name: "22 followers" })).toBeVisible();
  await expect(page.getByRole("row", { name: /alan/ })).toHaveCount(0);

  // Lists of others have no menus.
  await page.goto("/users/grace/followers");
  await expect(page.getByRole("row", { name: /hypatia/ })).toBeVisible();
  await expect(page.getByRole("button", { name: /^More about/ })).toHaveCount(0);
});

test("a moderator cannot follow a user who blocks them", async ({ page, server }) => {
  await send(server, "ada", about("block", "hypatia"));
  await signedInAs(page, server, "hypatia");
  await visit(page, "/users/ada");
  await expect(heading(page)).toHaveText("Ada Lovelace");
  await expect(page.getByRole("button", { name: "More about Ada Lovelace" })).toBeVisible();
  await expect(page.getByRole("button", { name: /^Follow/ })).toHaveCount(0);
});

test("a change without an answer is reported", async ({ page, server, conduct }) => {
  // The browser logs every request without an answer.
  conduct.expect(/Failed to load resource/);
  await withRequests(server, "ada", "emily");
  await signedInAs(page, server, "ada");
  await visit(page, "/requests");
  await intercept(page, "AcceptFollowRequest", (route) => route.abort());
  await page.getByRole("button", { name: "Accept the request of Emily Dickinson" }).click();
  await expect(page.getByRole("alert")).toContainText("cannot be reached");
  await expect(page.getByRole("row")).toHaveCount(2);

  await visit(page, "/settings");
  await intercept(page, "UpdatePrivacy", (route) => route.abort());
  await page.getByRole("button", { name: "Save privacy" }).click();
  await expect(page.getByRole("main").getByText(/cannot be reached/)).toBeVisible();
});

test("the longest names fit on a phone", async ({ page, server }) => {
  const sign = async (letter: string) => {
    const { signUp } = await server.ask<{ signUp: { token: string } }>(
      `mutation { signUp(input: {username: "${letter.repeat(30)}", name: "${"n".repeat(100)}",
        password: "correct horse"}) { token } }`,
    );
    return signUp.token;
  };
  const [follower, other] = [await sign("x"), await sign("y")];
  await server.ask(`mutation { ${about("follow", "ada")} }`, follower);
  await send(server, "ada", privacy("isPrivate: true"), about("mute", "x".repeat(30)));
  await server.ask(`mutation { ${about("follow", "ada")} }`, other);
  await signedInAs(page, server, "ada");
  await page.setViewportSize({ width: 360, height: 800 });
  for (const path of ["/users/ada/followers", "/requests", "/settings/muted"]) {
    await visit(page, path);
    await expect(page.getByText(/@(x|y){30}/)).toBeVisible();
    await expectToFit(page, path);
  }
});

test("the menu works with the keyboard", async ({ page, server }) => {
  await signedInAs(page, server, "ada");
  await page.goto("/users/charles");
  const button = page.getByRole("button", { name: "More about Charles Darwin" });
  const menu = page.getByRole("menu", { name: "More about Charles Darwin" });
  const items = menu.getByRole("menuitem");
  await expect(button).toHaveAttribute("aria-haspopup", "menu");
  await expect(button).toHaveAttribute("aria-expanded", "false");
  await button.focus();
  await page.keyboard.press("Enter");
  await expect(items.first()).toBeFocused();
  await expect(button).toHaveAttribute("aria-expanded", "true");
  await page.keyboard.press("ArrowDown");
  await expect(items.nth(1)).toBeFocused();
  await page.keyboard.press("End");
  await expect(items.last()).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await expect(items.first()).toBeFocused();
  await page.keyboard.press("ArrowUp");
  await expect(items.last()).toBeFocused();
  await page.keyboard.press("Home");
  await expect(items.first()).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(menu).toBeHidden();
  await expect(button).toBeFocused();
  await expect(button).toHaveAttribute("aria-expanded", "false");

  await page.keyboard.press("ArrowDown");
  await expect(items.first()).toBeFocused();
  await page.keyboard.press("Tab");
  await expect(menu).toBeHidden();
  await page.keyboard.press("Shift+Tab");
  await expect(button).toBeFocused();
  await page.keyboard.press("Space");
  await expect(items.first()).toBeFocused();
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog", { name: "Block Charles Darwin?" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
  await expect(button).toBeFocused();
});

test("signed out there is no menu, and lists lead to sign-in", async ({ page }) => {
  await visit(page, "/users/charles");
  await expect(page.getByRole("button", { name: /^More about/ })).toHaveCount(0);
  for (const path of ["/requests", "/requests/sent", "/settings/blocked", "/settings/muted"]) {
    await page.goto(path);
    await page.getByRole("main").getByRole("link", { name: "Sign in" }).click();
    await expect(page).toHaveURL(`/sign-in?${new URLSearchParams({ return: path })}`);
  }
  await page.getByLabel("Username").fill("emily");
  await page.getByLabel("Password").fill("entourage");
  await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL("/settings/muted");
  await expect(page.getByText("You have not muted any user.")).toBeVisible();
});

test("each of the lists sends one query", async ({ page, server, conduct }) => {
  await signedInAs(page, server, "ada");
  for (const path of ["/requests", "/requests/sent", "/settings/blocked", "/settings/muted"]) {
    conduct.operations.length = 0;
    await visit(page, path);
    expect(conduct.operations, path).toHaveLength(1);
  }
});

for (const width of WIDTHS) {
  for (const colorScheme of ["light", "dark"] as const) {
    test(`axe finds nothing, ${width} px, ${colorScheme}`, async ({ page, server }) => {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize({ width, height: 800 });
      await send(server, "jane", privacy("isPrivate: true"));
      await send(server, "alan", about("unfollow", "hypatia"));
      await send(server, "ada", about("unfollow", "hypatia"));
      await withRequests(server, "hypatia", "emily", "alan");
      await send(
        server,
        "hypatia",
        about("follow", "jane"),
        about("block", "charles"),
        about("mute", "cleopatra", `, until: "${new Date(Date.now() + 1e8).toISOString()}"`),
      );
      await signedInAs(page, server, "hypatia");
      for (const [path, content] of [
        ["/requests", "Emily Dickinson"],
        ["/requests/sent", "Jane Austen"],
        ["/settings/blocked", "Charles Darwin"],
        ["/settings/muted", "Cleopatra"],
        ["/settings", "Private account"],
        ["/users/jane", "Private account"],
        ["/users/emily", "Asks to follow you"],
        ["/users/charles", "Blocked"],
        ["/users/cleopatra", "Muted until"],
        ["/users/hypatia/followers", "Grace Hopper"],
      ] as const) {
        await page.goto(path);
        await expect(page.getByRole("main").getByText(content).first()).toBeVisible();
        await page.waitForLoadState("networkidle");
        await expectAccessible(page);
        await expectToFit(page, path);
        const signOut = page.getByRole("button", { name: "Sign out", exact: true });
        await expect(signOut).toBeInViewport({ ratio: 1 });
      }

      const menu = await openMenu(page.getByRole("row", { name: /grace/ }), "Grace Hopper");
      await expectAccessible(page);
      await expectToFit(page, "menu");
      for (const item of await menu.getByRole("menuitem").all()) {
        await expect(item).toBeInViewport({ ratio: 1 });
      }
      await menu.getByRole("menuitem", { name: "Block…" }).click();
      await expect(page.getByRole("dialog")).toBeVisible();
      await expectAccessible(page);
      await page.getByRole("dialog").getByRole("button", { name: "Block" }).click();
      await expect(page.getByRole("button", { name: "Undo" })).toBeVisible();
      await expectAccessible(page);

      // Of a hidden list.
      await page.getByRole("banner").getByRole("button", { name: "Sign out" }).click();
      await visit(page, "/users/jane/followers");
      await expect(page.getByText(/^Follow jane to see this list/)).toBeVisible();
      await expectAccessible(page);
      await expectToFit(page, "hidden list");
    });
  }
}
