// What every view needs: elements, calls to the admin view, and how numbers and times are written.

export function h(tag, props, ...children) {
  const svg = ["svg", "path", "line", "text", "circle", "g", "rect"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export async function ask(path, method = "GET", body) {
  const options = { method };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { "Content-Type": "application/json" };
  }
  const answer = await fetch(`/_sandbox/${path}`, options);
  const text = await answer.text();
  if (!answer.ok) throw new Error(text || `status ${answer.status}`);
  return JSON.parse(text);
}

export const query = (values) =>
  new URLSearchParams(Object.entries(values).filter(([, value]) => value !== "" && value !== undefined)).toString();

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
export const number = (value) => (typeof value === "number" ? whole.format(value) : "");
export const compact = (value) => (typeof value === "number" ? short.format(value) : "");

export function ago(iso) {
  if (!iso) return "";
  const seconds = Math.round((Date.now() - Date.parse(iso)) / 1000);
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.round(seconds / 3600)} h ago`;
  return day(iso);
}
export const day = (iso) =>
  iso ? new Date(iso).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" }) : "";
export const clock = (iso) => (iso ? new Date(iso).toLocaleTimeString("en-GB") : "");

export const isDate = (value) => typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value);

export function shown(value) {
  if (value === null || value === undefined || value === "") return h("span", { class: "faint" }, "empty");
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return h("span", { class: "num" }, number(value));
  if (isDate(value)) return value.endsWith("T00:00:00.000Z") ? day(value) : `${day(value)}, ${clock(value)}`;
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) {
    return value.length ? value.map((one) => [h("span", { class: "pill" }, one), " "]) : h("span", { class: "faint" }, "none");
  }
  if (typeof value === "object") return h("code", {}, JSON.stringify(value));
  return String(value);
}

export const STATUS = { customer: "good", coming: "blue", prospect: "", canceled: "bad", lost: "bad" };
export const pill = (text, tone = "") => (text ? h("span", { class: `pill ${tone}` }, text) : null);

export function face(name, big) {
  const words = String(name || "?").trim().split(/\s+/);
  const letters = (words[0][0] || "?") + (words.length > 1 ? words[words.length - 1][0] : "");
  const hue = [...String(name)].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);
  const style = `background: hsl(${hue} 32% 88%); color: hsl(${hue} 40% 28%)`;
  return h("span", { class: big ? "face big" : "face", style, "aria-hidden": "true" }, letters.toUpperCase());
}

let timer;
export function toast(text) {
  const box = document.getElementById("toast");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => (box.hidden = true), 4000);
}

export const head = (title, text, ...tools) =>
  h("div", { class: "head" }, h("div", {}, h("h1", {}, title), text ? h("p", {}, text) : null), h("div", { class: "tools" }, tools));

export function table(columns, rows, make) {
  return h("div", { class: "scroll" },
    h("table", {},
      h("thead", {}, h("tr", {}, columns.map((column) =>
        h("th", { class: [column.right && "right", column.sort && "sort", column.by && "by"].filter(Boolean).join(" "), onclick: column.sort },
          column.title + (column.by || "")))) ),
      h("tbody", {}, rows.map(make))));
}
