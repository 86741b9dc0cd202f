// The dashboard: behind its key, live, and with a playground that streams with tools and pictures.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";

import { ADMIN_KEY, KEY, PNG, URL_OF_GATEWAY, assertQuiet, browser, open, screenshot } from "./support.mjs";

let started;
before(async () => {
  started = await browser();
});
after(() => started?.close());

async function chat(content, options = {}) {
  const response = await fetch(`${URL_OF_GATEWAY}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "claude-sonnet-4-5", messages: [{ role: "user", content }], ...options }),
    signal: options.signal,
  });
  return response;
}

async function signIn(page) {
  await page.getByLabel("Admin key").fill(ADMIN_KEY);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("#overview").waitFor();
}

const tile = (page, name) => page.locator("#tiles div", { hasText: name }).locator("dd");

test("a wrong key is refused and kept nowhere", async () => {
  const { page, seen } = await open(started, "/dashboard");
  await page.getByLabel("Admin key").fill(KEY);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("That is not the admin key.").waitFor();
  assert.equal(await page.locator("#overview").isVisible(), false);
  assert.equal(await page.evaluate(() => sessionStorage.length + localStorage.length), 0);
  assertQuiet(seen, ["status of 401"]);
});

test("with the right key figures are live", async () => {
  const secret = `word-${randomUUID()}`;
  assert.equal((await (await chat(secret)).json()).choices.length, 1);
  assert.equal((await chat(secret, { model: secret })).status, 404);
  const { page, seen, context } = await open(started, "/dashboard");
  await signIn(page);
  await page.locator("#errors", { hasText: "model not found" }).waitFor();
  await page.locator("#models", { hasText: "claude-sonnet-4.5" }).waitFor();
  await page.locator("#tenants", { hasText: "default" }).waitFor();
  await page.locator("#accounts .usable").first().waitFor();
  assert.match(await page.locator("#accounts").textContent(), /\d of \d/, "the quota is shown");
  assert.equal(await page.locator("#charts svg").count(), 3);
  assert.ok((await page.locator("#charts rect").count()) > 0);

  // One that is under way appears by itself, and goes again.
  const leave = new AbortController();
  const response = await chat("sim:hang", { stream: true, signal: leave.signal });
  await page.locator("#live", { hasText: "claude-sonnet-4.5" }).waitFor();
  assert.equal(await tile(page, "Live").textContent(), "1");
  await screenshot(page, "dashboard-light", { fullPage: true });
  const before = await page.locator("#tenants td").nth(4).textContent();
  leave.abort();
  await response.body.cancel().catch(() => {});
  await page.locator("#live", { hasText: "Nothing is under way." }).waitFor();
  assert.notEqual(await page.locator("#tenants td").nth(4).textContent(), before, "it was left");

  await page.getByLabel("1 hour").check();
  await page.getByText("60 minutes ago").first().waitFor();
  assert.ok(!(await page.content()).includes(secret), "what was said is not shown");

  // The key is in the storage of the tab and in no address; signing out takes it away.
  const kept = await page.evaluate(() => [JSON.stringify({ ...sessionStorage }), JSON.stringify({ ...localStorage })]);
  assert.ok(kept[0].includes(ADMIN_KEY) && kept[1] === "{}", kept.join());
  assert.deepEqual(seen.requests.filter((url) => url.includes(ADMIN_KEY) || url.includes("?")), []);
  assert.deepEqual(await context.cookies(), []);
  await page.reload();
  await page.locator("#overview").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Admin key").waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  assertQuiet(seen);
});

test("it is dark where that is preferred", async () => {
  const shades = {};
  for (const colorScheme of ["light", "dark"]) {
    const { page, seen } = await open(started, "/dashboard", { colorScheme });
    await signIn(page);
    await page.locator("#charts svg").first().waitFor();
    shades[colorScheme] = await page.evaluate(() => {
      const style = getComputedStyle(document.body);
      const brightness = (color) => color.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3;
      return { back: brightness(style.backgroundColor), text: brightness(style.color) };
    });
    if (colorScheme === "dark") await screenshot(page, "dashboard-dark", { fullPage: true });
    assertQuiet(seen);
  }
  assert.ok(shades.light.back > 200 && shades.light.text < 80, JSON.stringify(shades));
  assert.ok(shades.dark.back < 50 && shades.dark.text > 200, JSON.stringify(shades));
});

test("the playground streams with a tool and a picture", async () => {
  const { page, seen } = await open(started, "/dashboard");
  await signIn(page);
  await page.getByRole("button", { name: "Playground" }).click();
  await page.getByLabel("API key of the gateway").fill(KEY);
  await page.getByLabel("With tools").check();
  await page.getByLabel("Picture").setInputFiles({ name: "picture.png", mimeType: "image/png", buffer: PNG });
  await page.getByLabel("Message").fill("sim:tool=get_weather What is the weather there?");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.locator("#talk img").waitFor();
  await page.locator("#talk pre", { hasText: "get_weather(" }).waitFor();
  const result = page.getByLabel("Result of get_weather");
  await result.fill("Sunny.");
  await page.getByRole("button", { name: "Send results" }).click();
  const numbers = page.locator("#talk .numbers");
  await numbers.nth(1).waitFor();
  assert.match(await numbers.nth(1).textContent(), /tokens in, .* out/);
  assert.match(await page.locator("#talk").textContent(), /Sunny\./);
  assert.equal(await page.locator("#trouble").textContent(), "");
  const asked = await (await fetch(`${process.env.SIMULATOR_URL}/__sim/requests?operation=Generate`)).json();
  const mine = asked.map(({ body }) => JSON.stringify(body)).filter((body) => body.includes("weather there?"));
  assert.equal(mine.length, 2, "the question and the result");
  assert.ok(mine[0].includes(PNG.toString("base64")) && mine[0].includes("The weather of a city"));
  assert.ok(mine[1].includes("Sunny."));
  await screenshot(page, "playground", { fullPage: true });
  assertQuiet(seen);

  // The text grows while it comes, and can be stopped.
  await page.getByLabel("With tools").uncheck();
  await page.getByRole("button", { name: "New conversation" }).click();
  await page.getByLabel("Message").fill("sim:tokens=4000 sim:delay=20ms");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  const text = page.locator("#talk .turn").nth(1).locator("p").last();
  const lengths = new Set();
  const deadline = Date.now() + 10_000;
  while (lengths.size < 3 && Date.now() < deadline) {
    const length = await page.locator("#talk .turn").nth(1).textContent({ timeout: 10_000 });
    lengths.add(length.length);
  }
  assert.ok(lengths.size >= 3, "it grows");
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("Stopped.").waitFor();
  assert.ok(await text.isVisible());

  await page.getByLabel("Message").fill("sim:error=429,QUOTA");
  await page.getByLabel("API key of the gateway").fill("a-wrong-key");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.getByText("Incorrect API key provided").waitFor();
});

test("all of it can be used from the keyboard", async () => {
  const { page, seen } = await open(started, "/dashboard");
  const press = (...keys) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
  // Tab until something with this name has the focus, which must be visible.
  const reach = async (name) => {
    for (let step = 0; step < 40; step += 1) {
      const focus = await page.evaluate(() => {
        const at = document.activeElement;
        const label = at.labels?.[0]?.textContent ?? at.textContent ?? "";
        return { name: label.trim(), outline: getComputedStyle(at).outlineStyle };
      });
      if (focus.name.startsWith(name)) {
        assert.notEqual(focus.outline, "none", `${name} shows that it has the focus`);
        return;
      }
      await press("Tab");
    }
    assert.fail(`${name} cannot be reached`);
  };
  await reach("Admin key");
  await page.keyboard.type(ADMIN_KEY);
  await press("Enter");
  await page.locator("#overview").waitFor();
  await reach("10 minutes");
  await press("ArrowRight");
  await page.getByText("60 minutes ago").first().waitFor();
  await page.evaluate(() => document.activeElement.blur());
  await reach("Playground");
  await press("Enter");
  await reach("API key of the gateway");
  await page.keyboard.type(KEY);
  await reach("With tools");
  await press("Space");
  await reach("Tools, as JSON");
  await reach("Message");
  await page.keyboard.type("sim:tool=get_weather");
  await press("Control+Enter");
  await page.getByLabel("Result of get_weather").waitFor();
  // The focus is where one goes on.
  await page.keyboard.type("Rain.");
  await press("Tab", "Enter");
  await page.locator("#talk .numbers").nth(1).waitFor();
  await page.evaluate(() => document.activeElement.blur());
  await reach("Sign out");
  await press("Enter");
  await page.getByLabel("Admin key").waitFor();
  assertQuiet(seen);
});
