// The Vercel AI SDK with its providers that speak chat completions, and the one that speaks responses.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { suite, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, Output, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const MODEL = "claude-sonnet-4-5";
const KEY = process.env.GATEWAY_KEY;
const baseURL = `${process.env.GATEWAY_URL}/v1`;
const TEXT = 'Grüße, "Paris"! 🗼\n\tA backslash \\ and a line separator \u2028 end it.';
const BOTH = "What is the weather in both Paris and London?";
// A red pixel.
const IMAGE = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC",
  "base64",
);
const CITY = z.object({ name: z.string(), inhabitants: z.number() });
const PARIS = { name: "Paris", inhabitants: 2100000 };

const PROVIDERS = {
  "@ai-sdk/openai-compatible": (apiKey, options = {}) =>
    createOpenAICompatible({ name: "kiro", baseURL, apiKey, includeUsage: true, ...options }).chatModel,
  // Without `.chat` this provider speaks the Responses API.
  "@ai-sdk/openai": (apiKey) => createOpenAI({ baseURL, apiKey }).chat,
  "@ai-sdk/openai, responses": (apiKey) => createOpenAI({ baseURL, apiKey }).responses,
};

async function control(path, body) {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(`${process.env.SIMULATOR_URL}/__sim/${path}`, options);
  return response.json();
}

// The questions that contain a mark, as the service received them.
async function received(word) {
  const requests = await control("requests?operation=Generate");
  return requests.filter((request) => JSON.stringify(request.body).includes(word));
}

// A key with an account of its own: one that was refused rests, and no other test may feel it.
async function guest() {
  const { refreshToken } = await control("tokens", { kind: "social" });
  return `${KEY}:${refreshToken}`;
}

// A tool, and the cities that it was asked for.
function weather() {
  const asked = [];
  const get_weather = tool({
    description: "The weather in a city",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => {
      asked.push(city);
      return `18 degrees in ${city}`;
    },
  });
  return { asked, tools: { get_weather } };
}

// All parts of a stream; errors are parts too.
async function collect(options) {
  const parts = [];
  for await (const part of streamText({ maxRetries: 0, onError: () => {}, ...options }).fullStream) parts.push(part);
  return parts;
}

const text = (parts) => parts.filter(({ type }) => type === "text-delta").map((part) => part.text).join("");

