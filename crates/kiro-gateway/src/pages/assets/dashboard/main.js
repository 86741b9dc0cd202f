// The door, the views, and the line to the gateway. The admin key is in sessionStorage, which ends with the tab, and in
// a header of each request; never in an address.

import { byId } from "./dom.js";
import { events, refusal } from "./events.js";
import * as overview from "./overview.js";
import * as playground from "./playground.js";

const ADMIN = "kiro-2api.admin";

// How long to wait before asking again after the line broke.
const PAUSE = 2000;

let line = null;

const headers = (key) => ({ headers: { authorization: `Bearer ${key}` }, cache: "no-store" });

byId("door").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(byId("key").value);
});
byId("leave").addEventListener("click", () => leave(""));
for (const button of document.querySelectorAll("[data-view]")) {
  button.addEventListener("click", () => view(button.dataset.view));
}

const kept = sessionStorage.getItem(ADMIN);
if (kept) enter(kept);

async function enter(key) {
  byId("refusal").textContent = "";
  let response;
  try {
    response = await fetch("admin/snapshot", headers(key));
  } catch {
    byId("refusal").textContent = "The gateway cannot be reached.";
    return;
  }
  if (!response.ok) {
    leave(response.status === 401 ? "That is not the admin key." : await refusal(response));
    return;
  }
  sessionStorage.setItem(ADMIN, key);
  byId("key").value = "";
  byId("door").hidden = true;
  byId("views").hidden = false;
  overview.begin(await response.json());
  view("overview");
  playground.listModels();
  watch(key);
}

// Everything that is known goes, and the door says why.
function leave(why) {
  line?.abort();
  line = null;
  sessionStorage.removeItem(ADMIN);
  playground.leave();
  for (const id of ["overview", "playground", "views"]) byId(id).hidden = true;
  byId("about").textContent = "";
  byId("door").hidden = false;
  byId("refusal").textContent = why;
  byId("key").focus();
}

function view(name) {
  for (const button of document.querySelectorAll("[data-view]")) {
    const is = button.dataset.view === name;
    if (is) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
    byId(button.dataset.view).hidden = !is;
  }
}

// Follows the changes until somebody signs out; comes back when the line breaks.
async function watch(key) {
  line?.abort();
  const mine = new AbortController();
  line = mine;
  while (line === mine) {
    try {
      const response = await fetch("admin/events", { ...headers(key), signal: mine.signal });
      if (response.status === 401 || response.status === 404) {
        leave("The admin key is no longer right.");
        return;
      }
      if (response.ok) {
        byId("line").textContent = "";
        for await (const data of events(response)) overview.change(JSON.parse(data));
      }
    } catch (error) {
      if (error.name === "AbortError") return;
    }
    if (line !== mine) return;
    byId("line").textContent = "The line to the gateway broke; trying again.";
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
