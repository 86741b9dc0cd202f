import assert from "node:assert/strict";
import { test } from "node:test";

import { MODEL, mark, received, script, waitForEnd } from "./simulator.mjs";
import { TEXT, WEATHER, ask, asking, client } from "./support.mjs";

// A red pixel.
const IMAGE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";
const SEEN = `a png of ${Buffer.from(IMAGE, "base64").length} bytes, 1 by 1 pixels`;
const PICTURE = { type: "image", source: { type: "base64", media_type: "image/png", data: IMAGE } };

const THINKING = { thinking: { type: "enabled", budget_tokens: 2048 }, max_tokens: 4000 };

test("a message", async () => {
  const message = await client.messages.create(asking(`sim:echo ${TEXT}`));
  assert.deepEqual(message.content.map((block) => block.text), [TEXT]);
  assert.equal(message.stop_reason, "end_turn");
  assert(message.usage.input_tokens > 0 && message.usage.output_tokens > 0);
  assert.match(message._request_id, /^req_/);
});

test("a stream comes to the same message", async () => {
  const stream = client.messages.stream(asking(`sim:echo ${TEXT}`));
  let text = "";
  stream.on("text", (delta) => (text += delta));
  const message = await stream.finalMessage();
  assert.equal(text, TEXT);
  assert.equal(message.content[0].text, text);
  assert(message.usage.input_tokens > 0 && message.usage.output_tokens > 0);
});

test("silence is filled and spoils nothing", async () => {
  const request = asking(`sim:silence=1s sim:after=2 sim:echo ${TEXT}`);
  const message = await client.messages.stream(request).finalMessage();
  assert.equal(message.content[0].text, TEXT);
});

for (const streamed of [false, true]) {
  const how = streamed ? "streamed" : "whole";

  test(`the tool loop comes to an answer, ${how}`, async () => {
    const request = asking("What is the weather in both Paris and London?", { tools: [WEATHER] });
    const message = await ask(request, streamed);
    assert.equal(message.stop_reason, "tool_use");
    const calls = message.content.filter((block) => block.type === "tool_use");
    assert.deepEqual(calls.map((call) => call.input), [{ city: "Paris" }, { city: "London" }]);
    const results = calls.map(({ id, input }) => {
      return { type: "tool_result", tool_use_id: id, content: `18 degrees in ${input.city}` };
    });
    request.messages.push({ role: "assistant", content: message.content }, { role: "user", content: results });
    const [{ text }] = (await ask(request, streamed)).content;
    for (const city of ["Paris", "London"]) assert(text.includes(`18 degrees in ${city}`), text);
  });

  test(`a call without arguments has an empty input, ${how}`, async () => {
    const word = mark();
    await script(word, [{ tool: { name: "now", input: {} } }]);
    const now = { name: "now", description: "The time", input_schema: { type: "object", properties: {} } };
    const message = await ask(asking(word, { tools: [now] }), streamed);
    assert.deepEqual(message.content.map(({ type, input }) => [type, input]), [["tool_use", {}]]);
  });

  test(`thoughts come with a signature and go back, ${how}`, async () => {
    const request = asking("sim:reasoning Why?", THINKING);
    const message = await ask(request, streamed);
    const [thoughts, said] = message.content;
    assert.equal(thoughts.type, "thinking");
    assert(thoughts.thinking && thoughts.signature);
    assert(!said.text.includes(thoughts.thinking));
    const word = mark();
    request.messages.push({ role: "assistant", content: message.content }, { role: "user", content: `sim:echo ${word}` });
    await ask(request, streamed);
    const [sent] = await received(word);
    assert(JSON.stringify(sent.body).includes(thoughts.signature));
  });
}

test("thoughts before a call go back with its result, turn after turn", async () => {
  const word = mark();
  const question = `${word} sim:reasoning what is the weather in Paris?`;
  const request = asking(question, { ...THINKING, tools: [WEATHER] });
  const signatures = [];
  for (const city of ["Paris", "London"]) {
    const { content } = await ask(request, true);
    assert.deepEqual(content.map(({ type }) => type), ["thinking", "text", "tool_use"]);
    const [{ signature }, , { id, input }] = content;
    assert.equal(input.city, city);
    signatures.push(signature);
    const result = { type: "tool_result", tool_use_id: id, content: `18 degrees in ${city}` };
    request.messages.push({ role: "assistant", content }, { role: "user", content: [result] });
    const answer = await ask(request, true);
    request.messages.push({ role: "assistant", content: answer.content });
    request.messages.push({ role: "user", content: "sim:reasoning and the weather in London?" });
  }
  const sent = JSON.stringify((await received(word)).at(-1).body);
  for (const signature of signatures) assert(sent.includes(signature));
});

