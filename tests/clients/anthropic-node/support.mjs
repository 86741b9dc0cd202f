// What the tests of this folder share: the client, questions, and a tool.

import Anthropic from "@anthropic-ai/sdk";

import { KEY, MODEL } from "./simulator.mjs";

export const TEXT = 'Grüße, "Paris"! 🗼\n\tA backslash \\ and a line separator \u2028 end it.';

export const WEATHER = {
  name: "get_weather",
  description: "The weather in a city",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

// A client that does not hide failures by trying again.
export function connect(apiKey = KEY, options = {}) {
  return new Anthropic({ baseURL: process.env.GATEWAY_URL, apiKey, maxRetries: 0, timeout: 60_000, ...options });
}

export const client = connect();

// The parameters of one question.
export function asking(content, options = {}) {
  return { model: MODEL, max_tokens: 1000, messages: [{ role: "user", content }], ...options };
}

// The message whole, or put together by the package from a stream.
export function ask(request, streamed) {
  return streamed ? client.messages.stream(request).finalMessage() : client.messages.create(request);
}
