// Claude Code, headless and with a home of its own, carries out tasks: the simulated service is scripted to
// read a file, to edit it, and to answer; and to search the web.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const PACKAGES = join(import.meta.dirname, "node_modules/@anthropic-ai");
// Its installer would put the program of this machine there; scripts of packages are not run here.
const CLAUDE = join(PACKAGES, `claude-code-${process.platform}-${process.arch}/claude`);

async function control(path, body) {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(`${process.env.SIMULATOR_URL}/__sim/${path}`, options);
  return response.json();
}

// Runs it to its end; what it prints is one JSON document.
function claude(home, prompt) {
  const args = ["-p", prompt, "--output-format", "json", "--model", "claude-sonnet-4-5", "--allowedTools", "Read,Edit,WebSearch"];
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    ANTHROPIC_BASE_URL: process.env.GATEWAY_URL,
    ANTHROPIC_AUTH_TOKEN: process.env.GATEWAY_KEY,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    DISABLE_TELEMETRY: "1",
    DISABLE_AUTOUPDATER: "1",
    DISABLE_ERROR_REPORTING: "1",
  };
  return new Promise((resolve, reject) => {
    const child = execFile(CLAUDE, args, { cwd: home, env, timeout: 120_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${error.message}\n${stdout}\n${stderr}`));
      else resolve(JSON.parse(stdout));
    });
    child.stdin.end();
  });
}

test("it reads a file, edits it and answers", async (context) => {
  const home = await mkdtemp(join(tmpdir(), "claude-code-"));
  context.after(() => rm(home, { recursive: true, force: true }));
  const file = join(home, "notes.txt");
  await writeFile(file, "The answer is 41.\n");

  const word = "mark-of-the-task";
  const edit = { file_path: file, old_string: "41", new_string: "42" };
  const once = (number) => ({ body_contains: word, has_tool_results: number > 0, times: 1 });
  await control("scripts", [
    { match: once(0), script: [{ text: "I look." }, { tool: { name: "Read", input: { file_path: file } } }] },
    { match: once(1), script: [{ tool: { name: "Edit", input: edit } }] },
    { match: once(2), script: [{ text: "It is 42 now." }] },
  ]);
  const result = await claude(home, `Correct notes.txt (${word}).`);
  assert.equal(result.is_error, false, JSON.stringify(result));
  assert.equal(result.result, "It is 42 now.");
  assert.equal(await readFile(file, "utf8"), "The answer is 42.\n");

  const sent = await control("requests?operation=Generate");
  const refused = sent.filter((request) => request.refusal);
  assert.deepEqual(refused, []);
  const last = JSON.stringify(sent.filter((request) => JSON.stringify(request.body).includes(word)).at(-1).body);
  assert(last.includes("The answer is 41."), "what it read has reached the service");
});

test("it searches the web", async (context) => {
  const home = await mkdtemp(join(tmpdir(), "claude-code-"));
  context.after(() => rm(home, { recursive: true, force: true }));
  const word = "mark-of-the-search";
  const query = `rust releases ${word}`;
  const searching = { text_contains: "Perform a web search", has_tool_results: false, times: 1 };
  const found = { body_contains: "Perform a web search", has_tool_results: true, times: 1 };
  await control("scripts", [
    // Claude Code searches with a request of its own, which offers nothing but the search.
    { match: searching, script: [{ tool: { name: "web_search", input: { query } } }] },
    { match: found, script: [{ text: "There is a page." }] },
    { match: { body_contains: word, has_tool_results: false, times: 1 }, script: [{ tool: { name: "WebSearch", input: { query } } }] },
    { match: { body_contains: word, has_tool_results: true, times: 1 }, script: [{ text: "I found it." }] },
  ]);
  const result = await claude(home, `Search the web (${word}).`);
  assert.equal(result.result, "I found it.", JSON.stringify(result));
  const sent = await control("requests?operation=Generate");
  const last = JSON.stringify(sent.filter((request) => JSON.stringify(request.body).includes(word)).at(-1).body);
  assert(last.includes("https://example.com/1"), last);
  assert(last.includes("There is a page."), last);
});