test("an image is seen, and one in a result of a tool is taken", async () => {
  const request = asking([{ type: "text", text: "What is this?" }, PICTURE]);
  const [{ text }] = (await client.messages.create(request)).content;
  assert(text.includes(SEEN), text);

  const word = mark();
  const result = { type: "tool_result", tool_use_id: "toolu_1", content: [PICTURE] };
  const { messages } = asking(`What is the weather in Paris? ${word}`);
  messages.push(
    { role: "assistant", content: [{ type: "tool_use", id: "toolu_1", name: "get_weather", input: { city: "Paris" } }] },
    { role: "user", content: [result] },
  );
  await client.messages.create({ ...asking(""), messages, tools: [WEATHER] });
  const [sent] = await received(word);
  const { images } = sent.body.conversationState.currentMessage.userInputMessage;
  assert.deepEqual(images, [{ format: "png", source: { bytes: IMAGE } }]);
});

test("a stop sequence ends the answer and is told", async () => {
  const message = await client.messages.create(asking("sim:echo one two three", { stop_sequences: ["three", "two"] }));
  assert.deepEqual([message.content[0].text, message.stop_reason], ["one ", "stop_sequence"]);
  assert.equal(message.stop_sequence, "two");
});

test("what is in beta has the same answers", async () => {
  const betas = ["context-management-2025-06-27"];
  const request = asking(`sim:echo ${TEXT}`, { betas });
  const message = await client.beta.messages.create(request);
  assert.equal(message.content[0].text, TEXT);
  const streamed = await client.beta.messages.stream(request).finalMessage();
  assert.equal(streamed.content[0].text, TEXT);
  const { max_tokens, ...counted } = request;
  assert((await client.beta.messages.countTokens(counted)).input_tokens > 5);
});

for (const options of [{}, { thread: false }]) {
  test(`the runner of tools comes to an answer: ${JSON.stringify(options)}`, async () => {
    const cities = [];
    const run = ({ city }) => {
      cities.push(city);
      return `18 degrees in ${city}`;
    };
    const tools = [{ ...WEATHER, run }];
    const request = asking("What is the weather in both Paris and London?", { tools, ...options });
    const message = await client.beta.messages.toolRunner(request);
    assert.deepEqual(cities, ["Paris", "London"]);
    for (const city of cities) assert(message.content[0].text.includes(`18 degrees in ${city}`));
  });
}

test("tokens are counted, those of tools as well", async () => {
  const { max_tokens, ...request } = asking("Hello");
  const alone = await client.messages.countTokens(request);
  const withTools = await client.messages.countTokens({ ...request, tools: [WEATHER] });
  assert(alone.input_tokens > 0);
  assert(withTools.input_tokens > alone.input_tokens + 10);
});

test("the models are listed, and each is there by its name", async () => {
  const ids = [];
  for await (const model of client.models.list({ limit: 1000 })) ids.push(model.id);
  assert(ids.includes(MODEL), ids.join());
  const model = await client.models.retrieve(MODEL);
  assert.deepEqual([model.id, model.type], [MODEL, "model"]);
  assert(model.display_name && !Number.isNaN(Date.parse(model.created_at)));
});

test("who leaves ends the stream of the service", async () => {
  const word = mark();
  const stream = client.messages.stream(asking(`sim:tokens=5 sim:after=1 sim:hang ${word}`));
  stream.on("error", () => {});
  stream.on("abort", () => {});
  await new Promise((resolve) => stream.once("text", resolve));
  stream.abort();
  assert.equal(await waitForEnd(word), "cancelled");
});

test("a long history arrives", async () => {
  const word = mark();
  const messages = Array.from({ length: 200 }, (_, turn) => [
    { role: "user", content: `Question ${turn} of ${word}` },
    { role: "assistant", content: `Answer ${turn} to ${word}` },
  ]).flat();
  const last = { role: "user", content: `sim:echo ends ${word}` };
  const message = await client.messages.create({ ...asking(""), messages: [...messages, last] });
  assert.equal(message.content[0].text, `ends ${word}`);
  const sent = JSON.stringify((await received(word))[0].body);
  const places = messages.map(({ content }) => sent.indexOf(content));
  assert(places.every((place, n) => place > (places[n - 1] ?? -1)));
});
