// Continue's command line, `cn`, as a person runs it in a folder, with `-p` instead of a keyboard.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { fileURLToPath } from "node:url";

import { project, run } from "./program.mjs";
import { BASE_URL, KEY, MODEL, TOO_LONG, guest, mark, received, script } from "./simulator.mjs";

const CN = fileURLToPath(new URL("node_modules/.bin/cn", import.meta.url));

// Asks in a project, with the configuration that docs/clients/continue.md shows.
async function ask(place, question, { key = KEY, options = [] } = {}) {
  const config = join(place.folder, "config.yaml");
  writeFileSync(
    config,
    `name: Kiro
version: 1.0.0
schema: v1
models:
  - name: Claude Sonnet 4.5
    provider: openai
    model: ${MODEL}
    apiBase: ${BASE_URL}
    apiKey: "${key}"
    roles: [chat, edit, apply]
`,
  );
  const variables = { CONTINUE_TELEMETRY_ENABLED: "0" };
  return run(place, CN, ["--config", config, ...options, "-p", question], variables);
}

suite("cn", { concurrency: 3 }, () => {
  test("an answer arrives", async () => {
    const text = 'Grüße, "Paris"! 🗼';
    const answer = await ask(project(), `sim:echo ${text}`);
    assert.equal(answer.code, 0, answer.stderr);
    assert.equal(answer.stdout.trim(), text);
  });

  test("thoughts are not taken for the answer", async () => {
    const word = mark();
    await script(word, [{ reasoning: { text: "Nobody should see this." } }, { text: "Because." }]);
    const answer = await ask(project(), `Why? ${word}`);
    assert.equal(answer.stdout.trim(), "Because.", answer.stderr);
  });

  test("a file is read, changed and created by calls of tools", async () => {
    const place = project();
    const word = mark();
    const [old, made] = ["old.txt", "made.txt"].map((name) => join(place.work, name));
    writeFileSync(old, "It says hello.\n");
    const calls = [
      { tool: { name: "Read", input: { filepath: old } } },
      { tool: { name: "Write", input: { filepath: made, content: "made by a tool\n" } } },
    ];
    await script(word, [{ text: "I look first. " }, ...calls], { has_tool_results: false });
    const edit = { file_path: old, edits: [{ old_string: "hello", new_string: "goodbye" }] };
    await script(word, [{ tool: { name: "MultiEdit", input: edit } }], { has_tool_results: true, nth: 1 });
    await script(word, [{ text: "It is done." }], { has_tool_results: true });

    const answer = await ask(place, `Change it. ${word}`, { options: ["--auto"] });
    assert.equal(answer.code, 0, answer.stderr);
    assert.match(answer.stdout, /It is done\./);
    assert.equal(readFileSync(old, "utf8"), "It says goodbye.\n");
    assert.equal(readFileSync(made, "utf8"), "made by a tool\n");
    const [, second] = await received(word);
    assert(JSON.stringify(second.body).includes("It says hello."), "what was read reached the service");
  });

  test("a conversation goes on", async () => {
    const place = project();
    const word = mark();
    await ask(place, `sim:echo My word is ${word}`);
    const answer = await ask(place, "sim:echo Still here", { options: ["--resume"] });
    assert.match(answer.stdout, /Still here/, answer.stderr);
    const [, second] = await received(word);
    assert(JSON.stringify(second.body.conversationState.history).includes(word));
  });

  test("a stream that breaks is asked for again", async () => {
    const word = mark();
    await script(word, [{ text: "Half an ans" }, "cut"], { times: 1 });
    await script(word, [{ text: "A whole answer." }]);
    const answer = await ask(project(), `Hello ${word}`);
    assert.equal(answer.code, 0, answer.stderr);
    // What came before the break stays on the screen.
    assert.equal(answer.stdout.trim(), "Half an ansA whole answer.");
    const ends = (await received(word)).map(({ ended }) => ended);
    assert.deepEqual(ends, ["broken", "completed"]);
  });

  test("a refusal is shown in the gateway's words", async () => {
    const wrong = await ask(project(), "Hi", { key: `${KEY}x` });
    assert.equal(wrong.code, 1);
    assert.match(wrong.stdout + wrong.stderr, /401 Incorrect API key provided/);
    const long = await ask(project(), `Hi ${TOO_LONG}`, { key: await guest() });
    assert.equal(long.code, 1);
    assert.match(long.stdout + long.stderr, /Context length exceeded.*maximum context length is 200000 tokens/);
  });
});
