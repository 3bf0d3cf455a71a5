/** The weight of the first page. */
import type { Page } from "@playwright/test";
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

  // The best of three, since the machine may be busy.
  const paints = [await largestPaint(page)];
  while (paints.length < 3) {
    await page.reload();
    await expect(page.getByRole("link", { name: "Ada Lovelace" })).toBeVisible();
    await page.waitForLoadState("networkidle");
    paints.push(await largestPaint(page));
  }
  console.log(`first page: ${bytes} bytes, largest paint after ${paints.join(", ")} ms`);
  expect(Math.min(...paints)).toBeLessThan(1_000);
});

/** Largest Contentful Paint, in milliseconds since the request. */
async function largestPaint(page: Page): Promise<number> {
  const paint = Number(await page.locator("html").getAttribute("data-largest-paint"));
  expect(paint).toBeGreaterThan(0);
  return Math.round(paint);
}
