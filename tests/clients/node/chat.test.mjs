import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32, deflateSync } from "node:zlib";

import OpenAI from "openai";

import { KEY, MODEL, ask, client, collect, connect, mark, simulator } from "./support.mjs";

const TEXT = 'Grüße, "Paris"! 🗼\n\tA backslash \\ and a line separator \u2028 end it.';

// Checks what holds for every complete stream and returns its parts in order, as [name, text].
function checkStream(chunks) {
  const { id, created } = chunks[0];
  assert.equal(chunks[0].choices[0].delta.role, "assistant");
  for (const chunk of chunks) {
    assert.deepEqual([chunk.id, chunk.created, chunk.model], [id, created, MODEL]);
    assert.equal(chunk.object, "chat.completion.chunk");
  }
  const told = chunks.flatMap((chunk) => chunk.choices);
  assert(told.every((choice) => choice.index === 0));
  assert(told.slice(1).every((choice) => choice.delta.role === undefined));
  assert(told.slice(0, -1).every((choice) => choice.finish_reason === null));
  assert.notEqual(told.at(-1).finish_reason, null);
  return told.flatMap(({ delta }) =>
    ["reasoning_content", "content"].filter((name) => delta[name]).map((name) => [name, delta[name]]),
  );
}

const join = (parts) => parts.map(([, text]) => text).join("");

test("an answer comes whole", async () => {
  const completion = await ask(`sim:echo ${TEXT}`);
  const [choice] = completion.choices;
  assert.equal(choice.message.role, "assistant");
  assert.equal(choice.message.content, TEXT);
  assert.equal(choice.finish_reason, "stop");
  assert.equal(completion.model, MODEL);
  const { prompt_tokens, completion_tokens, total_tokens } = completion.usage;
  assert(prompt_tokens > 0 && completion_tokens > 0);
  assert.equal(total_tokens, prompt_tokens + completion_tokens);
  assert(completion._request_id);
});

test("a stream has the same text in pieces", async () => {
  const question = "Tell me about Paris. sim:tokens=100";
  const chunks = await collect(await ask(question, { stream: true }));
  const parts = checkStream(chunks);
  assert(parts.length > 10);
  assert.equal(join(parts), (await ask(question)).choices[0].message.content);
  assert.equal(chunks.at(-1).choices[0].finish_reason, "stop");
});

test("any text survives streaming", async () => {
  const chunks = await collect(await ask(`sim:echo ${TEXT}`, { stream: true }));
  assert.equal(join(checkStream(chunks)), TEXT);
});

test("silence is filled and spoils nothing", async () => {
  const question = `sim:silence=1s sim:after=2 sim:echo ${TEXT}`;
  const chunks = await collect(await ask(question, { stream: true }));
  assert.equal(join(checkStream(chunks)), TEXT);
  assert(chunks.filter(({ choices }) => Object.keys(choices[0].delta).length === 0).length > 2);
  const messages = [{ role: "user", content: question }];
  const [{ message }] = (await client.chat.completions.stream({ model: MODEL, messages }).finalChatCompletion()).choices;
  assert.equal(message.content, TEXT);
});

test("usage is streamed when asked for, and only then", async () => {
  const asked = await collect(await ask("Hello", { stream: true, stream_options: { include_usage: true } }));
  checkStream(asked);
  const { choices, usage } = asked.at(-1);
  assert.deepEqual(choices, []);
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  assert(asked.slice(0, -1).every((chunk) => chunk.usage === null));

  const unasked = await collect(await ask("Hello", { stream: true }));
  assert(unasked.every((chunk) => !("usage" in chunk) && chunk.choices.length === 1));
});

test("the stream helper puts the answer together", async () => {
  const messages = [{ role: "user", content: `sim:echo ${TEXT}` }];
  const runner = client.chat.completions.stream({ model: MODEL, messages });
  const [choice] = (await runner.finalChatCompletion()).choices;
  assert.equal(choice.message.content, TEXT);
  assert.equal(choice.finish_reason, "stop");
});

test("an image is seen", async () => {
  const image = png(2, 3);
  const url = `data:image/png;base64,${image.toString("base64")}`;
  const answer = await ask([
    { type: "text", text: "What is this?" },
    { type: "image_url", image_url: { url } },
  ]);
  const said = answer.choices[0].message.content;
  assert(said.includes(`a png of ${image.length} bytes, 2 by 3 pixels`), said);
});

// A red rectangle.
function png(width, height) {
  const piece = (name, data) => {
    const named = Buffer.concat([Buffer.from(name), data]);
    return Buffer.concat([uint32(data.length), named, uint32(crc32(named))]);
  };
  const head = Buffer.concat([uint32(width), uint32(height), Buffer.from([8, 2, 0, 0, 0])]);
  const row = Buffer.concat([Buffer.from([0]), ...Array(width).fill(Buffer.from([255, 0, 0]))]);
  const rows = deflateSync(Buffer.concat(Array(height).fill(row)));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 0x1a, 10]);
  return Buffer.concat([signature, piece("IHDR", head), piece("IDAT", rows), piece("IEND", Buffer.alloc(0))]);
}

function uint32(number) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
}

test("thoughts come apart from the answer, and before it", async () => {
  const options = { reasoning_effort: "high" };
  const { message } = (await ask("Why? sim:reasoning", options)).choices[0];
  assert(message.reasoning_content);
  const chunks = await collect(await ask("Why? sim:reasoning", { ...options, stream: true }));
  const names = checkStream(chunks).map(([name]) => name);
  const turn = names.indexOf("content");
  assert(turn > 0);
  assert(names.every((name, at) => name === (at < turn ? "reasoning_content" : "content")));
});

test("a tenant is served with their own login", async () => {
  const word = mark();
  const login = await simulator.login();
  const tenant = connect(`${KEY}:${login.refreshToken}`);
  // The second question finds the login refreshed and its first refresh token spent.
  for (let n = 0; n < 2; n += 1) {
    const messages = [{ role: "user", content: `Hello ${word}` }];
    const answer = await tenant.chat.completions.create({ model: MODEL, messages });
    assert(answer.choices[0].message.content.includes(word));
  }
  const accounts = (await simulator.requests(word)).map((request) => request.account);
  assert.deepEqual(accounts, [login.account, login.account]);
});

test("a client that leaves stops the upstream stream", async () => {
  const word = mark();
  const stream = await ask(`${word} sim:tokens=20000 sim:delay=20ms`, { stream: true });
  let read = 0;
  for await (const _ of stream) {
    read += 1;
    if (read === 5) break;
  }
  assert.equal(await simulator.waitForEnd(word), "cancelled");
});

test("a client that gives up waiting stops the upstream stream", async () => {
  const word = mark();
  const impatient = client.withOptions({ timeout: 1000 });
  const messages = [{ role: "user", content: `${word} sim:tokens=20000 sim:delay=20ms` }];
  const answer = impatient.chat.completions.create({ model: MODEL, messages });
  await assert.rejects(answer, OpenAI.APIConnectionTimeoutError);
  assert.equal(await simulator.waitForEnd(word), "cancelled");
});
