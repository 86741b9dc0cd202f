import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

import { KEY, MODEL, client, connect, simulator } from "./support.mjs";

// Asks with an account of its own: one that was refused rests, and no other test may feel it.
async function ask(content, options = {}) {
  const { refreshToken } = await simulator.login();
  const guest = connect(`${KEY}:${refreshToken}`);
  return guest.chat.completions.create({ model: MODEL, messages: [{ role: "user", content }], ...options });
}

// Checks the class of an error and some of its members.
function rejects(promise, kind, members) {
  return assert.rejects(promise, (error) => {
    assert(error instanceof kind, `${error.constructor.name}: ${error.message}`);
    for (const [name, value] of Object.entries(members)) assert.equal(error[name], value);
    return true;
  });
}

const body = (options = {}) => ({ model: MODEL, messages: [{ role: "user", content: "Hi" }], ...options });

test("a wrong key is refused", async () => {
  const stranger = connect(`${KEY}x`);
  const answer = stranger.chat.completions.create(body());
  await rejects(answer, OpenAI.AuthenticationError, { status: 401, code: "invalid_api_key" });
});

test("an unknown model is not found", async () => {
  const answer = client.chat.completions.create(body({ model: "gpt-none" }));
  await rejects(answer, OpenAI.NotFoundError, { status: 404, code: "model_not_found" });
});

test("missing messages are named", async () => {
  const answer = client.chat.completions.create({ model: MODEL });
  await rejects(answer, OpenAI.BadRequestError, { param: "messages", code: "missing_required_parameter" });
});

test("what would change the answer is refused", async () => {
  await rejects(ask("Hi", { n: 3 }), OpenAI.BadRequestError, { param: "n" });
  await rejects(ask("Hi", { logprobs: true }), OpenAI.BadRequestError, { param: "logprobs" });
});

for (const [question, kind, code] of [
  ["sim:error=429", OpenAI.RateLimitError, "rate_limit_exceeded"],
  ["sim:error=402", OpenAI.RateLimitError, "insufficient_quota"],
  ["sim:error=500", OpenAI.InternalServerError, "upstream_error"],
  ["sim:error=400,CONTENT_LENGTH_EXCEEDS_THRESHOLD", OpenAI.BadRequestError, "context_length_exceeded"],
  ["sim:cut-before-head", OpenAI.InternalServerError, "upstream_error"],
]) {
  test(`a refusal before the first event keeps its class: ${question}`, async () => {
    for (const stream of [false, true]) await rejects(ask(question, { stream }), kind, { code });
  });
}

for (const question of ["sim:cut", "sim:reset", "sim:bad-message-crc", "sim:fault=ThrottlingException"]) {
  test(`a stream that breaks throws and never finishes: ${question}`, async () => {
    const chunks = [];
    const read = async () => {
      const stream = await ask(`${question} sim:after=5 sim:tokens=100`, { stream: true });
      for await (const chunk of stream) chunks.push(chunk);
    };
    await rejects(read(), OpenAI.APIError, {});
    assert(chunks.some((chunk) => chunk.choices[0].delta.content));
    assert(chunks.every((chunk) => chunk.choices[0].finish_reason === null));
  });
}

test("half an answer is no answer", async () => {
  await rejects(ask("sim:cut sim:after=5 sim:tokens=100"), OpenAI.InternalServerError, {});
});