for (const [name, provider] of Object.entries(PROVIDERS)) {
  const model = provider(KEY)(MODEL);
  const ask = (options) => generateText({ model, maxRetries: 0, ...options });

  suite(name, () => {
    test("an answer comes whole", async () => {
      const answer = await ask({ system: "Be brief.", prompt: `sim:echo ${TEXT}` });
      assert.equal(answer.text, TEXT);
      assert.equal(answer.finishReason, "stop");
      assert(answer.usage.inputTokens > 0 && answer.usage.outputTokens > 0);
    });

    test("a stream adds up to the answer, and tells its usage", async () => {
      const parts = await collect({ model, prompt: `sim:echo ${TEXT}` });
      assert.equal(text(parts), TEXT);
      const { finishReason, totalUsage } = parts.at(-1);
      assert.equal(finishReason, "stop");
      assert(totalUsage.inputTokens > 0 && totalUsage.outputTokens > 0);
    });

    test("silence is filled and spoils nothing", async () => {
      const parts = await collect({ model, prompt: `sim:silence=1s sim:after=2 sim:echo ${TEXT}` });
      assert.equal(text(parts), TEXT);
      assert(!parts.some(({ type }) => type === "error"));
    });

    test("the tool loop comes to an answer", async () => {
      const { asked, tools } = weather();
      const answer = await ask({ prompt: BOTH, tools, stopWhen: stepCountIs(3) });
      assert.deepEqual(asked, ["Paris", "London"]);
      assert.equal(answer.steps[0].finishReason, "tool-calls");
      for (const city of asked) assert(answer.text.includes(`18 degrees in ${city}`), answer.text);
    });

    test("a streamed tool loop comes to an answer", async () => {
      const { asked, tools } = weather();
      const parts = await collect({ model, prompt: BOTH, tools, stopWhen: stepCountIs(3) });
      assert.deepEqual(asked, ["Paris", "London"]);
      assert(parts.some(({ type }) => type === "tool-input-delta"));
      for (const city of asked) assert(text(parts).includes(`18 degrees in ${city}`), text(parts));
    });

    test("an image is seen", async () => {
      const content = [
        { type: "text", text: "What is this?" },
        { type: "image", image: IMAGE },
      ];
      const answer = await ask({ messages: [{ role: "user", content }] });
      assert(answer.text.includes(`a png of ${IMAGE.length} bytes, 1 by 1 pixels`), answer.text);
    });

    test("an output in JSON is parsed", async () => {
      const output = Output.object({ schema: CITY });
      const answer = await ask({ prompt: `sim:echo ${JSON.stringify(PARIS)}`, output });
      assert.deepEqual(answer.output, PARIS);
    });

    test("a refusal before the first event keeps its status", async () => {
      for (const [prompt, statusCode, code, isRetryable] of [
        ["sim:error=429", 429, "rate_limit_exceeded", true],
        ["sim:error=500", 502, "upstream_error", true],
        ["sim:error=400,CONTENT_LENGTH_EXCEEDS_THRESHOLD", 400, "context_length_exceeded", false],
      ]) {
        const model = provider(await guest())(MODEL);
        await assert.rejects(generateText({ model, prompt, maxRetries: 0 }), (error) => {
          assert(APICallError.isInstance(error), error);
          assert.equal(error.statusCode, statusCode);
          assert.equal(error.isRetryable, isRetryable);
          assert.equal(JSON.parse(error.responseBody).error.code, code);
          return true;
        });
        const parts = await collect({ model: provider(await guest())(MODEL), prompt });
        assert.equal(parts.find(({ type }) => type === "error").error.statusCode, statusCode);
      }
    });

    test("a wrong key and an unknown model are told apart", async () => {
      for (const [model, statusCode] of [
        [provider(`${KEY}x`)(MODEL), 401],
        [provider(KEY)("gpt-none"), 404],
      ]) {
        await assert.rejects(generateText({ model, prompt: "Hi", maxRetries: 0 }), { statusCode });
      }
    });

    for (const broken of ["sim:cut", "sim:reset", "sim:bad-message-crc", "sim:fault=ThrottlingException"]) {
      test(`a stream that breaks has an error and never finishes well: ${broken}`, async () => {
        const model = provider(await guest())(MODEL);
        const parts = await collect({ model, prompt: `${broken} sim:after=5 sim:tokens=100` });
        assert(text(parts));
        assert(parts.some(({ type }) => type === "error"));
        const reasons = parts.filter((part) => part.finishReason).map((part) => part.finishReason);
        assert(reasons.every((reason) => reason === "error"), reasons);
      });
    }

    test("a client that leaves stops the upstream stream", async () => {
      const word = `mark-${randomUUID()}`;
      const leaving = new AbortController();
      const prompt = `${word} sim:tokens=20000 sim:delay=20ms`;
      const { textStream } = streamText({ model, prompt, abortSignal: leaving.signal, onError: () => {} });
      let read = 0;
      for await (const _ of textStream) {
        read += 1;
        if (read === 5) leaving.abort();
      }
      const deadline = Date.now() + 10_000;
      let ended;
      while (!ended && Date.now() < deadline) {
        [{ ended }] = await received(word);
        await pause(20);
      }
      assert.equal(ended, "cancelled");
    });

    test("a long history arrives", async () => {
      const word = `mark-${randomUUID()}`;
      const messages = Array.from({ length: 200 }, (_, turn) => [
        { role: "user", content: `Question ${turn} of ${word}` },
        { role: "assistant", content: `Answer ${turn} to ${word}` },
      ]).flat();
      const answer = await ask({ messages: [...messages, { role: "user", content: `sim:echo ends ${word}` }] });
      assert.equal(answer.text, `ends ${word}`);
      const [{ body }] = await received(word);
      const sent = JSON.stringify(body);
      const places = messages.map(({ content }) => sent.indexOf(content));
      assert(places.every((place, n) => place > (places[n - 1] ?? -1)));
    });
  });
}

const compatible = PROVIDERS["@ai-sdk/openai-compatible"];

test("thoughts come apart from the answer", async () => {
  const providerOptions = { kiro: { reasoningEffort: "high" } };
  const prompt = "Why? sim:reasoning";
  const model = compatible(KEY)(MODEL);
  const answer = await generateText({ model, prompt, providerOptions, maxRetries: 0 });
  assert(answer.reasoningText && !answer.text.includes(answer.reasoningText));
  const parts = await collect({ model, prompt, providerOptions });
  const thoughts = parts.filter(({ type }) => type === "reasoning-delta").map((part) => part.text);
  assert.equal(thoughts.join(""), answer.reasoningText);
  assert.equal(text(parts), answer.text);
});

test("an output by schema is parsed", async () => {
  const model = compatible(KEY, { supportsStructuredOutputs: true })(MODEL);
  const output = Output.object({ schema: CITY });
  const prompt = `sim:echo ${JSON.stringify(PARIS)}`;
  const answer = await generateText({ model, prompt, output, maxRetries: 0 });
  assert.deepEqual(answer.output, PARIS);
  const made = await generateText({ model, prompt: "How large is Paris?", output, maxRetries: 0 });
  assert.deepEqual(made.output, { ...PARIS, inhabitants: 0.5 });
});

test("a partial output grows while it comes in", async () => {
  const model = compatible(KEY, { supportsStructuredOutputs: true })(MODEL);
  const output = Output.object({ schema: CITY });
  const stream = streamText({ model, prompt: `sim:echo ${JSON.stringify(PARIS, null, 1)}`, output, maxRetries: 0 });
  const partial = [];
  for await (const part of stream.partialOutputStream) partial.push(part);
  assert(partial.length > 1, partial);
  assert.deepEqual(partial.at(-1), PARIS);
});
