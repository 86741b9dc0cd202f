// Cline's command line, as a person runs it in a folder.

import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, suite, test } from "node:test";
import { fileURLToPath } from "node:url";

import { project, run } from "./program.mjs";
import { BASE_URL, KEY, MODEL, TOO_LONG, guest, mark, received, script } from "./simulator.mjs";

// The program itself, without the package `cline` that only chooses the one of the machine.
const CLINE = fileURLToPath(new URL("node_modules/@cline/cli-linux-x64/bin/cline", import.meta.url));
const skip = `${process.platform}-${process.arch}` !== "linux-x64" && "only that of Linux on x64 is locked";

const SETTINGS = ".cline/data/settings/providers.json";
// Otherwise it leaves a process behind that later runs use.
const variables = { CLINE_NO_AUTO_UPDATE: "1", CLINE_SESSION_BACKEND_MODE: "local" };
const signedIn = project();

// Asks in a project whose home has that sign-in, or one with another key. What happens comes as one JSON object a
// line. A question has at least two words: one alone is taken for a command.
async function ask(question, { key = KEY, place = project() } = {}) {
  cpSync(signedIn.home, place.home, { recursive: true });
  const settings = join(place.home, SETTINGS);
  writeFileSync(settings, readFileSync(settings, "utf8").replace(KEY, key));
  const end = await run(place, CLINE, ["--json", question], variables);
  const events = end.stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
  return { ...end, events, result: events.find(({ type }) => type === "run_result") };
}

suite("cline", { concurrency: 6, skip }, () => {
  // The way docs/clients/cline.md shows.
  before(async () => {
    const signIn = ["auth", "-p", "openai-compatible", "-k", KEY, "-m", MODEL, "-b", BASE_URL];
    const { code, stderr } = await run(signedIn, CLINE, signIn, variables);
    assert.equal(code, 0, stderr);
  });

  test("an answer arrives", async () => {
    const answer = await ask("sim:echo Grüße 🗼");
    assert.equal(answer.code, 0, answer.stderr);
    assert.equal(answer.result.text, "Grüße 🗼");
    assert.equal(answer.result.finishReason, "completed");
    assert(answer.result.usage.inputTokens > 0 && answer.result.usage.outputTokens > 0);
  });

  test("thoughts come apart from the answer", async () => {
    const word = mark();
    await script(word, [{ reasoning: { text: "The question is clear." } }, { text: "Because." }]);
    const { events, result, stderr } = await ask(`Why? ${word}`);
    assert.equal(result?.text, "Because.", stderr);
    const thoughts = events.filter(({ event }) => event?.contentType === "reasoning");
    assert(JSON.stringify(thoughts).includes("The question is clear."), JSON.stringify(events));
  });

  test("a file is read and changed by calls of tools", async () => {
    const place = project();
    const word = mark();
    const path = join(place.work, "greeting.txt");
    writeFileSync(path, "It says hello.\n");
    const read = { tool: { name: "read_files", input: { files: [{ path }] } } };
    await script(word, [{ text: "I look first. " }, read], { has_tool_results: false });
    const edit = { path, old_text: "hello", new_text: "goodbye" };
    await script(word, [{ tool: { name: "editor", input: edit } }], { has_tool_results: true, nth: 1 });
    await script(word, [{ text: "It is done." }], { has_tool_results: true });

    const answer = await ask(`Change it. ${word}`, { place });
    assert.equal(answer.code, 0, answer.stderr);
    assert.match(answer.result.text, /It is done\./);
    assert.equal(readFileSync(path, "utf8"), "It says goodbye.\n");
    const [, second] = await received(word);
    assert(JSON.stringify(second.body).includes("It says hello."), "what was read reached the service");
  });

  test("a stream that breaks is an error, and not an answer", async () => {
    const word = mark();
    await script(word, [{ text: "Half an ans" }, "cut"]);
    const answer = await ask(`Hello ${word}`, { key: await guest() });
    assert.equal(answer.code, 1);
    assert.equal(answer.result.finishReason, "error");
    assert.match(answer.stdout, /what was sent so far is incomplete/);
  });

  test("a conversation that is too long is recognised", async () => {
    const answer = await ask(`Hi ${TOO_LONG}`, { key: await guest() });
    assert.equal(answer.code, 1);
    assert.match(answer.stdout, /context window exceeded/);
    assert.match(answer.result.text, /maximum context length is 200000 tokens/);
  });

  test("a refusal is shown in the gateway's words", async () => {
    const answer = await ask("Hi there", { key: `${KEY}x` });
    assert.equal(answer.code, 1);
    assert.match(answer.stdout, /Incorrect API key provided/);
  });
});
