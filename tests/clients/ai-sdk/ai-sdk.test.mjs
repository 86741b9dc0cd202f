// The Vercel AI SDK with its providers that speak chat completions, responses and messages: what all of them can do.

import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, Output, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

import { BASE_URL as baseURL, KEY, MODEL, TOO_LONG, guest, mark, received, script, waitForEnd } from "./simulator.mjs";
import { CITY, IMAGE, PARIS, SEEN, TEXT, collect, text, weather } from "./support.mjs";

const BOTH = "What is the weather in both Paris and London?";

const PROVIDERS = {
  "@ai-sdk/openai-compatible": (apiKey, options = {}) =>
    createOpenAICompatible({ name: "kiro", baseURL, apiKey, includeUsage: true, ...options }).chatModel,
  // Without `.chat` this provider speaks the Responses API.
  "@ai-sdk/openai": (apiKey) => createOpenAI({ baseURL, apiKey }).chat,
  "@ai-sdk/openai, responses": (apiKey) => createOpenAI({ baseURL, apiKey }).responses,
  "@ai-sdk/anthropic": (apiKey) => createAnthropic({ baseURL, apiKey }),
};

// What the bodies of refusals say, in the words of each API.
const OPENAI = {
  "sim:error=429": [429, "rate_limit_exceeded", true],
  "sim:error=500": [502, "upstream_error", true],
  [TOO_LONG]: [400, "context_length_exceeded", false],
};
const ANTHROPIC = {
  "sim:error=429": [429, "rate_limit_error", true],
  "sim:error=500": [502, "api_error", true],
  [TOO_LONG]: [400, "invalid_request_error", false],
};

for (const [name, provider] of Object.entries(PROVIDERS)) {
  const model = provider(KEY)(MODEL);
  const ask = (options) => generateText({ model, maxRetries: 0, ...options });
  const refusals = name === "@ai-sdk/anthropic" ? ANTHROPIC : OPENAI;

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

    test("a call without arguments has an empty input", async () => {
      const word = mark();
      await script(word, [{ tool: { name: "now", input: {} } }], { times: 2 });
      const asked = [];
      const now = tool({ inputSchema: z.object({}), execute: async (input) => asked.push(input) });
      await ask({ prompt: word, tools: { now } });
      await collect({ model, prompt: word, tools: { now } });
      assert.deepEqual(asked, [{}, {}]);
    });

    test("a rate limit is waited for and tried again", async () => {
      const word = mark();
      const body = { message: "Slower", reason: "x" };
      await script(word, [{ http_error: { status: 429, body, retry_after_ms: 1000 } }], { times: 1 });
      await script(word, [{ text: "Here" }]);
      const model = provider(await guest())(MODEL);
      assert.equal((await generateText({ model, prompt: word, maxRetries: 1 })).text, "Here");
      assert.equal((await received(word)).length, 2);
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
      assert(answer.text.includes(SEEN), answer.text);
    });

    test("an output in JSON is parsed", async () => {
      const output = Output.object({ schema: CITY });
      const answer = await ask({ prompt: `sim:echo ${JSON.stringify(PARIS)}`, output });
      assert.deepEqual(answer.output, PARIS);
    });

    test("a refusal before the first event keeps its status", async () => {
      for (const [prompt, [statusCode, word, isRetryable]] of Object.entries(refusals)) {
        const model = provider(await guest())(MODEL);
        await assert.rejects(generateText({ model, prompt, maxRetries: 0 }), (error) => {
          assert(APICallError.isInstance(error), error);
          assert.equal(error.statusCode, statusCode);
          assert.equal(error.isRetryable, isRetryable);
          const { code, type } = JSON.parse(error.responseBody).error;
          assert.equal(code ?? type, word);
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
      const word = mark();
      const leaving = new AbortController();
      const prompt = `${word} sim:tokens=20000 sim:delay=20ms`;
      const { textStream } = streamText({ model, prompt, abortSignal: leaving.signal, onError: () => {} });
      let read = 0;
      for await (const _ of textStream) {
        read += 1;
        if (read === 5) leaving.abort();
      }
      assert.equal(await waitForEnd(word), "cancelled");
    });

    test("a long history arrives", async () => {
      const word = mark();
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
