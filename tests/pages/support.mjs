// What the tests of the pages share: a browser that reaches nothing but the gateway, and remembers what it
// complained about.
//
// `cargo xtask pages` starts a gateway and a simulated Kiro service and sets GATEWAY_URL, GATEWAY_KEY, ADMIN_KEY,
// SIMULATOR_URL, CHROMIUM and SCREENSHOTS.

import assert from "node:assert/strict";
import { join } from "node:path";

import { chromium } from "playwright-core";

export const URL_OF_GATEWAY = process.env.GATEWAY_URL;
export const KEY = process.env.GATEWAY_KEY;
export const ADMIN_KEY = process.env.ADMIN_KEY;

// A picture of 8 by 8 pixels.
export const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAbElEQVR42hXNQRUAUQhCUaMYhShGeVGIQhSizB+XXA7ODDtouIHBQ4YOM8suWm5h8ZKl+0CskDiBsIioHhx76LiDw0eO3oN/4FVf+J8h0PduzBqZ8x/bxNQPwgaFy192SGgelC0q13/CJaXlA8Z7WAFXOTbyAAAAAElFTkSuQmCC",
  "base64",
);

export function browser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [
      // As root, which machines for checks often are, there is no sandbox.
      "--no-sandbox",
      "--disable-background-networking",
      "--disable-component-update",
      // Whatever has a name does not exist.
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
  });
}

// A page that is watched, and what is known of it.
export async function open(started, path, options = {}) {
  const context = await started.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const seen = { requests: [], complaints: [] };
  context.on("request", (request) => seen.requests.push(request.url()));
  page.on("pageerror", (error) => seen.complaints.push(`error: ${error}`));
  page.on("console", (message) => {
    if (message.type() === "error") seen.complaints.push(`console: ${message.text()} at ${message.location().url}`);
  });
  await page.exposeFunction("reportViolation", (text) => seen.complaints.push(`policy: ${text}`));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      window.reportViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
    });
  });
  const response = await page.goto(URL_OF_GATEWAY + path);
  assert.equal(response.status(), 200);
  return { page, seen, context };
}

// Nobody else was asked, and the browser has nothing to complain about except for what was expected.
export function assertQuiet(seen, expected = []) {
  for (const url of seen.requests) {
    const isOurs = url.startsWith(`${URL_OF_GATEWAY}/`) || /^(data|blob):/.test(url);
    assert.ok(isOurs, `${url} is not ours`);
  }
  const complaints = seen.complaints.filter((text) => !expected.some((part) => text.includes(part)));
  assert.deepEqual(complaints, []);
}

export function screenshot(page, name, options = {}) {
  return page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`), ...options });
}

// The description of the API.
export async function description() {
  const response = await fetch(`${URL_OF_GATEWAY}/openapi.json`);
  assert.equal(response.status, 200);
  return response.json();
}

// All operations of the description: method, path, what is said of them.
export function operations(document) {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
}
