// ReDoc shows every operation without a network.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { assertQuiet, browser, description, open, operations, screenshot } from "./support.mjs";

let started;
before(async () => {
  started = await browser();
});
after(() => started?.close());

test("every operation is shown, and found", async () => {
  const { page, seen } = await open(started, "/redoc");
  const document = await description();
  const sections = page.locator("[data-section-id^='tag/'][data-section-id*='/operation/']");
  await sections.first().waitFor();
  const ids = await sections.evaluateAll((sections) =>
    sections.map((section) => section.dataset.sectionId.split("/operation/")[1]),
  );
  const expected = operations(document).map(({ operation }) => operation.operationId);
  assert.deepEqual([...new Set(ids)].sort(), expected.sort());
  await page.getByRole("textbox").first().fill("count_tokens");
  await page.locator("[role=search] [role=menuitem]").first().waitFor();
  await screenshot(page, "redoc");
  assertQuiet(seen);
});
