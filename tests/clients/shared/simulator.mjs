// What the tests of all clients for Node share: the gateway, and the simulated service's control plane.
//
// `cargo xtask clients` starts both and sets GATEWAY_URL, GATEWAY_KEY and SIMULATOR_URL. Words such as
// `sim:reasoning` in a question choose what the simulated service does; the crate page of kiro-sim lists them.

import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";

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

// How the only stream whose question contains a mark ended: completed, broken or cancelled.
export async function waitForEnd(word, seconds = 10) {
  const deadline = Date.now() + seconds * 1000;
  while (true) {
    const [{ ended }] = await received(word);
    if (ended || Date.now() > deadline) return ended;
    await pause(20);
  }
}
