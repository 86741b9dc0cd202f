import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

import { MODEL, client, collect } from "./support.mjs";

const EXPECTED = [
  "claude-opus-4-5",
  "claude-opus-4-5-20251101",
  "claude-sonnet-4-5",
  "claude-sonnet-4-5-20250929",
  "claude-sonnet-4",
  "claude-sonnet-4-20250514",
  "claude-haiku-4-5",
  "claude-haiku-4-5-20251001",
  "claude-3-7-sonnet-20250219",
];

test("the list has the well-known models", async () => {
  const ids = (await collect(client.models.list())).map((model) => model.id);
  assert.deepEqual(EXPECTED.filter((id) => !ids.includes(id)), []);
  assert.equal(new Set(ids).size, ids.length);
});

test("each listed model can be retrieved", async () => {
  for (const model of await collect(client.models.list())) {
    assert.deepEqual({ ...(await client.models.retrieve(model.id)) }, { ...model });
  }
});

test("an unknown model is not found", async () => {
  await assert.rejects(client.models.retrieve("gpt-none"), (error) => {
    assert(error instanceof OpenAI.NotFoundError);
    assert.equal(error.code, "model_not_found");
    assert(error.message.includes(MODEL));
    return true;
  });
});
