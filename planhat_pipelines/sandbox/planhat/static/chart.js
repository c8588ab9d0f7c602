// A metric curve: one value a day, with a hover that also tells when a day holds several points.
import { h, number, compact, day } from "./base.js";

const WIDTH = 320, HEIGHT = 118, LEFT = 34, BOTTOM = 18, TOP = 8;
const iso = (days) => new Date(days * 86400000).toISOString();

export function curve(name, points) {
  const first = points[0][0], last = points[points.length - 1][0];
  const top = nice(Math.max(...points.map((point) => point[1]), 0));
  const low = Math.min(0, ...points.map((point) => point[1]));
  const x = (days) => LEFT + ((days - first) / Math.max(1, last - first)) * (WIDTH - LEFT - 4);
  const y = (value) => TOP + (1 - (value - low) / Math.max(1e-9, top - low)) * (HEIGHT - TOP - BOTTOM);
  const path = points.map((point, i) => `${i ? "L" : "M"}${x(point[0]).toFixed(1)} ${y(point[1]).toFixed(1)}`).join("");
  const end = points[points.length - 1];
  const svg = h("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${name}, ${points.length} days` },
    [0, 0.5, 1].map((part) => {
      const value = low + part * (top - low);
      return [
        h("line", { class: "grid", x1: LEFT, x2: WIDTH, y1: y(value), y2: y(value) }),
        h("text", { class: "axis", x: LEFT - 6, y: y(value) + 3.5, "text-anchor": "end" }, compact(value)),
      ];
    }),
    h("path", { class: "area", d: `${path}L${x(last)} ${y(low)}L${x(first)} ${y(low)}Z` }),
    h("path", { class: "line", d: path }),
    h("text", { class: "axis", x: LEFT, y: HEIGHT - 3 }, day(iso(first)).replace(/ \d{4}$/, "")),
    h("text", { class: "axis", x: WIDTH, y: HEIGHT - 3, "text-anchor": "end" }, day(iso(last)).replace(/ \d{4}$/, "")));
  const dot = h("circle", { class: "dot", r: 4, cx: x(end[0]), cy: y(end[1]) });
  svg.append(dot);
  const tip = h("div", { class: "tip", hidden: true });
  const box = h("div", { class: "curve" },
    h("div", { class: "top" }, h("span", { class: "name" }, name), trend(points)),
    h("div", { class: "top" }, h("b", {}, number(end[1]), h("small", {}, ` on ${day(iso(last)).replace(/ \d{4}$/, "")}`))),
    svg, tip);
  svg.addEventListener("pointermove", (event) => {
    const frame = svg.getBoundingClientRect(), outer = box.getBoundingClientRect();
    const scale = Math.min(frame.width / WIDTH, frame.height / HEIGHT);
    const shift = (frame.width - WIDTH * scale) / 2;
    const at = (event.clientX - frame.left - shift) / scale;
    const near = points.reduce((best, point) => (Math.abs(x(point[0]) - at) < Math.abs(x(best[0]) - at) ? point : best));
    dot.setAttribute("cx", x(near[0]));
    dot.setAttribute("cy", y(near[1]));
    tip.hidden = false;
    tip.textContent = `${day(iso(near[0]))}: ${number(near[1])}${near[2] > 1 ? ` (${near[2]} points added)` : ""}`;
    tip.style.left = `${frame.left - outer.left + shift + x(near[0]) * scale}px`;
    tip.style.top = `${frame.top - outer.top + y(near[1]) * scale - 8}px`;
  });
  svg.addEventListener("pointerleave", () => {
    tip.hidden = true;
    dot.setAttribute("cx", x(end[0]));
    dot.setAttribute("cy", y(end[1]));
  });
  return box;
}

// the last week against the four before it
function trend(points) {
  const last = points[points.length - 1][0];
  const mean = (from, to) => {
    const values = points.filter((point) => point[0] > from && point[0] <= to).map((point) => point[1]);
    return values.length ? values.reduce((a, b) => a + b, 0) / values.length : null;
  };
  const now = mean(last - 7, last), before = mean(last - 35, last - 7);
  if (now === null || !before) return null;
  const change = Math.round((now / before - 1) * 100);
  const tone = change > 2 ? "up" : change < -2 ? "down" : "flat";
  const sign = change > 0 ? "+" : change < 0 ? "−" : "±";
  return h("span", { class: `trend ${tone}`, title: "last 7 days against the 28 before" }, `${sign}${Math.abs(change)} %`);
}

function nice(value) {
  if (value <= 0) return 1;
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * size).find((step) => step >= value);
}
