/** What the first page costs. */
import { expect, test } from "./fixtures";

const KILOBYTE = 1_000;

test("the first page is light", async ({ page }) => {
  const sizes: Record<string, number> = {};
  page.on("response", async (response) => {
    const { responseBodySize, responseHeadersSize } = await response.request().sizes();
    sizes[new URL(response.url()).pathname] = responseBodySize + responseHeadersSize;
  });
  await page.addInitScript(() => {
    new PerformanceObserver((list) => {
      const paint = list.getEntries().at(-1);
      document.documentElement.dataset.largestPaint = String(paint?.startTime);
    }).observe({ type: "largest-contentful-paint", buffered: true });
  });

  await page.goto("/");
  await expect(page.getByRole("link", { name: "Ada Lovelace" })).toBeVisible();
  await page.waitForLoadState("networkidle");

  const bytes = Object.values(sizes).reduce((sum, size) => sum + size, 0);
  expect(bytes, JSON.stringify(sizes)).toBeLessThan(150 * KILOBYTE);

  // Told and not judged: a busy machine is no fault of the page.
  const largestPaint = Number(await page.locator("html").getAttribute("data-largest-paint"));
  expect(largestPaint).toBeGreaterThan(0);
  console.log(`first page: ${bytes} bytes, largest paint after ${largestPaint.toFixed()} ms`);
});
