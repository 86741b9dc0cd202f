// What is going on: tiles, charts and tables.

import { chart } from "./charts.js";
import { byId, make } from "./dom.js";
import { long, moment, short, time } from "./words.js";

// Cells in a chart, and cells that the gateway keeps.
const SHOWN = 60;
const KEPT = 360;
const ERRORS = 100;

// All that is known; changes are laid over it.
let state = { cells: [], errors: [] };

export function begin(snapshot) {
  state = { ...snapshot, began: snapshot.now - snapshot.uptime_seconds };
  show();
}

export function change(news) {
  const cells = laid(state, news);
  const known = new Set(state.errors.map((error) => error.number));
  const errors = [...news.errors.filter((error) => !known.has(error.number)), ...state.errors].slice(0, ERRORS);
  state = { ...state, ...news, cells, errors };
  show();
}

// The old cells with the new ones at their places.
function laid(old, news) {
  const moved = news.newest - old.newest;
  const added = Array.from({ length: Math.min(Math.max(moved, 0), KEPT) }, () => ({ ...EMPTY }));
  const cells = [...old.cells, ...added].slice(-KEPT);
  cells.splice(Math.max(0, cells.length - news.cells.length), news.cells.length, ...news.cells);
  return cells.slice(-KEPT);
}

const EMPTY = {
  ended: 0, failed: 0, cancelled: 0, prompt_tokens: 0, output_tokens: 0, credits: 0,
  first_event_p50_ms: null, first_event_p95_ms: null,
};

for (const choice of document.querySelectorAll("#range input")) choice.addEventListener("change", () => show());

function show() {
  tiles();
  charts();
  table("live", state.live, "Nothing is under way.", {
    Surface: (row) => row.surface,
    Model: (row) => row.model ?? "–",
    Tenant: (row) => row.tenant ?? "–",
    Answer: (row) => (row.stream ? "stream" : "document"),
    Age: (row) => number(time(row.age_ms)),
    "First token": (row) => number(time(row.first_event_ms)),
    Request: (row) => row.request_id,
  });
  table("errors", state.errors, "Nothing has gone wrong.", {
    When: (row) => moment(row.at),
    What: (row) => [row.status, row.kind.replaceAll("_", " ")].filter(Boolean).join(" "),
    Remedy: (row) => row.remedy,
    Surface: (row) => row.surface,
    Model: (row) => row.model ?? "–",
    Tenant: (row) => row.tenant ?? "–",
    Request: (row) => row.request_id,
  });
  table("accounts", state.accounts, "The gateway has no account of its own: callers bring theirs.", {
    Account: (row) => row.name,
    Login: (row) => row.login ?? "not read yet",
    State: (row) => make("td", { class: row.state }, row.reason ? `${row.state}: ${row.reason}` : row.state),
    "Until": (row) => moment(row.resting_until),
    Remedy: (row) => row.remedy ?? "–",
    "In use": (row) => number(row.in_use),
    Quota: (row) => quota(row),
    "Full again": (row) => moment(row.quota?.resets_at),
    "Token until": (row) => moment(row.token_expires_at),
  });
  for (const id of ["models", "tenants"]) {
    table(id, [...state[id]].sort((one, other) => other.ended - one.ended), "No exchange has ended.", {
      Name: (row) => row.name,
      Exchanges: (row) => number(short(row.ended)),
      "Per minute": (row) => number((row.ended / 60).toFixed(1)),
      Failed: (row) => number(short(row.failed)),
      Left: (row) => number(short(row.cancelled)),
      "First token, half": (row) => number(time(row.first_event_p50_ms)),
      "nearly all": (row) => number(time(row.first_event_p95_ms)),
      "Tokens in": (row) => number(short(row.prompt_tokens)),
      "Tokens out": (row) => number(short(row.output_tokens)),
      Credits: (row) => number(row.credits.toFixed(2)),
    });
  }
}

