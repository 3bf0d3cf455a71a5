import { defineConfig } from "@playwright/test";

/** The browser that `tests/browser.sh` found: this project downloads none. */
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

export default defineConfig({
  testDir: ".",
  outputDir: "../../target/browser",
  reporter: process.env.CI ? "line" : "list",
  fullyParallel: true,
  forbidOnly: true,
  retries: 0,
  workers: 2,
  // Long enough for a busy machine: no test here is about time.
  timeout: 180_000,
  expect: { timeout: 30_000 },
  use: {
    browserName: "chromium",
    // To inspect a failure: run the test with TRACE=1, and then
    // `npx playwright show-trace target/browser/TEST/trace.zip`. A trace slows a test down.
    trace: process.env.TRACE ? "retain-on-failure" : "off",
    launchOptions: {
      executablePath,
      // Root may not use the sandbox; the other flags keep Chromium from contacting its vendor.
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
