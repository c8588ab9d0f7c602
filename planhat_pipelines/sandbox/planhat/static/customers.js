// All customers, and one of them with its fields, curves and records.
import { STATUS, ago, ask, compact, day, face, h, head, number, pill, query, shown, table, toast } from "./base.js";
import { curve } from "./chart.js";

const PAGE = 50;
const list = { text: "", sort: "name", shown: PAGE };
const TITLES = {
  enduser: "Contacts", license: "Licences", opportunity: "Opportunities", sale: "Sales", deal: "Deals", asset: "Assets",
  project: "Projects", task: "Tasks", objective: "Objectives", issue: "Issues", nps: "NPS", invoice: "Invoices", churn: "Churn",
  conversation: "Conversations", ticket: "Tickets", campaign: "Campaigns", workspace: "Workspaces", time_entry: "Time entries",
};

export async function customers(main) {
  const summary = await ask("summary");
  const body = h("div", { class: "card" });
  const box = h("input", {
    class: "search", type: "search", placeholder: "Search by name, id or e-mail", value: list.text, "aria-label": "Search customers",
    oninput: () => { list.text = box.value; list.shown = PAGE; fill(); },
  });
  main.replaceChildren(
    head("Customers", null, box),
    h("div", { class: "tiles" },
      tile("Customers", number(summary.companies), `${number(summary.by_status.customer || 0)} paying`),
      tile("ARR", compact(summary.arr), "from the licences in force"),
      tile("Contacts", number(summary.endusers)),
      tile("Metric points", compact(summary.points)),
      tile("Activities", compact(summary.activities))),
    body);

  async function fill() {
    const asked = list.text;
    const found = await ask(`records/company?${query({ q: list.text, sort: list.sort, limit: list.shown })}`);
    if (asked !== list.text) return;
    const by = (field, title, more) => ({
      title, ...more,
      by: list.sort.replace("-", "") === field ? (list.sort.startsWith("-") ? " ↓" : " ↑") : "",
      sort: () => { list.sort = list.sort === field ? `-${field}` : field; fill(); },
    });
    const columns = [
      by("name", "Customer"), by("status", "Status"), by("phase", "Phase"), by("arr", "ARR", { right: true }),
      by("csmScore", "CSM score"), by("renewalDate", "Renewal"), by("lastActive", "Last active"), by("lastUpdated", "Updated"),
    ];
    body.replaceChildren(
      found.total ? table(columns, found.records, row) : h("p", { class: "empty" },
        list.text ? "No customer fits that." : "No customers yet. They appear here as soon as something is synced."),
      found.total > found.records.length
        ? h("div", { class: "more" }, `${number(found.records.length)} of ${number(found.total)}`,
          h("button", { class: "button small", onclick: () => { list.shown += 200; fill(); } }, "Show more"))
        : null ?? "");
  }
  await fill();
}

const tile = (title, value, text) => h("div", { class: "card tile" }, h("span", {}, title), h("b", {}, value), h("small", {}, text || " "));

function row(company) {
  const open = () => { location.hash = `#/customers/${company._id}`; };
  return h("tr", { class: "go", tabindex: 0, onclick: open, onkeydown: (event) => event.key === "Enter" && open() },
    h("td", {}, h("div", { class: "who" }, face(company.name), h("div", {}, h("b", {}, company.name),
      h("small", {}, company.externalId || company.sourceId || "")))),
    h("td", {}, pill(company.status, STATUS[company.status])),
    h("td", { class: "muted" }, company.phase || ""),
    h("td", { class: "right" }, company.arr ? number(company.arr) : h("span", { class: "faint" }, "0")),
    h("td", {}, dots(company.csmScore)),
    h("td", { class: "muted" }, day(company.renewalDate)),
    h("td", { class: "muted" }, ago(company.lastActive)),
    h("td", { class: "muted" }, ago(company.lastUpdated)));
}

