"""Lists as Planhat gives them: bare arrays, clamped pages, few filters that work and many that are ignored.

Source: Planhat developers, company; integrations that met ignored filters.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, cast

import orjson

from planhat_pipelines.sandbox.planhat.fields import Shape
from planhat_pipelines.sandbox.planhat.store import Doc, many
from planhat_pipelines.sandbox.planhat.switches import Switches

LEAN = ("_id", "name", "externalId", "sourceId", "slug")
# the filters besides companyId that are known to work; all others are ignored
_FILTERS = {
    "endusers": ("email",),
    "users": ("email",),
    "customfields": ("parent",),
    "conversations": ("type",),
}


def page(
    db: sqlite3.Connection, shape: Shape, query: Mapping[str, str], switches: Switches
) -> tuple[bytes, int]:
    """One page as JSON, and how many records it holds."""
    model = shape.model
    limit = min(whole(query.get("limit"), model.page_default) or model.page_default, model.page_max)
    where, values = _where(shape, query)
    order, path = _order(shape, query.get("sort", ""), switches)
    rows = db.execute(
        f'select cast(doc as blob) from "{shape.collection}" {where} order by {order} limit ? offset ?',
        (*values, *path, limit, whole(query.get("offset"), 0)),
    )
    docs = [row[0] for row in rows]
    select = query.get("select")
    plain = not (select or switches["read_quirks"] or switches["thin_lists"])
    if plain and switches["update_stamps"] == "documented":
        return b"[" + b",".join(docs) + b"]", len(docs)
    fields = _fields(select, switches)
    stamp = shape.model.updated_stamp
    return orjson.dumps([_shown(orjson.loads(doc), fields, stamp, switches) for doc in docs]), len(docs)


def lean(db: sqlite3.Connection, query: Mapping[str, str]) -> tuple[bytes, int]:
    """All companies in five fields, with the three filters that work."""
    tests: list[str] = []
    values: list[Any] = []
    for name, column in (("externalId", "external"), ("sourceId", "source")):
        if query.get(name):
            tests.append(f"{column} = ?")
            values.append(query[name])
    if query.get("status"):
        tests.append("json_extract(doc, '$.status') in (select value from json_each(?))")
        values.append(many(query["status"].split(",")))
    where = f"where {' and '.join(tests)}" if tests else ""
    rows = db.execute(f"select doc from companies {where} order by id", values)
    docs: list[Doc] = [orjson.loads(text) for (text,) in rows]
    return orjson.dumps([{name: doc[name] for name in LEAN if name in doc} for doc in docs]), len(docs)


def whole(text: str | None, default: int) -> int:
    """A whole number from a query; anything else is ignored."""
    return int(text) if text and len(text) < 16 and text.isascii() and text.isdigit() else default


def _where(shape: Shape, query: Mapping[str, str]) -> tuple[str, list[Any]]:
    tests: list[str] = []
    values: list[Any] = []
    if shape.collection == "endusers":
        tests.append("archived = 0")
    company = query.get("companyId")
    if company and shape.model.company_field:
        values.append(many(company.split(",")))
        if shape.model.company_field == "companyIds":
            tests.append(
                "exists (select 1 from json_each(doc, '$.companyIds') as theirs "
                "where theirs.value in (select value from json_each(?)))"
            )
        else:
            tests.append("company in (select value from json_each(?))")
    for name in _FILTERS.get(shape.collection, ()):
        if query.get(name):
            tests.append(f"lower(json_extract(doc, '$.{name}')) = lower(?)")
            values.append(query[name])
    return (f"where {' and '.join(tests)}" if tests else ""), values


def _order(shape: Shape, sort: str, switches: Switches) -> tuple[str, list[str]]:
    if switches["list_order"] != "as_asked":
        return f"id {'asc' if switches['list_order'] == 'oldest_first' else 'desc'}", []
    name = sort.removeprefix("-")
    way = "desc" if sort.startswith("-") else "asc"
    if name == _stamp_shown(shape.model.updated_stamp, switches):
        shown = "case when unicode(substr(id, -1)) % 2 then updated end"
        tie = "random()" if switches["equal_stamps"] == "shuffled" else f"id {way}"
        return f"{shown if switches['update_stamps'] == 'some' else 'updated'} {way}, {tie}", []
    if name in ("", "_id", shape.model.updated_stamp) or '"' in name:
        return f"id {way}", []
    return f"json_extract(doc, ?) {way}, id {way}", [f'$."{name}"']


def _stamp_shown(documented: str, switches: Switches) -> str | None:
    """The name under which lists show the update stamp."""
    return {"none": None, "updatedAt": "updatedAt"}.get(switches["update_stamps"], documented)


def _fields(select: str | None, switches: Switches) -> set[str] | None:
    if select:
        return {"_id", *select.split(",")}
    return {"_id", "name", "companyId"} if switches["thin_lists"] else None


def _shown(doc: Doc, fields: set[str] | None, stamp: str, switches: Switches) -> Doc:
    if switches["update_stamps"] != "documented":
        moment, name = doc.pop(stamp, None), _stamp_shown(stamp, switches)
        if name and (switches["update_stamps"] != "some" or ord(doc["_id"][-1]) % 2):
            doc[name] = moment
    if fields is not None:
        doc = {name: value for name, value in doc.items() if name in fields}
    return quirky(doc) if switches["read_quirks"] else doc


def quirky(doc: Doc) -> Doc:
    """The odd forms that real reads have shown."""
    odd = dict(doc)
    for name, value in doc.items():
        if name in ("owner", "coOwner") and isinstance(value, str):
            odd[name] = {"_id": value, "nickName": "Someone"}
        elif name == "roles" and isinstance(value, list):
            odd[name] = [{"_id": role, "name": "Some role"} for role in cast("list[Any]", value)]
        elif name == "_currency":
            odd[name] = {"_id": "0" * 24, "symbol": value, "rate": 1, "isBase": True}
        elif name in ("domains", "tags", "followers") and isinstance(value, list):
            odd[name] = f",{','.join(map(str, cast('list[Any]', value)))}," if value else ""
    return odd
