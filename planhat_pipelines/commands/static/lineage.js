"use strict";
const syncs = JSON.parse(document.getElementById("data").textContent);
const [search, found, list, panel, sum] = ["search", "found", "syncs", "panel", "sum"].map((id) => document.getElementById(id));
const WAYS = { to_planhat: "to Planhat", to_snowflake: "to Snowflake", both: "both ways" };

function make(tag, facts = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(facts)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

const many = (number, what) => `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;

/* The graph: nodes are columns and fields, edges say which value becomes which. */
const nodes = new Map();

function node(id, side, place, name) {
  if (!nodes.has(id)) nodes.set(id, { id, side, place, name, isPii: false, out: [], into: [], lines: [], reads: [] });
  return nodes.get(id);
}

for (const sync of syncs) {
  for (const line of sync.lines) {
    const field = node(line.id, "field", sync.target, line.field);
    field.lines.push({ sync, line });
    field.isPii ||= line.is_pii;
    for (const { id, name } of line.columns) {
      const column = node(id, "column", sync.source, name);
      column.lines.push({ sync, line });
      column.isPii ||= line.is_pii;
      const ends = line.way === "to_planhat" ? [[column, field]] : line.way === "to_snowflake" ? [[field, column]] : [[column, field], [field, column]];
      for (const [from, to] of ends) {
        from.out.push({ to, sync, line });
        to.into.push({ from, sync, line });
      }
    }
  }
  for (const line of sync.reads) {
    for (const { id, name } of line.columns) node(id, "column", sync.source, name).reads.push({ sync, line });
  }
}

function reach(start, way) {
  const seen = new Set([start]), order = [], waiting = [start];
  while (waiting.length) {
    for (const edge of waiting.shift()[way]) {
      const next = way === "out" ? edge.to : edge.from;
      if (seen.has(next)) continue;
      seen.add(next);
      order.push(next);
      waiting.push(next);
    }
  }
  return order;
}

/* The page. Every button that stands for a node is in `places`, so that a choice lights up everywhere. */
const places = new Map();

function nodeButton(id, content, kind = "node") {
  const button = make("button", { class: kind, "data-id": id, onclick: () => choose(id) }, content);
  places.set(id, [...(places.get(id) ?? []), button]);
  return button;
}

const pii = (is) => (is ? make("span", { class: "pill pii", title: "personal, says the sync" }, "pii") : null);

function card(sync) {
  const columns = new Map(sync.lines.flatMap((line) => line.columns).map((column) => [column.id, column.name]));
  const left = make("div", { class: "side columns" }, make("h3", {}, sync.source));
  for (const [id, name] of columns) left.append(nodeButton(id, [make("code", {}, name), pii(nodes.get(id).isPii)]));
  const right = make("div", { class: "side fields" }, make("h3", {}, sync.target));
  for (const line of sync.lines) {
    const content = [make("code", {}, line.field), pii(nodes.get(line.id).isPii), make("small", {}, line.how)];
    const button = nodeButton(line.id, content);
    if (!line.columns.length) button.classList.add("fixed");
    right.append(button);
  }
  const map = make("div", { class: "map" }, left, right);
  if (sync.reads.length) {
    const also = sync.reads.flatMap((line) => line.columns.map(({ id, name }) => [nodeButton(id, make("code", {}, name), "read"), ` ${line.how}: ${line.field}. `]));
    map.append(make("p", { class: "reads" }, "Beside them ", also));
  }
  const seek = (text) => make("button", { class: `pill ${/\bpii\b/i.test(text) ? "pii" : ""}`, title: `find ${text}`, onclick: () => find(text) }, text);
  const tags = Object.entries(sync.tags).map(([name, value]) => seek(/^(yes|true)$/i.test(value) ? name : `${name}: ${value}`));
  const header = make("header", {}, make("h2", {}, sync.name), make("span", { class: `pill ${sync.way}` }, WAYS[sync.way]),
    make("span", { class: "pill" }, sync.every), sync.owners.map(seek), tags, sync.description ? make("p", {}, sync.description) : null);
  return make("section", { class: "sync", "data-sync": sync.name, "aria-label": sync.name }, header, map);
}

const SVG = "http://www.w3.org/2000/svg";

function draw(section, sync) {
  const map = section.querySelector(".map"), frame = map.getBoundingClientRect();
  map.querySelector("svg")?.remove();
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("aria-hidden", "true");
  const add = (tag, facts) => {
    const shape = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(facts)) shape.setAttribute(name, value);
    svg.append(shape);
  };
  const at = (side, id) => map.querySelector(`.${side} [data-id="${CSS.escape(id)}"]`).getBoundingClientRect();
  for (const line of sync.lines) {
    for (const { id } of line.columns) {
      const from = at("columns", id), to = at("fields", line.id);
      const [x, y, u, v] = [from.right - frame.left, (from.top + from.bottom) / 2 - frame.top, to.left - frame.left, (to.top + to.bottom) / 2 - frame.top];
      const ends = `${id}\n${line.id}`, half = (u - x) / 2;
      add("path", { d: `M${x} ${y}C${x + half} ${y} ${u - half} ${v} ${u} ${v}`, class: line.way, "data-ends": ends });
      if (line.way !== "to_snowflake") add("circle", { cx: u, cy: v, r: 3.4, class: line.way, "data-ends": ends });
      if (line.way !== "to_planhat") add("circle", { cx: x, cy: y, r: 3.4, class: line.way, "data-ends": ends });
    }
  }
  map.append(svg);
}

const cards = syncs.map((sync) => [sync, card(sync)]);
list.append(...cards.map(([, section]) => section));

function redraw() {
  for (const [sync, section] of cards) if (!section.hidden) draw(section, sync);
  light();
}

/* What is chosen. It stands in the address, so that it can be linked to. */
let chosen = null;

function choose(id, keepFocus = true) {
  chosen = nodes.get(id) ?? null;
  const hash = chosen ? `#${encodeURIComponent(id)}` : "";
  if (location.hash !== hash) history.pushState(null, "", hash || location.pathname + location.search);
  close();
  light();
  show();
  if (!keepFocus && chosen) {
    const first = places.get(id).find((button) => button.offsetParent) ?? places.get(id)[0];
    first.closest("section").hidden = false;
    first.scrollIntoView({ block: "center" });
    first.focus({ preventScroll: true });
  }
}

