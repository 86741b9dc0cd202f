// Answers in JSON. The simulated service answers as it is told, so these show that the format is accepted.

import assert from "node:assert/strict";
import { test } from "node:test";

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