const dots = (score) => (score
  ? h("span", { class: "dots", title: `${score} of 5` }, [1, 2, 3, 4, 5].map((step) => h("i", { class: step <= score && "on" })))
  : null);

const EDITABLE = ["name", "externalId", "sourceId", "phase", "csmScore", "owner", "coOwner", "domains", "tags", "description", "country", "city", "address", "zip",
  "phonePrimary", "web"];
const HEADLINE = ["_id", "mrr", "arr", "customerFrom", "renewalDate", "lastActive", "createDate", "lastUpdated"];

export async function customer(main, id) {
  const found = await ask(`companies/${id}`);
  const company = found.record;
  const side = h("section", { class: "card" });
  const records = h("section", { class: "card" });
  const curves = Object.entries(found.curves);
  main.replaceChildren(
    h("a", { class: "back", href: "#/customers" }, "← All customers"),
    h("div", { class: "head" },
      h("div", { class: "who" }, face(company.name, true), h("div", {}, h("h1", {}, company.name),
        h("span", { class: "muted" }, [company.city, company.country].filter(Boolean).join(", ") || company.externalId || ""))),
      h("div", { class: "tools" }, pill(company.status, STATUS[company.status]), pill(company.phase, "blue"))),
    h("div", { class: "split" }, side,
      h("div", { class: "stack" },
        h("section", { class: "card" }, h("header", {}, h("h2", {}, "Metrics"), h("small", {}, "sum of each day")),
          curves.length ? h("div", { class: "curves" }, curves.map(([name, points]) => curve(name, points)))
            : h("p", { class: "empty" }, "No metric points for this customer.")),
        records)));
  fields(side, "company", company, EDITABLE, HEADLINE, () => customer(main, id));

  const tabs = Object.entries(found.counts).filter(([, count]) => count).sort((a, b) => b[1] - a[1]);
  if (found.activities) tabs.push(["activity", found.activities]);
  async function show(model) {
    const buttons = tabs.map(([name, count]) => h("button", { class: name === model && "on", onclick: () => show(name) },
      TITLES[name] || "Activities", h("span", {}, number(count))));
    const body = model === "activity" ? await activityTable(id) : await recordTable(model, id);
    records.replaceChildren(h("div", { class: "tabs" }, buttons), body);
  }
  if (tabs.length) await show(tabs[0][0]);
  else records.replaceChildren(h("p", { class: "empty" }, "Nothing belongs to this customer yet."));
}

async function recordTable(model, company) {
  const { records } = await ask(`records/${model}?${query({ company, limit: 200 })}`);
  const hidden = new Set(["_id", "__v", "companyId", "companyName", "cId", "cName", "companyIds", "custom", "name", "title", "email", "action",
    "subject", "firstName", "lastName", "emailMd5", "createDate", "createdAt", "updatedAt", "lastUpdated", "externalId", "sourceId",
    "description", "comment", "npsComment", "snippet", "nps", "npsDate", "slug"]);
  const used = {};
  for (const record of records) {
    for (const [name, value] of Object.entries(record)) {
      if (!hidden.has(name) && value !== false && value !== "" && !(Array.isArray(value) && !value.length)) used[name] = (used[name] || 0) + 1;
    }
  }
  const columns = Object.keys(used).sort((a, b) => used[b] - used[a]).slice(0, 5);
  const updated = (record) => record.updatedAt || record.lastUpdated;
  return table([{ title: "Name" }, { title: "Key" }, ...columns.map((title) => ({ title })), { title: "Updated" }], records, (record) =>
    h("tr", { class: "go", tabindex: 0, onclick: () => drawer(model, record), onkeydown: (event) => event.key === "Enter" && drawer(model, record) },
      h("td", { class: "clip" }, label(record)),
      h("td", {}, h("code", { class: "muted" }, record.externalId || record.sourceId || "")),
      columns.map((name) => h("td", { class: "clip muted" }, record[name] === undefined ? "" : shown(record[name]))),
      h("td", { class: "muted" }, ago(updated(record)))));
}

