import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import Anthropic from "@anthropic-ai/sdk";

const MODEL = "claude-sonnet-4-5";
const WEATHER = {
  name: "get_weather",
  description: "The weather in a city",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

// A client that does not hide failures by trying again.
function connect(apiKey = process.env.GATEWAY_KEY) {
  return new Anthropic({ baseURL: process.env.GATEWAY_URL, apiKey, maxRetries: 0, timeout: 60_000 });
}

const client = connect();

function asking(content, options = {}) {
  return { model: MODEL, max_tokens: 1000, messages: [{ role: "user", content }], ...options };
}

async function received(word) {
  const response = await fetch(`${process.env.SIMULATOR_URL}/__sim/requests?operation=Generate`);
  return (await response.json()).filter((request) => JSON.stringify(request.body).includes(word));
}

test("a message", async () => {
  const message = await client.messages.create(asking("sim:echo Hello there"));
  assert.deepEqual(message.content.map((block) => block.text), ["Hello there"]);
  assert.equal(message.stop_reason, "end_turn");
  assert(message.usage.input_tokens > 0);
  assert.match(message._request_id, /^req_/);
});

test("a stream comes to the same message", async () => {
  const stream = client.messages.stream(asking('sim:echo Grüße "x" 🗼\u2028'));
  let text = "";
  stream.on("text", (delta) => (text += delta));
  const message = await stream.finalMessage();
  assert.equal(text, 'Grüße "x" 🗼\u2028');
  assert.equal(message.content[0].text, text);
  assert(message.usage.output_tokens > 0);
});

test("the tool loop comes to an answer", async () => {
  const request = asking("What is the weather in Paris?", { tools: [WEATHER] });
  const message = await client.messages.stream(request).finalMessage();
  assert.equal(message.stop_reason, "tool_use");
  const call = message.content.find((block) => block.type === "tool_use");
  assert.deepEqual(call.input, { city: "Paris" });
  request.messages.push(
    { role: "assistant", content: message.content },
    { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "18 degrees" }] },
  );
  const last = await client.messages.create(request);
  assert(last.content[0].text.includes("18 degrees"), last.content[0].text);
});

test("thoughts come with a signature and go back", async () => {
  const request = asking("sim:reasoning Why?", { thinking: { type: "enabled", budget_tokens: 2048 }, max_tokens: 4000 });
  const message = await client.messages.stream(request).finalMessage();
  const [thoughts] = message.content;
  assert.equal(thoughts.type, "thinking");
  assert(thoughts.thinking && thoughts.signature);
  const word = randomUUID();
  request.messages.push({ role: "assistant", content: message.content }, { role: "user", content: `sim:echo ${word}` });
  await client.messages.create(request);
  const [sent] = await received(word);
  assert(JSON.stringify(sent.body).includes(thoughts.signature));
});

test("tokens are counted", async () => {
  const { max_tokens, ...request } = asking("Hello", { tools: [WEATHER] });
  const count = await client.messages.countTokens(request);
  assert(count.input_tokens > 10);
});

test("the models are listed", async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert(ids.includes(MODEL), ids.join());
});

test("errors are of their classes", async () => {
  const unknown = client.messages.create(asking("Hi", { model: "none" }));
  await assert.rejects(unknown, Anthropic.NotFoundError);
  const wrong = connect("wrong").messages.create(asking("Hi"));
  await assert.rejects(wrong, Anthropic.AuthenticationError);
  const invalid = client.messages.create(asking("Hi", { tools: [{ type: "web_fetch_20250910", name: "web_fetch" }] }));
  await assert.rejects(invalid, (error) => error instanceof Anthropic.BadRequestError && error.message.includes("not supported"));
});

test("a stream that breaks is an error", async () => {
  const stream = client.messages.stream(asking("sim:cut sim:after=5 sim:tokens=100"));
  await assert.rejects(stream.finalMessage(), Anthropic.APIError);
});

test("who leaves ends the stream of the service", async () => {
  const word = randomUUID();
  const stream = client.messages.stream(asking(`sim:tokens=5 sim:after=1 sim:hang ${word}`));
  stream.on("error", () => {});
  stream.on("abort", () => {});
  await new Promise((resolve) => stream.once("text", resolve));
  stream.abort();
  const deadline = Date.now() + 10_000;
  let ended;
  while (!ended && Date.now() < deadline) {
    await pause(20);
    ended = (await received(word))[0].ended;
  }
  assert.equal(ended, "cancelled");
});
