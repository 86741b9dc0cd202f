// What the tests of clients that are programs for Node share: a folder to work in and a private home.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// An empty folder to work in beside an empty home, until the tests end.
export function project() {
  const folder = mkdtempSync(join(tmpdir(), "kiro-2api-"));
  const [home, work] = ["home", "work"].map((name) => join(folder, name));
  for (const path of [home, work]) mkdirSync(path);
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return { folder, home, work };
}

// Runs a program in a project and waits for its end. Nothing but the gateway can be reached from there.
export function run({ home, work }, file, args, variables = {}) {
  const nowhere = "http://127.0.0.1:1";
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    HTTP_PROXY: nowhere,
    HTTPS_PROXY: nowhere,
    NO_PROXY: "127.0.0.1",
    ...variables,
  };
  const options = { cwd: work, env, stdio: ["ignore", "pipe", "pipe"], timeout: 120_000 };
  const child = spawn(file, args, options);
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) {
    child[name].setEncoding("utf8").on("data", (text) => (texts[name] += text));
  }
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, ...texts }));
  });
}
