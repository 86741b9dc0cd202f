// The openai package on /v1/responses.

import assert from "node:assert/strict";
import test from "node:test";

import OpenAI from "openai";

import { MODEL, client, collect, mark, simulator } from "./support.mjs";

const WEATHER = "What is the weather in Paris?";
const tools = [
  {
    type: "function",
    name: "get_weather",
    description: "The weather of a city.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    strict: false,
  },
];

test("a text comes whole and as a stream", async () => {
  const whole = await client.responses.create({ model: MODEL, input: "sim:echo hello there" });
  assert.match(whole.output_text, /hello there/);
  const events = await collect(await client.responses.create({ model: MODEL, input: "Hello", stream: true }));
  assert.deepEqual(events.map((event) => event.sequence_number), [...events.keys()]);
  assert.equal(events.at(-1).type, "response.completed");
});

test("the helper puts a stream together", async () => {
  const stream = client.responses.stream({ model: MODEL, input: WEATHER, tools });
  const response = await stream.finalResponse();
  assert.ok(response.output.some((item) => item.type === "function_call"));
});

test("a tool loop goes on by the id", async () => {
  const first = await client.responses.create({ model: MODEL, input: WEATHER, tools });
  const calls = first.output.filter((item) => item.type === "function_call");
  assert.equal(calls[0].name, "get_weather");
  const input = calls.map(({ call_id }) => ({ type: "function_call_output", call_id, output: "clear" }));
  const second = await client.responses.create({ model: MODEL, input, tools, previous_response_id: first.id });
  assert.ok(second.output_text);
});

test("a conversation is remembered and forgotten", async () => {
  const word = mark();
  const first = await client.responses.create({ model: MODEL, input: `Remember ${word}` });
  await client.responses.create({ model: MODEL, input: "What was it?", previous_response_id: first.id });
  assert.equal((await simulator.requests(word)).length, 2);
  assert.equal((await client.responses.retrieve(first.id)).id, first.id);
  await client.responses.delete(first.id);
  await assert.rejects(client.responses.retrieve(first.id), OpenAI.NotFoundError);
});

test("a stream that breaks raises", async () => {
  const input = "sim:cut sim:after=5 sim:tokens=100";
  await assert.rejects(
    async () => collect(await client.responses.create({ model: MODEL, input, stream: true })),
    OpenAI.APIError,
  );
});