function light() {
  document.body.classList.toggle("chosen", Boolean(chosen));
  const on = new Set(chosen ? [chosen, ...reach(chosen, "out"), ...reach(chosen, "into")].map((each) => each.id) : []);
  for (const [id, buttons] of places) {
    for (const button of buttons) {
      button.classList.toggle("on", on.has(id));
      button.classList.toggle("self", chosen?.id === id && button.classList.contains("node"));
      if (button.classList.contains("node")) button.setAttribute("aria-pressed", String(chosen?.id === id));
    }
  }
  const shapes = list.querySelectorAll("[data-ends]");
  for (const shape of shapes) shape.classList.toggle("on", shape.dataset.ends.split("\n").every((id) => on.has(id)));
  for (const [, section] of cards) section.classList.toggle("on", Boolean(section.querySelector(".on:not(.sync)")));
}

const owners = (sync) => (sync.owners.length ? ` · ${sync.owners.join(", ")}` : "");
const jump = (each) => make("button", { onclick: () => choose(each.id, false) }, make("code", {}, `${each.place} ${each.name}`));

function entry(each, edge, note) {
  return make("li", {}, jump(each), make("small", {}, `${edge.line.how} · sync ${edge.sync.name}, ${edge.sync.every}${owners(edge.sync)}`), note);
}

function part(title, items, kind) {
  return items.length ? [make("h3", { class: kind }, title), make("ul", {}, items)] : [];
}

function show() {
  panel.replaceChildren(...(!chosen ? help() : chosen.side === "column" ? ofColumn(chosen) : ofField(chosen)));
}

function title(each, what) {
  return [make("button", { class: "close", onclick: () => choose(null) }, "Esc"),
    make("h2", {}, make("small", {}, `${what} ${each.place}`), each.name, " ", pii(each.isPii))];
}

