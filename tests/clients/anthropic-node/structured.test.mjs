import assert from "node:assert/strict";
import { test } from "node:test";

import { jsonSchemaOutputFormat } from "@anthropic-ai/sdk/helpers/json-schema";

import { mark, received, script } from "./simulator.mjs";
import { ask, asking, client } from "./support.mjs";

const SCHEMA = {
  type: "object",
  properties: { title: { type: "string" } },
  required: ["title"],
  additionalProperties: false,
};
const FORMAT = { format: { type: "json_schema", schema: SCHEMA } };
const PARSED = { format: jsonSchemaOutputFormat(SCHEMA) };

for (const streamed of [false, true]) {
  test(`an answer in JSON has no fence, ${streamed ? "streamed" : "whole"}`, async () => {
    const word = mark();
    await script(word, [{ text: '```json\n{"title": "x"}\n```' }]);
    const message = await ask(asking(word, { output_config: FORMAT }), streamed);
    assert.equal(message.content[0].text, '{"title": "x"}');
  });

  test(`an answer that does not fit is asked for again, ${streamed ? "streamed" : "whole"}`, async () => {
    const word = mark();
    await script(word, [{ text: "The title is x." }], { times: 1 });
    await script(word, [{ text: '{"title": "x"}' }]);
    const message = await ask(asking(word, { output_config: FORMAT }), streamed);
    assert.equal(message.content[0].text, '{"title": "x"}');
    assert.equal((await received(word)).length, 2);
  });
}

test("the package parses it", async () => {
  const request = asking("How large is Paris?", { output_config: PARSED });
  assert.deepEqual((await client.messages.parse(request)).parsed_output, { title: "Paris" });
  const streamed = await client.messages.stream(request).finalMessage();
  assert.deepEqual(streamed.parsed_output, { title: "Paris" });
});
