// Answers in JSON.

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

import { MODEL, client } from "./support.mjs";

const PARIS = { name: "Paris", inhabitants: 2100000 };
const schema = {
  type: "object",
  properties: { name: { type: "string" }, inhabitants: { type: "integer" } },
  required: ["name", "inhabitants"],
  additionalProperties: false,
};
const FORMATS = [
  { type: "json_schema", json_schema: { name: "city", strict: true, schema } },
  { type: "json_object" },
];

for (const response_format of FORMATS) {
  const messages = [{ role: "user", content: `sim:echo ${JSON.stringify(PARIS)}` }];
  const body = { model: MODEL, messages, response_format };

  test(`an answer is parsed: ${response_format.type}`, async () => {
    const [{ message }] = (await client.chat.completions.parse(body)).choices;
    assert.deepEqual(JSON.parse(message.content), PARIS);
  });

  test(`a stream is put together: ${response_format.type}`, async () => {
    const [{ message }] = (await client.chat.completions.stream(body).finalChatCompletion()).choices;
    assert.deepEqual(JSON.parse(message.content), PARIS);
  });
}

test("the model is told the schema", async () => {
  const messages = [{ role: "user", content: "How large is Paris?" }];
  const body = { model: MODEL, messages, response_format: FORMATS[0] };
  const [{ message }] = (await client.chat.completions.parse(body)).choices;
  assert.deepEqual(JSON.parse(message.content), { name: "Paris", inhabitants: 1 });
});

test("a stream that turns out wrong is an error", async () => {
  const messages = [{ role: "user", content: 'sim:echo {"name": "Paris"}' }];
  const body = { model: MODEL, messages, response_format: FORMATS[0] };
  await assert.rejects(client.chat.completions.stream(body).finalChatCompletion(), (error) => {
    assert(error instanceof OpenAI.APIError, error);
    assert.equal(error.code, "structured_output_failed");
    return true;
  });
});
