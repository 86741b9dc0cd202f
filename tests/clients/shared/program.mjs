// What the tests of clients that are programs for Node share: a folder to work in, a private home, and the
// simulated service's control plane.

import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const MODEL = "claude-sonnet-4-5";
export const KEY = process.env.GATEWAY_KEY;
export const BASE_URL = `${process.env.GATEWAY_URL}/v1`;

export const TOO_LONG = "sim:error=400,CONTENT_LENGTH_EXCEEDS_THRESHOLD";

// A word that only the test's own request contains.
export function mark() {
  return `mark-${randomUUID()}`;
}

async function control(path, body) {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(`${process.env.SIMULATOR_URL}/__sim/${path}`, options);
  return response.json();
}

// The questions that contain a mark, as the service received them.
export async function received(word) {
  const requests = await control("requests?operation=Generate");
  return requests.filter((request) => JSON.stringify(request.body).includes(word));
}

// Answers the questions that contain a mark with these steps.
export function script(word, steps, match = {}) {
  return control("scripts", { match: { body_contains: word, ...match }, script: steps });
}

// A key with an account of its own: one that was refused rests, and no other test may feel it.
export async function guest() {
  const { refreshToken } = await control("tokens", { kind: "social" });
  return `${KEY}:${refreshToken}`;
}

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
