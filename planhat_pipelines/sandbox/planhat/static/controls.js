// Faults on order, and the switches for what nobody outside knows about Planhat.
import { ask, h, head, number, pill, table, toast } from "./base.js";

const ORDERS = [
  ["Too many requests", "The next three calls get 429 with Retry-After 2.", { kind: "status", status: 429, retry_after: 2, count: 3 }],
  ["Out of order", "The next upsert gets 500, nothing is stored.", { kind: "status", method: "PUT", count: 1 }],
  ["Stored, but 500", "The next upsert is stored and answered with 500.", { kind: "status_after", method: "PUT", count: 1 }],
  ["Stored, but 504", "The next write is stored and answered with 504.", { kind: "status_after", status: 504, method: "P*", count: 1 }],
  ["Answer lost", "The next metrics are stored, then the connection is reset.", { kind: "reset_after", path: "/dimensiondata/*", count: 1 }],
  ["No answer", "The next write is stored and never answered; closed after 30 s.", { kind: "timeout_after", method: "P*", count: 1 }],
  ["Line cut", "The next call is reset before anything happens.", { kind: "reset_before", count: 1 }],
  ["Half an answer", "The next call is done, its answer cut in half.", { kind: "truncated", count: 1 }],
  ["HTML instead", "The next call gets a 502 page.", { kind: "html", status: 502, count: 1 }],
  ["Not a list", "The next list is an object.", { kind: "not_a_list", method: "GET", count: 1 }],
  ["Every other item refused", "The next upsert is a mixed 206.", { kind: "partial", method: "PUT", every: 2, count: 1 }],
  ["Every tenth item vanishes", "In the next ten writes, without a word.", { kind: "drop", every: 10, count: 10 }],
  ["Slow for a while", "The next twenty calls take two seconds each.", { kind: "slow", seconds: 2, count: 20 }],
];

export async function faults(main) {
  const found = await ask("faults");
  const order = async (facts) => {
    try { await ask("faults", "POST", facts); await faults(main); toast("Ordered"); } catch (error) { toast(error.message); }
  };
  const kind = h("select", { name: "kind" }, Object.keys(found.kinds).map((name) => h("option", { value: name, title: found.kinds[name] }, name)));
  const note = h("p", { class: "muted", style: "padding: 0 18px 16px" }, plain(found.kinds.status));
  kind.onchange = () => { note.textContent = plain(found.kinds[kind.value]); };
  const input = (name, title, value, wide) => h("label", {}, title, h("input", { name, value, class: wide && "wide", inputmode: wide ? "text" : "decimal" }));
  const form = h("form", { class: "form", onsubmit: (event) => {
    event.preventDefault();
    const facts = { kind: kind.value };
    for (const [name, value] of new FormData(form)) {
      if (value === "" || name === "kind") continue;
      facts[name] = name === "keys" ? value.split(",").map((one) => one.trim()) : ["path", "method"].includes(name) ? value : Number(value);
    }
    order(facts);
  } },
  h("label", {}, "Kind", kind), input("path", "Path", "/endusers", true), input("method", "Method", "*"), input("status", "Status", "500"),
  input("retry_after", "Retry-After", ""),
  input("count", "Times", "1"), input("skip", "After", "0"), input("probability", "Probability", "1"), input("seconds", "Seconds", "30"),
  input("every", "Every n-th item", "2"), input("keys", "or items with keys", "", true), h("button", { class: "button main" }, "Order"));
  main.replaceChildren(
    head("Faults", "Make the next calls go wrong and see what a sync does about it.",
      found.rules.length ? h("button", { class: "button", onclick: async () => { await ask("faults", "DELETE"); faults(main); } }, "Clear all") : null),
    h("div", { class: "stack" },
      found.rules.length ? h("section", { class: "card" }, h("header", {}, h("h2", {}, "In force")),
        table([{ title: "Kind" }, { title: "Where" }, { title: "How" }, { title: "Fired", right: true }, { title: "" }], found.rules, (rule) =>
          h("tr", {}, h("td", {}, pill(rule.kind, rule.count !== null && rule.fired >= rule.count ? "" : "warn")),
            h("td", {}, h("code", {}, `${rule.method} ${rule.path}`)),
            h("td", { class: "muted" }, details(rule)),
            h("td", { class: "right" }, rule.count === null ? number(rule.fired) : `${number(rule.fired)} of ${number(rule.count)}`),
            h("td", { class: "right" }, h("button", { class: "button small", onclick: async () => { await ask(`faults?id=${rule.id}`, "DELETE"); faults(main); } }, "Clear"))))) : null,
      h("section", { class: "card" }, h("header", {}, h("h2", {}, "Order one")),
        h("div", { class: "orders" }, ORDERS.map(([title, text, facts]) =>
          h("button", { class: "order", onclick: () => order(facts) }, h("b", {}, title), h("small", {}, text))))),
      h("section", { class: "card" }, h("header", {}, h("h2", {}, "Exactly")), form, note)));
}

const plain = (text) => `${text[0].toUpperCase()}${text.slice(1).replaceAll("`", "")}.`;

function details(rule) {
  const parts = [];
  if (["status", "status_after", "html"].includes(rule.kind)) parts.push(rule.status);
  if (rule.retry_after !== null) parts.push(`Retry-After ${rule.retry_after}`);
  if (["slow", "timeout_before", "timeout_after"].includes(rule.kind)) parts.push(`${rule.seconds} s`);
  if (["partial", "drop"].includes(rule.kind)) parts.push(rule.keys.length ? `keys ${rule.keys.join(", ")}` : `every ${rule.every}. item`);
  if (rule.skip) parts.push(`after ${rule.skip}`);
  if (rule.probability < 1) parts.push(`probability ${rule.probability}`);
  return parts.join(" · ");
}

export async function switches(main) {
  const found = await ask("switches");
  const set = async (name, value) => {
    try { await ask("switches", "PUT", { [name]: value }); toast(`${name} set`); } catch (error) { toast(error.message); }
    switches(main);
  };
  const changed = found.filter((one) => !same(one));
  main.replaceChildren(
    head("Switches", "What is not documented about Planhat can be turned here, to prove that a sync copes either way.",
      changed.length ? h("button", { class: "button", onclick: async () => {
        await ask("switches", "PUT", Object.fromEntries(changed.map((one) => [one.name, null])));
        switches(main);
      } }, "All to default") : null),
    h("section", { class: "card" }, found.map((one) => h("div", { class: same(one) ? "switch" : "switch changed" },
      h("div", {}, h("b", {}, one.name.replaceAll("_", " ")), h("p", {}, one.why)), control(one, set),
      same(one) ? h("span", { class: "faint" }, "default") : h("button", { class: "button small quiet", onclick: () => set(one.name, null) }, "Reset")))));
}

const same = (one) => JSON.stringify(one.value) === JSON.stringify(one.default);

function control(one, set) {
  if (one.choices.length) {
    const select = h("select", { "aria-label": one.name, onchange: () => set(one.name, one.choices[select.selectedIndex]) },
      one.choices.map((value) => h("option", { selected: value === one.value }, value === true ? "yes" : value === false ? "no" : value.replaceAll("_", " "))));
    return select;
  }
  const list = Array.isArray(one.default);
  const input = h("input", { "aria-label": one.name, value: list ? one.value.join(", ") : String(one.value), onchange: () =>
    set(one.name, list ? input.value.split(",").map((part) => part.trim()) : typeof one.default === "number" ? Number(input.value) : input.value) });
  return input;
}
