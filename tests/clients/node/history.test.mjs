import assert from "node:assert/strict";
import { test } from "node:test";

import { MODEL, client, mark, simulator } from "./support.mjs";

test("a long history arrives, in order", async () => {
  const word = mark();
  const turns = Array.from({ length: 200 }, (_, turn) => [
    { role: "user", content: `Question ${turn} of ${word}` },
    { role: "assistant", content: `Answer ${turn} to ${word}` },
  ]).flat();
  const messages = [...turns, { role: "user", content: `sim:echo ends ${word}` }];
  const answer = await client.chat.completions.create({ model: MODEL, messages });
  assert.equal(answer.choices[0].message.content, `ends ${word}`);
  const [{ body }] = await simulator.requests(word);
  const sent = JSON.stringify(body);
  const places = turns.map(({ content }) => sent.indexOf(content));
  assert(places.every((place, n) => place > (places[n - 1] ?? -1)));
});
