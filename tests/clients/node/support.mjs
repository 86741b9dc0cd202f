// What the tests share: the clients, and what the simulated service can be asked.
//
// `cargo xtask clients node` starts a gateway and a simulated Kiro service and sets GATEWAY_URL, GATEWAY_KEY
// and SIMULATOR_URL. Words such as `sim:reasoning` in a question choose what the simulated service does; the
// crate page of kiro-sim lists them.

import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";

import OpenAI from "openai";

export const MODEL = "claude-sonnet-4-5";
export const KEY = process.env.GATEWAY_KEY;

// A client that does not hide failures by trying again.
export function connect(apiKey = KEY) {
  const baseURL = `${process.env.GATEWAY_URL}/v1`;
  return new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 60_000 });
}

export const client = connect();

// Asks one question.
export function ask(content, options = {}) {
  return client.chat.completions.create({ model: MODEL, messages: [{ role: "user", content }], ...options });
}

// All items of a stream.
export async function collect(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

// A word that only the test's own request contains.
export function mark() {
  return `mark-${randomUUID()}`;
}

async function control(path, body) {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(`${process.env.SIMULATOR_URL}/__sim/${path}`, options);
  return response.json();
}

export const simulator = {
  // The questions that contain a mark, as the service received them.
  async requests(word) {
    const received = await control("requests?operation=Generate");
    return received.filter((request) => JSON.stringify(request.body).includes(word));
  },

  // A new account, signed in.
  login() {
    return control("tokens", { kind: "social" });
  },

  // How the only stream whose question contains a mark ended: completed, broken or cancelled.
  async waitForEnd(word, milliseconds = 10_000) {
    const deadline = Date.now() + milliseconds;
    for (;;) {
      const [request] = await this.requests(word);
      if (request.ended || Date.now() > deadline) return request.ended;
      await pause(20);
    }
  },
};
