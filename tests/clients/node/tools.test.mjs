import assert from "node:assert/strict";
import { test } from "node:test";

import { MODEL, ask, client, collect } from "./support.mjs";

const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather in a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
    },
  },
};
const BOTH = "What is the weather in both Paris and London?";

const city = (call) => JSON.parse(call.function.arguments).city;

test("the tool loop comes to an answer", async () => {
  const messages = [{ role: "user", content: "What is the weather in Paris?" }];
  const [choice] = (await client.chat.completions.create({ model: MODEL, messages, tools: [WEATHER] })).choices;
  assert.equal(choice.finish_reason, "tool_calls");
  const [call, ...more] = choice.message.tool_calls;
  assert.deepEqual(more, []);
  assert.equal(call.type, "function");
  assert.equal(call.function.name, "get_weather");
  assert.deepEqual(JSON.parse(call.function.arguments), { city: "Paris" });

  messages.push(choice.message, { role: "tool", tool_call_id: call.id, content: "18 degrees" });
  const [final] = (await client.chat.completions.create({ model: MODEL, messages, tools: [WEATHER] })).choices;
  assert.equal(final.finish_reason, "stop");
  assert(final.message.content.includes("18 degrees"), final.message.content);
});

test("a streamed call comes in pieces", async () => {
  const options = { tools: [WEATHER], stream: true };
  const chunks = await collect(await ask("What is the weather in Paris?", options));
  const [first, ...rest] = chunks.flatMap((chunk) => chunk.choices[0].delta.tool_calls ?? []);
  assert.equal(first.index, 0);
  assert(first.id);
  assert.equal(first.type, "function");
  assert.equal(first.function.name, "get_weather");
  assert(rest.length > 1);
  for (const piece of rest) {
    assert.deepEqual([piece.index, piece.id, piece.type, piece.function.name], [0, undefined, undefined, undefined]);
  }
  const text = [first, ...rest].map((piece) => piece.function.arguments).join("");
  assert.deepEqual(JSON.parse(text), { city: "Paris" });
  assert.equal(chunks.at(-1).choices[0].finish_reason, "tool_calls");
});

test("parallel calls are told apart", async () => {
  const messages = [{ role: "user", content: BOTH }];
  const plain = await client.chat.completions.create({ model: MODEL, messages, tools: [WEATHER] });
  assert.deepEqual(plain.choices[0].message.tool_calls.map(city), ["Paris", "London"]);

  const runner = client.chat.completions.stream({ model: MODEL, messages, tools: [WEATHER] });
  const calls = (await runner.finalChatCompletion()).choices[0].message.tool_calls;
  assert.deepEqual(calls.map(city), ["Paris", "London"]);
  assert.notEqual(calls[0].id, calls[1].id);
});

test("the tool runner comes to an answer by itself", async () => {
  const asked = [];
  const runner = client.chat.completions.runTools({
    model: MODEL,
    messages: [{ role: "user", content: BOTH }],
    stream: true,
    tools: [
      {
        type: "function",
        function: {
          ...WEATHER.function,
          parse: JSON.parse,
          function: (input) => {
            asked.push(input.city);
            return `18 degrees in ${input.city}`;
          },
        },
      },
    ],
  });
  const said = await runner.finalContent();
  assert.deepEqual(asked, ["Paris", "London"]);
  assert(said.includes("18 degrees in Paris") && said.includes("18 degrees in London"), said);
});

test("one call at a time when asked for", async () => {
  const answer = await ask(BOTH, { tools: [WEATHER], parallel_tool_calls: false });
  assert.deepEqual(answer.choices[0].message.tool_calls.map(city), ["Paris"]);
});
