// What the tests of all providers share: things to ask, and how to read a stream.

import { streamText, tool } from "ai";
import { z } from "zod";

export const TEXT = 'Grüße, "Paris"! 🗼\n\tA backslash \\ and a line separator \u2028 end it.';

// A red pixel, and how the simulated service speaks of it.
export const IMAGE = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC",
  "base64",
);
export const SEEN = `a png of ${IMAGE.length} bytes, 1 by 1 pixels`;

export const CITY = z.object({ name: z.string(), inhabitants: z.number() });
export const PARIS = { name: "Paris", inhabitants: 2100000 };

// A tool, and the cities that it was asked for.
export function weather() {
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
export async function collect(options) {
  const parts = [];
  for await (const part of streamText({ maxRetries: 0, onError: () => {}, ...options }).fullStream) parts.push(part);
  return parts;
}

// What a stream says.
export function text(parts) {
  return parts.filter(({ type }) => type === "text-delta").map((part) => part.text).join("");
}
