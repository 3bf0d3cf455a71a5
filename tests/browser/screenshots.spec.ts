/** Pictures of each page at two widths and in both themes, in `target/screenshots`, to look at. */
import { expect, expectToFit, signedInAs, test } from "./fixtures";
import type { Server } from "./server";

const FOLDER = "../../target/screenshots";
const WIDTHS = [360, 1440];

/** The name of a picture, its URL, and a text that shows that the page has loaded. */
const PAGES = [
  ["directory", "/", "Ada Lovelace"],
  ["search", "/?q=ma", "Marie Curie"],
  ["profile", "/users/ada", "24 followers"],
  ["followers", "/users/ada/followers", "maria"],
  ["following", "/users/ada/following", "grace"],
  ["empty", "/users/emily/followers", "Emily"],
  ["unknown", "/users/nobody_at_all", "There is no such user."],
  ["sign-in", "/sign-in", "Password"],
  ["sign-up", "/sign-up", "Password"],
  ["settings", "/settings", "Delete account"],
  ["requests", "/requests", "Emily Dickinson"],
  ["sent-requests", "/requests/sent", "Jane Austen"],
  ["blocked", "/settings/blocked", "Charles Darwin"],
  ["muted", "/settings/muted", "Cleopatra"],
  ["private", "/users/jane", "Private account"],
  ["missing", "/nowhere", "There is no such page."],
  ["graphiql", "/graphiql", "query Profile"],
] as const;

/** Something to see on the pages of alan's requests, blocks and mutes. */
async function prepare(server: Server): Promise<void> {
  const user = (username: string) => `input: {user: {username: "${username}"}}`;
  for (const [username, mutations] of [
    ["jane", "updatePrivacy(input: {isPrivate: true}) { viewer { id } }"],
    [
      "alan",
      `updatePrivacy(input: {isPrivate: true}) { viewer { id } }
       follow(${user("jane")}) { outcome }
       block(${user("charles")}) { outcome }
       mute(${user("cleopatra")}) { outcome }`,
    ],
    ["emily", `follow(${user("alan")}) { outcome }`],
  ] as const) {
    await server.ask(`mutation { ${mutations} }`, await server.token(username));
  }
}

for (const colorScheme of ["light", "dark"] as const) {
  for (const width of WIDTHS) {
    test(`pictures at ${width} pixels, ${colorScheme}`, async ({ page, server, conduct }) => {
      // The browser logs every reply with that status.
      conduct.expect(/status of 404/);
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize({ width, height: 900 });
      await prepare(server);
      await signedInAs(page, server, "alan");
      for (const [name, path, content] of PAGES) {
        await page.goto(path);
        await expect(page.getByText(content).first()).toBeVisible();
        await page.waitForLoadState("networkidle");
        if (name === "graphiql") {
          // Syntax colours appear after the text.
          await expect(
            page.locator(".graphiql-query-editor .view-line span[class^=mtk]:not(.mtk1)").first(),
          ).toBeVisible();
          await page.getByRole("button", { name: /^Execute query/ }).click();
          await expect(page.getByRole("region", { name: "Result Window" })).toContainText("data");
        }
        await expectToFit(page, name);
        await page.screenshot({ path: `${FOLDER}/${name}-${width}-${colorScheme}.png` });
      }
    });
  }
}