function ofColumn(column) {
  const direct = column.out.map((edge) => edge.to);
  const further = reach(column, "out").filter((each) => !direct.includes(each));
  const users = [...new Set([...column.lines, ...column.reads].map(({ sync }) => sync))];
  const stale = users.map((sync) => [sync, sync.lines.filter((line) => !line.columns.some(({ id }) => id === column.id))]);
  const broken = column.out.map((edge) => {
    const others = edge.to.into.filter(({ from }) => from !== column && from.place !== column.place).map(({ from, sync }) => `${from.place} ${from.name} (${sync.name})`);
    return entry(edge.to, edge, others.length ? make("small", { class: "safe" }, `also fed by ${others.join(", ")}`) : null);
  });
  const reads = column.reads.map(({ sync, line }) => make("li", {}, `${line.how} of ${sync.name}`, make("small", {}, line.field)));
  return [
    ...title(column, "Column of"),
    make("p", {}, direct.length
      ? `If it is dropped or renamed, ${many(direct.length, "Planhat field")}${further.length ? ` and ${many(further.length, "more place")} behind` : ""} no longer get${direct.length + further.length === 1 ? "s" : ""} a value.`
      : "No Planhat field takes its value from it."),
    ...part("Planhat fields that break", broken, "bad"),
    ...part("And behind them", further.map((each) => make("li", {}, jump(each))), "bad"),
    ...part("Syncs that stop until the mapping is corrected", stale.map(([sync, lines]) => make("li", {}, make("b", {}, sync.name),
      make("small", {}, `${sync.every}${owners(sync)}`),
      lines.length ? make("details", {}, make("summary", {}, `${many(lines.length, "other field")} no longer updated`), make("small", {}, lines.map((line) => line.field).join(", "))) : null)), "bad"),
    ...part("Changes come back from", column.into.map((edge) => entry(edge.from, edge))),
    ...part("Beside the mapping", reads),
  ];
}

function ofField(field) {
  const direct = field.into.map((edge) => edge.from);
  const before = reach(field, "into").filter((each) => !direct.includes(each) && each !== field);
  const fixed = field.lines.filter(({ line }) => !line.columns.length)
    .map(({ sync, line }) => make("li", {}, make("b", {}, line.how), make("small", {}, `sync ${sync.name}, ${sync.every}${owners(sync)}`)));
  return [
    ...title(field, "Planhat,"),
    make("p", {}, field.into.length + fixed.length > 1 ? "Several places write it; the one that runs last counts." : ""),
    ...part("It comes from", [...field.into.map((edge) => entry(edge.from, edge)), ...fixed]),
    ...part("Which comes from", before.map((each) => make("li", {}, jump(each)))),
    ...part("It goes on to", field.out.map((edge) => entry(edge.to, edge))),
  ];
}

function help() {
  const key = (name, what) => [make("kbd", {}, name), make("span", {}, what)];
  return [
    make("h2", {}, "What breaks, and where from"),
    make("p", {}, "Choose a column to see which Planhat fields lose their value when it is dropped, or a field to see where its value comes from. A dot stands at the end where values arrive."),
    make("div", { class: "keys" }, key("/", "find"), key("↑ ↓", "up and down"), key("← →", "to the other side"), key("Enter", "choose"), key("Esc", "let go")),
  ];
}

/* Finding: the list below the box chooses a node, the cards are narrowed to those that match. */
const text = (sync) => [sync.name, sync.description, sync.source, sync.target, sync.every, WAYS[sync.way], ...sync.owners, ...Object.entries(sync.tags).flatMap(([name, value]) => [name, `${name}: ${value}`]),
  ...[...sync.lines, ...sync.reads].flatMap((line) => [line.field, line.how, `${sync.target} ${line.field}`, ...(line.is_pii ? ["pii"] : []), ...line.columns.flatMap(({ name, id }) => [name, id.replace(": ", ".")])])];
const texts = new Map(syncs.map((sync) => [sync, text(sync).map((each) => each.toLowerCase())]));
let at = -1;

function find(words) {
  search.value = words;
  narrow();
}