// What is used, with a word where little is left and one where the service has not answered since.
function quota(row) {
  if (!row.quota) return make("td", row.quota_unknown_because ? { title: row.quota_unknown_because } : {}, "–");
  const { used, limit, low, stale, stale_because: why, fetched_at: at } = row.quota;
  const words = [`${short(used)} of ${short(limit)}`, low && "little is left", stale && "old"].filter(Boolean);
  const title = [`as of ${moment(at)}`, why].filter(Boolean).join("; ");
  return make("td", { class: low ? "resting" : "", title }, words.join(", "));
}

const number = (text) => make("td", { class: "number" }, String(text));

function tiles() {
  const lately = state.cells.slice(-30);
  const sum = (name) => lately.reduce((total, cell) => total + cell[name], 0);
  const ended = sum("ended");
  const known = lately.map((cell) => cell.first_event_p50_ms).filter((value) => value !== null);
  const tiles = {
    Live: state.live.length,
    "Exchanges a minute": (ended / 5).toFixed(1),
    Failed: ended > 0 ? `${((sum("failed") / ended) * 100).toFixed(0)} %` : "–",
    "First token": time(middle(known)),
    "Tokens a minute": short((sum("prompt_tokens") + sum("output_tokens")) / 5),
    "Credits, last hour": state.cells.reduce((total, cell) => total + cell.credits, 0).toFixed(2),
  };
  const shown = Object.entries(tiles).map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, String(value))),
  );
  byId("tiles").replaceChildren(...shown);
  byId("about").textContent = `${state.version}, up for ${long(state.now - state.began)}`;
}

function charts() {
  const each = Number(document.querySelector("#range input:checked").value);
  const cells = together(state.cells.slice(-SHOWN * each), each);
  const minutes = (SHOWN * each * state.cell_seconds) / 60;
  const of = (name) => cells.map((cell) => cell[name]);
  byId("charts").replaceChildren(
    chart({
      title: "Exchanges",
      unit: "",
      minutes,
      series: [
        { name: "complete", values: cells.map((cell) => cell.ended - cell.failed - cell.cancelled) },
        { name: "failed", values: of("failed") },
        { name: "left", values: of("cancelled") },
      ],
    }),
    chart({
      title: "First token",
      unit: "ms",
      minutes,
      lines: true,
      series: [
        { name: "half of them", values: of("first_event_p50_ms") },
        { name: "nearly all", values: of("first_event_p95_ms") },
      ],
    }),
    chart({
      title: "Tokens",
      unit: "",
      minutes,
      series: [
        { name: "in", values: of("prompt_tokens") },
        { name: "out", values: of("output_tokens") },
      ],
    }),
  );
}

// Several cells as one. Of times, the middle and the longest.
function together(cells, each) {
  const groups = [];
  for (let at = 0; at < cells.length; at += each) groups.push(cells.slice(at, at + each));
  return groups.map((group) => {
    const sum = { ...EMPTY };
    for (const cell of group) {
      for (const name of ["ended", "failed", "cancelled", "prompt_tokens", "output_tokens", "credits"]) sum[name] += cell[name];
    }
    const known = (name) => group.map((cell) => cell[name]).filter((value) => value !== null);
    sum.first_event_p50_ms = middle(known("first_event_p50_ms"));
    sum.first_event_p95_ms = known("first_event_p95_ms").length > 0 ? Math.max(...known("first_event_p95_ms")) : null;
    return sum;
  });
}

function middle(values) {
  if (values.length === 0) return null;
  return values.sort((one, other) => one - other)[Math.floor(values.length / 2)];
}

// Fills a table: a column for each entry, whose function gives a text or a whole cell.
function table(id, rows, empty, columns) {
  const head = make("tr", {}, ...Object.keys(columns).map((name) => make("th", { scope: "col" }, name)));
  const body = rows.map((row) =>
    make(
      "tr",
      {},
      ...Object.values(columns).map((of) => {
        const value = of(row);
        return value instanceof Node ? value : make("td", {}, value);
      }),
    ),
  );
  const nothing = make("tr", {}, make("td", { class: "empty", colspan: Object.keys(columns).length }, empty));
  byId(id).replaceChildren(head, ...(body.length > 0 ? body : [nothing]));
}
