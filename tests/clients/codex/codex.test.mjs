// Codex CLI, headless, in a home of its own: it reads a file, edits it by a tool call, and answers.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const CODEX = join(import.meta.dirname, "node_modules/@openai/codex/bin/codex.js");

const CONFIG = `
model = "claude-sonnet-4-5"
model_provider = "kiro"
check_for_update_on_startup = false

[model_providers.kiro]
name = "Kiro-2API"
base_url = "${process.env.GATEWAY_URL}/v1"
env_key = "KIRO_2API_KEY"
wire_api = "responses"

[analytics]
enabled = false
`;

async function control(path, body) {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(`${process.env.SIMULATOR_URL}/__sim/${path}`, options);
  return response.json();
}

// What the model does next when it is asked something that contains a word.
function answer(word, match, steps) {
  return control("scripts", { match: { body_contains: word, times: 1, ...match }, script: steps });
}

function command(cmd) {
  return [{ tool: { name: "exec_command", input: { cmd } } }];
}

// Runs Codex to its end, with nothing from our environment.
function codex(home, folder, prompt) {
  const options = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "--json"];
  const child = spawn(process.execPath, [CODEX, "exec", ...options, prompt], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: home, CODEX_HOME: join(home, ".codex"), KIRO_2API_KEY: process.env.GATEWAY_KEY },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { out: "", err: "" };
  child.stdout.on("data", (data) => (said.out += data));
  child.stderr.on("data", (data) => (said.err += data));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, ...said }));
  });
}

async function inHome(run) {
  const home = await mkdtemp(join(tmpdir(), "kiro-2api-codex-"));
  try {
    const folder = join(home, "work");
    await mkdir(join(home, ".codex"));
    await mkdir(folder);
    await writeFile(join(home, ".codex/config.toml"), CONFIG);
    await run(home, folder);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

test("a file is read, edited and spoken of", { timeout: 120_000 }, () =>
  inHome(async (home, folder) => {
    const word = `mark-${randomUUID()}`;
    const note = join(folder, "note.txt");
    await writeFile(note, "The sky is green.\n");
    await answer(word, {}, command("cat note.txt"));
    await answer(word, { has_tool_results: true }, command("sed -i s/green/blue/ note.txt && echo edited"));
    await answer(word, { has_tool_results: true }, [{ text: "The sky is blue again." }]);

    const ran = await codex(home, folder, `Correct note.txt, please. ${word}`);
    assert.equal(ran.code, 0, ran.out + ran.err);
    assert.equal(await readFile(note, "utf8"), "The sky is blue.\n");
    assert.match(ran.out, /The sky is blue again\./);

    const requests = await control("requests?operation=Generate");
    const bodies = requests.map(({ body }) => JSON.stringify(body)).filter((body) => body.includes(word));
    assert.equal(bodies.length, 3);
    assert.match(bodies[1], /The sky is green/);
  }),
);

test("a refusal is shown and ends the turn", { timeout: 120_000 }, () =>
  inHome(async (home, folder) => {
    const word = `mark-${randomUUID()}`;
    await answer(word, {}, [{ http_error: { status: 400, body: { message: "Input is too long.", reason: "CONTENT_LENGTH_EXCEEDS_THRESHOLD" } } }]);
    const ran = await codex(home, folder, `Hello ${word}`);
    assert.notEqual(ran.code, 0, ran.out);
    assert.match(ran.out + ran.err, /ran out of room|context/i);
  }),
);