const label = (record) => record.name || record.title || record.action || record.subject || record.email || record.product || record._id;

async function activityTable(company) {
  const found = await ask(`activities?${query({ company, limit: 200 })}`);
  return table([{ title: "When" }, { title: "Who" }, { title: "Action" }, { title: "Weight", right: true }], found, (one) =>
    h("tr", {}, h("td", { class: "muted" }, ago(one.activity.date)), h("td", {}, one.name || one.email || one.enduser),
      h("td", {}, one.activity.action || h("span", { class: "faint" }, "none")), h("td", { class: "right" }, number(one.activity.weight))));
}

function drawer(model, record) {
  const box = document.getElementById("drawer");
  const body = h("div", {});
  const editable = Object.keys(record).filter((name) => !["_id", "__v", "companyId", "companyName", "cId", "cName", "companyIds", "custom",
    "createDate", "createdAt", "updatedAt", "lastUpdated", "emailMd5"].includes(name));
  box.replaceChildren(
    h("header", {}, h("div", {}, h("h2", {}, label(record)), h("small", { class: "faint" }, model.replace("_", " "))),
      h("button", { class: "button quiet", onclick: () => (box.hidden = true), "aria-label": "Close" }, "Close")),
    body);
  fields(body, model, record, editable, ["_id", "createDate", "createdAt", "updatedAt", "lastUpdated"]);
  box.hidden = false;
}

// A record's fields; a click on one edits it, through the same rules as the API.
function fields(box, model, record, editable, fixed, saved) {
  const line = (name, value, path) => {
    const dd = h("dd", { class: path && "edit", tabindex: path && 0, title: path && "Click to edit" }, shown(value));
    const start = () => {
      if (!path || dd.querySelector("input")) return;
      const before = value === undefined || value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
      const input = h("input", { value: before, "aria-label": name });
      const done = async (save) => {
        input.onblur = null;
        if (save && input.value !== before) {
          try {
            record = await ask(`records/${model}/${record._id}`, "PATCH", path(parsed(input.value, value)));
            toast(`${name} saved`);
            if (saved) return saved();
          } catch (error) { toast(error.message); }
        }
        fields(box, model, record, editable, fixed, saved);
      };
      input.onblur = () => done(true);
      input.onkeydown = (event) => { if (event.key === "Enter") done(true); else if (event.key === "Escape") done(false); event.stopPropagation(); };
      dd.replaceChildren(input);
      input.focus();
      input.select();
    };
    dd.addEventListener("click", start);
    dd.addEventListener("keydown", (event) => event.key === "Enter" && start());
    return h("div", { class: "field" }, h("dt", {}, name), dd);
  };
  const custom = Object.entries(record.custom || {});
  box.replaceChildren(
    model === "company" ? h("header", {}, h("h2", {}, "Profile"), h("small", {}, "click to edit")) : "",
    h("dl", { class: "fields", style: "margin:0" },
      editable.filter((name) => model === "company" || record[name] !== undefined)
        .map((name) => line(name, record[name], (value) => ({ [name]: value }))),
      custom.length ? h("h3", {}, "Custom fields") : null,
      custom.map(([name, value]) => line(name, value, (changed) => ({ custom: { [name]: changed } }))),
      h("h3", {}, "Kept by Planhat"),
      fixed.filter((name) => record[name] !== undefined).map((name) => line(name, record[name]))));
}

function parsed(text, before) {
  if (text === "") return null;
  if (typeof before === "number" || typeof before === "boolean" || (typeof before === "object" && before !== null)) {
    try { return JSON.parse(text); } catch { return text; }
  }
  return before === undefined && /^(\d+(\.\d+)?|\[.*\])$/.test(text) ? JSON.parse(text) : text;
}