function narrow() {
  const words = search.value.trim().toLowerCase();
  let left = 0;
  for (const [sync, section] of cards) {
    section.hidden = words !== "" && !texts.get(sync).some((each) => each.includes(words));
    left += section.hidden ? 0 : 1;
  }
  list.querySelector(".empty")?.remove();
  if (!left) list.append(make("p", { class: "empty" }, syncs.length ? `Nothing is called ${search.value}.` : "There are no syncs."));
  summarise(left);
  redraw();
}

function suggest() {
  const words = search.value.trim().toLowerCase();
  const rank = (each) => { const name = each.name.toLowerCase(); return name === words ? 0 : name.startsWith(words) ? 1 : name.includes(words) ? 2 : `${each.place}.${each.name}`.toLowerCase().includes(words) ? 3 : each.isPii && words === "pii" ? 4 : 9; };
  const hits = words ? [...nodes.values()].filter((each) => rank(each) < 9).sort((a, b) => rank(a) - rank(b)).slice(0, 12) : [];
  found.replaceChildren(...hits.map((each, place) => make("li", { role: "option", id: `found-${place}`, "aria-selected": "false", "data-id": each.id, onmousedown: (event) => { event.preventDefault(); choose(each.id, false); } },
    make("code", {}, `${each.place} ${each.name}`), pii(each.isPii), make("small", {}, each.side === "field" ? "Planhat" : each.out.length ? many(each.out.length, "Planhat field") : "filled by Planhat"))));
  found.hidden = !hits.length;
  search.setAttribute("aria-expanded", String(Boolean(hits.length)));
  point(-1);
}

function point(to) {
  at = to;
  [...found.children].forEach((option, place) => option.setAttribute("aria-selected", String(place === at)));
  found.children[at]?.scrollIntoView({ block: "nearest" });
  if (at >= 0) search.setAttribute("aria-activedescendant", `found-${at}`);
  else search.removeAttribute("aria-activedescendant");
}

function close() {
  found.hidden = true;
  search.setAttribute("aria-expanded", "false");
  point(-1);
}

search.addEventListener("input", () => { narrow(); suggest(); });
search.addEventListener("blur", close);
search.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && !found.hidden) point((at + step + found.children.length + (at < 0 && step < 0 ? 1 : 0)) % found.children.length);
  else if (event.key === "Enter" && found.children.length && !found.hidden) choose(found.children[Math.max(at, 0)].dataset.id, false);
  else if (event.key === "Escape" && search.value) find("");
  else return;
  event.preventDefault();
  event.stopPropagation();
  if (event.key === "Escape") close();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const here = event.target;
  if (event.key === "/" && here !== search) search.focus(), search.select();
  else if (event.key === "Escape" && chosen) choose(null);
  else if (here.classList.contains("node") && event.key.startsWith("Arrow")) {
    const next = event.key === "ArrowUp" || event.key === "ArrowDown" ? beside(here, event.key === "ArrowDown" ? 1 : -1) : across(here, event.key === "ArrowRight");
    next?.focus();
  } else return;
  event.preventDefault();
});

function beside(here, step) {
  const side = here.parentElement.classList.contains("columns") ? ".columns" : ".fields";
  const all = [...list.querySelectorAll(`.sync:not([hidden]) ${side} .node`)];
  return all[all.indexOf(here) + step];
}

function across(here, right) {
  const map = here.closest(".map");
  if (here.parentElement.classList.contains("columns") !== right) return null;
  const curve = [...map.querySelectorAll("path")].map((path) => path.dataset.ends.split("\n")).find((ends) => ends.includes(here.dataset.id));
  return curve && map.querySelector(`.${right ? "fields" : "columns"} [data-id="${CSS.escape(curve[right ? 1 : 0])}"]`);
}

function summarise(left) {
  const columns = [...nodes.values()].filter((each) => each.side === "column").length, fields = nodes.size - columns;
  sum.textContent = left < syncs.length ? `${left} of ${many(syncs.length, "sync")}` : `${many(syncs.length, "sync")}, ${many(columns, "column")}, ${many(fields, "Planhat field")}`;
}

function fromAddress() {
  const id = decodeURIComponent(location.hash.slice(1));
  if (nodes.has(id)) choose(id, false);
  else { chosen = null; light(); show(); }
}

new ResizeObserver(redraw).observe(list);
window.addEventListener("popstate", fromAddress);
narrow();
fromAddress();
