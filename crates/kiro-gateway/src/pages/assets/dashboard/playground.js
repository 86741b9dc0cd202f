// A conversation with a model through the gateway: streamed, with tools and pictures. It is kept in the memory of
// the page and nowhere else.

import { byId, make } from "./dom.js";
import { events, refusal } from "./events.js";
import { short, time } from "./words.js";

const CALLER = "kiro-2api.caller";

const TOOLS = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "The weather of a city",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];

let messages = [];
let running = null;

byId("tools").value = JSON.stringify(TOOLS, null, 2);
byId("caller").value = sessionStorage.getItem(CALLER) ?? "";

byId("with-tools").addEventListener("change", (event) => {
  byId("tools-field").hidden = !event.target.checked;
});
byId("caller").addEventListener("change", () => {
  sessionStorage.setItem(CALLER, byId("caller").value);
  listModels();
});
byId("stop").addEventListener("click", () => running?.abort());
byId("anew").addEventListener("click", forget);
byId("message").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("ask").requestSubmit();
});
byId("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (running) return;
  const text = byId("message").value;
  const file = byId("picture").files[0];
  const url = file && (await read(file));
  const content = url ? [{ type: "text", text }, { type: "image_url", image_url: { url } }] : text;
  messages.push({ role: "user", content });
  const shown = turn("You");
  shown.append(make("p", {}, text), url ? make("img", { src: url, alt: "The picture that was sent" }) : "");
  byId("message").value = "";
  byId("picture").value = "";
  await answer();
});

// Everything that is kept of it goes.
export function forget() {
  running?.abort();
  messages = [];
  byId("talk").replaceChildren();
  byId("trouble").textContent = "";
}

export function leave() {
  forget();
  sessionStorage.removeItem(CALLER);
  byId("caller").value = "";
}

export async function listModels() {
  const key = byId("caller").value;
  if (!key) return;
  const response = await fetch("v1/models", { headers: { authorization: `Bearer ${key}` } }).catch(() => null);
  if (!response?.ok) return;
  const { data } = await response.json();
  byId("names").replaceChildren(...data.map((model) => make("option", { value: model.id })));
}

function read(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

function turn(who) {
  const shown = make("article", { class: "turn" }, make("h3", {}, who));
  byId("talk").append(shown);
  return shown;
}

function request() {
  const system = byId("system").value.trim();
  const asked = {
    model: byId("model").value,
    messages: system ? [{ role: "system", content: system }, ...messages] : messages,
    stream: true,
    stream_options: { include_usage: true },
  };
  if (byId("with-tools").checked) asked.tools = JSON.parse(byId("tools").value);
  return asked;
}

// Asks with the conversation so far and shows the answer as it comes.
async function answer() {
  byId("trouble").textContent = "";
  running = new AbortController();
  busy(true);
  const began = performance.now();
  const reply = { content: "", reasoning: "", calls: [], usage: null, first: null };
  let shown = null;
  try {
    const response = await fetch("v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${byId("caller").value}` },
      body: JSON.stringify(request()),
      signal: running.signal,
    });
    if (!response.ok) throw new Error(await refusal(response));
    shown = blank();
    for await (const data of events(response)) {
      if (data === "[DONE]") break;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new Error(chunk.error.message);
      take(reply, chunk);
      reply.first ??= reply.content || reply.reasoning || reply.calls.length > 0 ? performance.now() - began : null;
      tell(shown, reply);
    }
    numbers(shown, reply, performance.now() - began);
  } catch (error) {
    const stopped = error.name === "AbortError";
    byId("trouble").textContent = stopped ? "Stopped." : error.message;
  } finally {
    running = null;
    busy(false);
  }
  keep(reply, shown);
}

function busy(is) {
  byId("send").disabled = is;
  byId("stop").disabled = !is;
}

// Adds a chunk to what came before.
function take(reply, chunk) {
  reply.usage = chunk.usage ?? reply.usage;
  const delta = chunk.choices[0]?.delta ?? {};
  reply.content += delta.content ?? "";
  reply.reasoning += delta.reasoning_content ?? "";
  for (const fragment of delta.tool_calls ?? []) {
    reply.calls[fragment.index] ??= { id: "", type: "function", function: { name: "", arguments: "" } };
    const call = reply.calls[fragment.index];
    call.id = fragment.id ?? call.id;
    call.function.name += fragment.function?.name ?? "";
    call.function.arguments += fragment.function?.arguments ?? "";
  }
}

function blank() {
  const thoughts = make("details", { hidden: "" }, make("summary", {}, "Thoughts"), make("p", {}));
  const text = make("p", {});
  const calls = make("div", {});
  turn("Model").append(thoughts, text, calls);
  return { thoughts, text, calls };
}

function tell(shown, reply) {
  shown.text.textContent = reply.content;
  shown.thoughts.hidden = !reply.reasoning;
  shown.thoughts.lastChild.textContent = reply.reasoning;
  const calls = reply.calls.map((call) => make("pre", {}, `${call.function.name}(${call.function.arguments})`));
  shown.calls.replaceChildren(...calls);
}

function numbers(shown, reply, total) {
  const words = [`first token after ${time(Math.round(reply.first ?? total))}`, `${time(Math.round(total))} in all`];
  if (reply.usage) {
    words.push(`${short(reply.usage.prompt_tokens)} tokens in, ${short(reply.usage.completion_tokens)} out`);
    if (reply.usage.credits_used !== undefined) words.push(`${reply.usage.credits_used.toFixed(4)} credits`);
  }
  shown.calls.after(make("p", { class: "numbers" }, words.join(" · ")));
}

// An answer that came to its end goes into the conversation; calls ask for their results.
function keep(reply, shown) {
  const said = reply.content || reply.calls.length > 0;
  if (!said || byId("trouble").textContent) {
    return;
  }
  const message = { role: "assistant", content: reply.content || null };
  if (reply.calls.length > 0) message.tool_calls = reply.calls;
  messages.push(message);
  if (reply.calls.length > 0) askForResults(reply.calls, shown);
}

function askForResults(calls, shown) {
  const form = make("form", {});
  const fields = calls.map((call) => {
    const field = make("textarea", { rows: 2, required: "" });
    form.append(make("label", {}, `Result of ${call.function.name}`, field));
    return { call, field };
  });
  form.append(make("button", { type: "submit" }, "Send results"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running) return;
    for (const { call, field } of fields) {
      messages.push({ role: "tool", tool_call_id: call.id, content: field.value });
      turn(`Result of ${call.function.name}`).append(make("p", {}, field.value));
    }
    form.remove();
    await answer();
  });
  shown.calls.after(form);
  fields[0].field.focus();
}
