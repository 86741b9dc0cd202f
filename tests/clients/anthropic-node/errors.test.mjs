import assert from "node:assert/strict";
import { test } from "node:test";

import Anthropic from "@anthropic-ai/sdk";

import { KEY, MODEL, TOO_LONG, guest, mark, received, script } from "./simulator.mjs";
import { asking, client, connect } from "./support.mjs";

const SLOWER = { http_error: { status: 429, body: { message: "Slower", reason: "x" }, retry_after_ms: 1000 } };
const BREAKS = {
  "sim:cut": "api_error",
  "sim:reset": "api_error",
  "sim:bad-message-crc": "api_error",
  "sim:fault=ThrottlingException": "rate_limit_error",
};

// A client that tries again, and how many requests it has sent.
function patient(apiKey) {
  const sent = { requests: 0 };
  const counting = (...request) => {
    sent.requests += 1;
    return fetch(...request);
  };
  return { sent, client: connect(apiKey, { maxRetries: 2, fetch: counting }) };
}

// An error of a class that has these words in its message.
function like(kind, words = "") {
  return (error) => {
    assert(error instanceof kind, error);
    assert(error.message.includes(words), error.message);
    return true;
  };
}

test("refusals of the gateway are of their classes", async () => {
  const hosted = { tools: [{ type: "web_fetch_20250910", name: "web_fetch" }] };
  for (const [options, kind, words] of [
    [{ model: "none" }, Anthropic.NotFoundError, "model: "],
    [{ messages: [] }, Anthropic.BadRequestError, "messages"],
    [hosted, Anthropic.BadRequestError, "not supported"],
  ]) {
    await assert.rejects(client.messages.create(asking("Hi", options)), like(kind, words));
  }
  await assert.rejects(connect(`${KEY}x`).messages.create(asking("Hi")), Anthropic.AuthenticationError);
  await assert.rejects(connect(`${KEY}x`).models.list(), Anthropic.AuthenticationError);
});

for (const [question, kind, words] of [
  ["sim:error=429,x", Anthropic.RateLimitError, "rate_limit_error"],
  ["sim:error=402", Anthropic.PaymentRequiredError, "billing_error"],
  ["sim:error=500", Anthropic.InternalServerError, "api_error"],
  ["sim:error=429,INSUFFICIENT_MODEL_CAPACITY", Anthropic.OverloadedError, "overloaded_error"],
  [TOO_LONG, Anthropic.BadRequestError, "prompt is too long"],
]) {
  test(`a refusal of the service keeps its class: ${question}`, async () => {
    for (const stream of [false, true]) {
      const refused = connect(await guest()).messages.create(asking(question, { stream }));
      await assert.rejects(refused, like(kind, words));
    }
  });
}

test("a thread is refused by its own class", async () => {
  const thread = client.beta.messages.thread({ model: MODEL, max_tokens: 1000 });
  const refused = thread.send({ role: "user", content: "Hi" });
  await assert.rejects(refused, like(Anthropic.ThreadUnsupportedRequestError, "conversations are not held here"));
});

test("a rate limit is waited for and tried again", async () => {
  const word = mark();
  await script(word, [SLOWER], { times: 1 });
  await script(word, [{ text: "Here" }]);
  const { sent, client } = patient(await guest());
  const message = await client.messages.create(asking(word));
  assert.equal(message.content[0].text, "Here");
  assert.equal(sent.requests, 2);
  assert.equal((await received(word)).length, 2);
});

test("a rate limit tells how long to wait", async () => {
  const word = mark();
  await script(word, [SLOWER]);
  const refused = connect(await guest()).messages.create(asking(word));
  await assert.rejects(refused, (error) => error.status === 429 && error.headers.get("retry-after") === "1");
});

test("what trying again does not help is not tried again", async () => {
  for (const [apiKey, question] of [
    [await guest(), "sim:error=402"],
    [`${KEY}x`, "Hi"],
  ]) {
    const { sent, client } = patient(apiKey);
    await assert.rejects(client.messages.create(asking(question)), Anthropic.APIError);
    assert.equal(sent.requests, 1);
  }
});

for (const [question, type] of Object.entries(BREAKS)) {
  test(`a stream that breaks is an error: ${question}`, async () => {
    const stream = connect(await guest()).messages.stream(asking(`${question} sim:after=5 sim:tokens=100`));
    let text = "";
    stream.on("text", (delta) => (text += delta));
    await assert.rejects(stream.finalMessage(), (error) => {
      assert(error instanceof Anthropic.APIError, error);
      assert.equal(error.type, type);
      return true;
    });
    assert(text);
  });
}

test("a broken stream ends those that read its events with an error, too", async () => {
  const stream = await client.messages.create(asking("sim:cut sim:after=5 sim:tokens=100", { stream: true }));
  const types = [];
  const reading = async () => {
    for await (const event of stream) types.push(event.type);
  };
  await assert.rejects(reading(), Anthropic.APIError);
  assert(types.includes("content_block_delta"));
  assert(!types.includes("message_stop"));
});
