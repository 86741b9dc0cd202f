// Swagger UI shows every operation without a network, and calls the gateway.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { KEY, URL_OF_GATEWAY, assertQuiet, browser, description, open, operations, screenshot } from "./support.mjs";

let started;
before(async () => {
  started = await browser();
});
after(() => started?.close());

test("every operation is shown", async () => {
  const { page, seen } = await open(started, "/docs");
  await page.locator(".opblock").first().waitFor();
  const shown = await page.locator(".opblock").evaluateAll((blocks) =>
    blocks.map((block) => {
      const text = (part) => block.querySelector(part).textContent.replaceAll("\u200b", "").trim();
      return `${text(".opblock-summary-method")} ${text(".opblock-summary-path")}`;
    }),
  );
  const expected = operations(await description()).map(({ method, path }) => `${method.toUpperCase()} ${path}`);
  assert.deepEqual(shown.sort(), expected.sort());
  await screenshot(page, "docs", { fullPage: true });
  assertQuiet(seen);
});

test("a streaming call is tried out with the key", async () => {
  const { page, seen } = await open(started, "/docs");
  await page.getByRole("button", { name: "Authorize" }).first().click();
  const dialog = page.locator(".modal-ux");
  await dialog.locator("input").first().fill(KEY);
  await dialog.getByRole("button", { name: "Apply credentials" }).first().click();
  await dialog.getByRole("button", { name: "Close" }).first().click();

  const block = page.locator("#operations-OpenAI-postV1ChatCompletions");
  await block.locator(".opblock-summary-control").click();
  await block.getByRole("button", { name: "Execute" }).click();
  const answer = block.locator(".live-responses-table");
  await answer.waitFor();
  await answer.getByText("data: [DONE]").first().waitFor();
  assert.equal((await answer.locator("tr.response .response-col_status").first().textContent()).trim().slice(0, 3), "200");
  const called = seen.requests.filter((url) => url.includes("/v1/"));
  assert.deepEqual(called, [`${URL_OF_GATEWAY}/v1/chat/completions`]);
  const text = await answer.textContent();
  assert.match(text, /"object":\s*"chat\.completion\.chunk"/);
  assert.match(text, /"usage"/);
  await answer.scrollIntoViewIfNeeded();
  await screenshot(page, "docs-tried");
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  assert.ok(!stored.includes(KEY), stored);
  assertQuiet(seen);
});

test("without the key the refusal is shown", async () => {
  const { page, seen } = await open(started, "/docs");
  const block = page.locator("#operations-OpenAI-postV1ChatCompletions");
  await block.locator(".opblock-summary-control").click();
  await block.getByRole("button", { name: "Execute" }).click();
  const answer = block.locator(".live-responses-table");
  await answer.getByText("You didn't provide an API key").first().waitFor();
  assertQuiet(seen, ["status of 401"]);
});
