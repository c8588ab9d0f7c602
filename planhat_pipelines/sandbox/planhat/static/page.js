// The frame: which view is open, the numbers beside the menu, the quota.
import { ask, compact, h, number } from "./base.js";
import { customer, customers } from "./customers.js";
import { dropped, requests } from "./watch.js";
import { faults, switches } from "./controls.js";

const VIEWS = { customers, requests, vanished: dropped, faults, switches };
const main = document.getElementById("main");
let turn = 0;

async function open() {
  const mine = ++turn;
  const [name, id] = location.hash.replace(/^#\//, "").split("/");
  const view = VIEWS[name] ? name : "customers";
  document.getElementById("drawer").hidden = true;
  menu(view);
  const alive = () => turn === mine;
  try {
    if (view === "customers" && id) await customer(main, id);
    else await VIEWS[view](main, alive);
  } catch (error) {
    if (alive()) main.replaceChildren(h("p", { class: "empty" }, `This could not be shown: ${error.message}`));
  }
}

let state = null;
function menu(view = document.querySelector("nav a.on")?.dataset.view) {
  const counts = state ? {
    customers: compact(state.records.company), requests: compact(state.requests), vanished: state.dropped ? compact(state.dropped) : "",
    faults: state.faults || "", switches: Object.keys(state.switches).length || "",
  } : {};
  document.getElementById("nav").replaceChildren(...Object.keys(VIEWS).map((name) => {
    const link = h("a", { href: `#/${name}`, class: name === view && "on", "data-view": name }, name[0].toUpperCase() + name.slice(1),
      counts[name] === "" || counts[name] === undefined ? null
        : h("span", { class: name === "faults" ? "count loud" : "count" }, String(counts[name])));
    return link;
  }));
}

async function pulse() {
  if (!document.hidden) {
    state = await ask("state").catch(() => null) || state;
    if (state) {
      menu();
      const calls = state.limits.last_minute, over = Object.values(state.limits.over).reduce((a, b) => a + b, 0);
      document.getElementById("quota").replaceChildren(
        h("div", { class: "row" }, h("span", {}, "Calls, last minute"), h("b", { class: "num" }, number(calls))),
        h("div", { class: calls > 200 ? "meter over" : "meter" }, h("i", { style: `width:${Math.min(100, calls / 2)}%` })),
        h("div", { class: "row faint" }, h("span", {}, "soft limit 200"), h("span", {}, over ? `${number(over)} over` : "none over")));
    }
  }
  setTimeout(pulse, 2000);
}

addEventListener("hashchange", open);
addEventListener("keydown", (event) => { if (event.key === "Escape") document.getElementById("drawer").hidden = true; });
open();
pulse();
