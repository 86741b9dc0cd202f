// What only @ai-sdk/anthropic can do.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createAnthropic } from "@ai-sdk/anthropic";
import { Output, generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

import { BASE_URL as baseURL, KEY, MODEL, guest, mark, received, script } from "./simulator.mjs";
import { CITY, IMAGE, PARIS, collect, text, weather } from "./support.mjs";

const anthropic = createAnthropic({ baseURL, apiKey: KEY });
const model = anthropic(MODEL);
const THINKING = { anthropic: { thinking: { type: "enabled", budgetTokens: 2048 } } };
const MADE = { ...PARIS, inhabitants: 0.5 };

// The parts of an answer that are thoughts, each with the signature that belongs to it.
function thoughts(step) {
  return step.reasoning.map(({ text, providerMetadata }) => [text, providerMetadata.anthropic.signature]);
}

test("thoughts come apart from the answer, with their signature", async () => {
  const prompt = "Why? sim:reasoning";
  const answer = await generateText({ model, prompt, providerOptions: THINKING, maxRetries: 0 });
  const [[said, signature]] = thoughts(answer);
  assert(said && signature && !answer.text.includes(said));
  const parts = await collect({ model, prompt, providerOptions: THINKING });
  assert.equal(text(parts), answer.text);
  const deltas = parts.filter(({ type }) => type === "reasoning-delta");
  assert.equal(deltas.map((part) => part.text).join(""), said);
  assert(deltas.some(({ providerMetadata }) => providerMetadata?.anthropic.signature));
});

test("thoughts that were not asked for are not told", async () => {
  const answer = await generateText({ model, prompt: "Why? sim:reasoning", maxRetries: 0 });
  assert.deepEqual(answer.reasoning, []);
  assert(answer.text);
});

for (const streamed of [false, true]) {
  test(`thoughts before a call go back with its result, ${streamed ? "streamed" : "whole"}`, async () => {
    const word = mark();
    const signatures = ["first", "second"].map((name) => Buffer.from(`${name} ${word}`).toString("base64"));
    // One call, another call after its result, and then the answer.
    for (const [n, city] of ["Paris", "London"].entries()) {
      const think = { reasoning: { text: `Now ${city}.`, signature: signatures[n] } };
      await script(word, [think, { tool: { name: "get_weather", input: { city } } }], { times: 1 });
    }
    await script(word, [{ text: "Cold in both." }]);
    const { asked, tools } = weather();
    const options = { model, prompt: word, tools, providerOptions: THINKING, stopWhen: stepCountIs(4), maxRetries: 0 };
    const steps = streamed ? await streamText(options).steps : (await generateText(options)).steps;
    assert.deepEqual(asked, ["Paris", "London"]);
    assert.deepEqual(steps.map(({ finishReason }) => finishReason), ["tool-calls", "tool-calls", "stop"]);
    assert.deepEqual(steps.slice(0, 2).flatMap(thoughts).map(([, signature]) => signature), signatures);
    assert.equal(steps.at(-1).text, "Cold in both.");
    const last = JSON.stringify((await received(word)).at(-1).body);
    for (const signature of signatures) assert(last.includes(signature));
  });
}

test("an image in a result of a tool is taken", async () => {
  const word = mark();
  const data = IMAGE.toString("base64");
  await script(word, [{ tool: { name: "look", input: {} } }], { times: 1 });
  const look = tool({
    inputSchema: z.object({}),
    execute: async () => data,
    toModelOutput: () => ({ type: "content", value: [{ type: "image-data", data, mediaType: "image/png" }] }),
  });
  await generateText({ model, prompt: word, tools: { look }, stopWhen: stepCountIs(2), maxRetries: 0 });
  const sent = (await received(word)).at(-1).body.conversationState.currentMessage.userInputMessage;
  assert.deepEqual(sent.images, [{ format: "png", source: { bytes: data } }]);
});

for (const structuredOutputMode of ["outputFormat", "jsonTool"]) {
  const providerOptions = { anthropic: { structuredOutputMode } };
  const options = { model, prompt: "How large is Paris?", providerOptions, maxRetries: 0 };

  test(`an output by schema is parsed: ${structuredOutputMode}`, async () => {
    const output = Output.object({ schema: CITY });
    assert.deepEqual((await generateText({ ...options, output })).output, MADE);
    assert.deepEqual(await streamText({ ...options, output }).output, MADE);
    assert.deepEqual((await generateObject({ ...options, schema: CITY })).object, MADE);
  });
}

test("a partial output grows while it comes in", async () => {
  const output = Output.object({ schema: CITY });
  const prompt = `sim:echo ${JSON.stringify(PARIS, null, 1)}`;
  const partial = [];
  for await (const part of streamText({ model, prompt, output, maxRetries: 0 }).partialOutputStream) partial.push(part);
  assert(partial.length > 1, partial);
  assert.deepEqual(partial.at(-1), PARIS);
});

test("an error in a stream tells its type", async () => {
  for (const [broken, type] of [
    ["sim:cut", "api_error"],
    ["sim:fault=ThrottlingException", "rate_limit_error"],
  ]) {
    const model = createAnthropic({ baseURL, apiKey: await guest() })(MODEL);
    const parts = await collect({ model, prompt: `${broken} sim:after=5 sim:tokens=100` });
    const { error } = parts.find((part) => part.type === "error");
    assert(JSON.stringify(error).includes(type), error);
  }
});
