// What the syncs did: the requests as they come, and what vanished in silence.
import { ask, clock, compact, h, head, number, pill, query, table } from "./base.js";

const asked = { host: "", method: "", path: "", status: "" };
const TONES = { created: "good", updated: "blue", stored: "good", errors: "bad", dropped: "warn", deleted: "bad" };

export async function requests(main, alive) {
  const body = h("div", { class: "card" });
  const live = h("button", { class: "button quiet", onclick: () => { paused = !paused; mark(); } });
  let paused = false, newest = 0, shown = [];
  const mark = () => live.replaceChildren(h("span", { class: paused ? "live off" : "live" }, paused ? "paused" : "live"));
  mark();
  const choose = (name, title, values) => h("select", {
    "aria-label": title, value: asked[name], onchange: (event) => { asked[name] = event.target.value; newest = 0; shown = []; load(); },
  }, h("option", { value: "" }, title), values.map((value) => h("option", { value, selected: asked[name] === value }, value)));
  main.replaceChildren(
    head("Requests", "Every call to both hosts, newest first. Tokens are masked.", live,
      choose("host", "Both hosts", ["main", "analytics", "app"]),
      choose("method", "All methods", ["GET", "PUT", "POST", "DELETE", "EDIT"]),
      choose("status", "Any status", ["200", "206", "400", "401", "403", "404", "413", "429", "500", "504"]),
      h("input", { placeholder: "/path", value: asked.path, "aria-label": "Path", oninput: (event) => { asked.path = event.target.value; newest = 0; shown = []; load(); } }),
      h("button", { class: "button", onclick: async () => { await ask("log", "DELETE"); shown = []; draw(0); } }, "Clear")),
    body);
  async function load() {
    const found = await ask(`log?${query({ ...asked, after: newest, limit: 150 })}`);
    if (!found.length && newest) return;
    const before = newest;
    newest = found.length ? found[0].seq : newest;
    shown = [...found, ...shown].slice(0, 300);
    draw(before);
  }
  function draw(before) {
    const columns = [{ title: "Time" }, { title: "Call" }, { title: "Status" }, { title: "Result" }, { title: "Items", right: true },
      { title: "Sent", right: true }, { title: "Time taken", right: true }, { title: "By" }];
    body.replaceChildren(shown.length ? table(columns, shown, (entry) => line(entry, before && entry.seq > before))
      : h("p", { class: "empty" }, "No requests yet."));
  }
  await load();
  while (alive()) {
    await new Promise((resolve) => setTimeout(resolve, 1200));
    if (alive() && !paused && !document.hidden) await load().catch(() => {});
  }
}

function line(entry, fresh) {
  const tone = entry.status >= 400 || !entry.status ? "bad" : entry.status === 206 ? "warn" : "good";
  const counts = Object.entries(entry.counts).filter(([, count]) => count)
    .map(([name, count]) => pill(`${name} ${number(count)}`, TONES[name] || ""));
  return h("tr", { class: fresh && "fresh" },
    h("td", { class: "muted num" }, clock(entry.at)),
    h("td", { class: "clip", style: "max-width: 380px", title: `${entry.path}${entry.query ? `?${entry.query}` : ""}` },
      h("span", { class: `verb ${entry.method}` }, entry.method), " ", h("code", {}, entry.path),
      entry.query ? h("code", { class: "faint" }, ` ?${decodeURIComponent(entry.query)}`) : null),
    h("td", {}, pill(entry.status ? String(entry.status) : "none", tone)),
    h("td", {}, h("div", { class: "counts" }, counts, entry.fault ? pill(entry.fault.startsWith("over") ? entry.fault : `fault: ${entry.fault}`, "warn") : null)),
    h("td", { class: "right" }, entry.items ? number(entry.items) : ""),
    h("td", { class: "right muted" }, entry.bytes_in ? bytes(entry.bytes_in) : ""),
    h("td", { class: "right muted" }, `${number(entry.ms)} ms`),
    h("td", { class: "muted" }, entry.app || (entry.host === "main" ? "nobody known" : entry.host)));
}

const bytes = (count) => (count < 1024 ? `${count} B` : count < 1048576 ? `${compact(count / 1024)} kB` : `${compact(count / 1048576)} MB`);

export async function dropped(main) {
  const found = await ask("dropped?limit=200");
  const most = Math.max(1, ...found.reasons.map((reason) => reason.count));
  main.replaceChildren(
    head("Vanished", "What Planhat would have thrown away without a word: points without a target, contacts without a company, events of nobody."),
    found.total ? h("div", { class: "stack" },
      h("section", { class: "card" }, h("header", {}, h("h2", {}, "Why"), h("small", {}, `${number(found.total)} in all`)),
        h("div", { class: "bars" }, found.reasons.map((reason) => h("div", { class: "bar" },
          h("div", {}, h("i", { style: `width:${(reason.count / most) * 100}%` }), h("span", {}, h("b", {}, reason.kind), ` ${reason.reason}`)),
          h("span", { class: "right num" }, number(reason.count)))))),
      h("section", { class: "card" }, h("header", {}, h("h2", {}, "Newest")),
        table([{ title: "Time" }, { title: "Kind" }, { title: "Reason" }, { title: "Item" }], found.items, (one) =>
          h("tr", {}, h("td", { class: "muted num" }, clock(one.at)), h("td", {}, one.kind), h("td", {}, one.reason),
            h("td", { class: "clip", style: "max-width:460px" }, h("code", {}, JSON.stringify(one.item)))))))
      : h("section", { class: "card" }, h("p", { class: "empty" }, "Nothing has vanished. The fault \"Every tenth item vanishes\" shows what it looks like.")));
}
