"""Which record an item means: keys in Planhat's precedence, references to other records, uniqueness.

Source: Planhat developers, core concepts: `sourceId` is unique per model, `externalId` over all companies and, for the
other models, per model and company; `email` matches an enduser but is not unique.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, cast

import orjson

from planhat_pipelines.sandbox.planhat.fields import Refused, Shape, is_id
from planhat_pipelines.sandbox.planhat.store import KEY_COLUMNS, Doc, many

REFERENCES = {"dealId": "deals", "productId": "products"}


class Record:
    """A stored or new record during one request."""

    __slots__ = ("born", "company", "dirty", "doc", "id", "new")

    def __init__(self, id: str, company: str, born: int, doc: Doc, *, new: bool = False) -> None:
        self.id = id
        self.company = company
        self.born = born
        self.doc = doc
        self.new = new
        self.dirty = new


class Index:
    """The records that the items of one request may mean, fetched at once."""

    def __init__(self, db: sqlite3.Connection, shape: Shape, items: Iterable[Doc]) -> None:
        self._db = db
        self._shape = shape
        self.records: dict[str, Record] = {}
        self._by_key: dict[str, dict[str, list[Record]]] = {key: {} for key in shape.keys}
        wanted: dict[str, set[str]] = {"_id": set(), **{key: set() for key in shape.keys}}
        for item in items:
            for key, values in wanted.items():
                value = item.get(key)
                if isinstance(value, str):
                    values.add(value)
        for key, values in wanted.items():
            if values:
                self._fetch(KEY_COLUMNS.get(key, "id"), values)

    def _fetch(self, column: str, values: set[str]) -> None:
        rows = self._db.execute(
            f'select id, company, born, doc from "{self._shape.collection}" '
            f"where {column} in (select value from json_each(?))",
            (many(values),),
        )
        for id, company, born, doc in rows:
            if id not in self.records:
                self.add(Record(id, company, born, orjson.loads(doc)))

    def add(self, record: Record) -> None:
        self.records[record.id] = record
        for key, found in self._by_key.items():
            value = record.doc.get(key)
            if isinstance(value, str):
                found.setdefault(value, []).append(record)

    def find(self, item: Doc, company: str | None) -> Record | None:
        """The record an item means; None: there is none. Raises Refused for an unknown `_id` or an ambiguous key."""
        if "_id" in item:
            record = self.records.get(item["_id"]) if isinstance(item["_id"], str) else None
            if record is None:
                raise Refused("invalid id")
            return record
        for key, known in self._by_key.items():
            value = item.get(key)
            found = known.get(value) if isinstance(value, str) else None
            if not found:
                continue
            if key != "sourceId" and company is not None:
                found = [record for record in found if record.company == company]
            if len(found) > 1:
                raise Refused(f"{key} duplicated")
            if found:
                return found[0]
        return None

    def shared_keys(self, item: Doc, record: Record) -> str:
        """The keys by which an item repeats a record: "externalId,email"."""
        return ",".join(
            key for key in self._by_key if item.get(key) is not None and item[key] == record.doc.get(key)
        )

    def check_unique(self, record: Record, changes: Doc, company: str) -> None:
        """Raises Refused when the changes would take a key that another record holds."""
        moved = company != record.company
        for key in ("sourceId", "externalId"):
            value = changes.get(key, record.doc.get(key))
            if key not in self._by_key or not isinstance(value, str):
                continue
            if not moved and value == record.doc.get(key):
                continue
            if moved:
                self._fetch(KEY_COLUMNS[key], {value})
            for other in self._by_key[key].get(value, ()):
                if other is not record and (key == "sourceId" or other.company == company):
                    raise Refused(f"{key} duplicated")

    def rekey(self, record: Record, before: Doc) -> None:
        """After an update: keep the look-up true for the items that follow."""
        for key, known in self._by_key.items():
            old, new = before.get(key), record.doc.get(key)
            if old == new:
                continue
            if isinstance(old, str) and record in known.get(old, ()):
                known[old].remove(record)
            if isinstance(new, str):
                known.setdefault(new, []).append(record)


class References:
    """What `companyId`, `extid-…` and `srcid-…` stand for, looked up once for a whole request."""

    def __init__(self, db: sqlite3.Connection, collection: str, texts: Iterable[Any]) -> None:
        wanted: dict[str, dict[str, str]] = {"id": {}, "external": {}, "source": {}}
        for text in texts:
            if isinstance(text, str):
                column, value = split_reference(text)
                if value:
                    wanted[column][value] = text
        self._found: dict[str, str] = {}
        self.names: dict[str, str] = {}
        for column, values in wanted.items():
            if not values:
                continue
            rows = db.execute(
                f"select {column}, id, json_extract(doc, '$.name') from \"{collection}\" "
                f"where {column} in (select value from json_each(?))",
                (many(values),),
            )
            for value, id, name in rows:
                self._found.setdefault(values[value], id)
                self.names[id] = name

    def get(self, text: Any) -> str | None:
        return self._found.get(text) if isinstance(text, str) else None


def split_reference(text: str) -> tuple[str, str]:
    """("external", "c-1") for "extid-c-1"; an empty value when it is no reference."""
    if text.startswith("extid-"):
        return "external", text[6:]
    if text.startswith("srcid-"):
        return "source", text[6:]
    return "id", text if is_id(text) else ""


def companies_of(shape: Shape, item: Mapping[str, Any]) -> list[Any]:
    """The references to companies in an item, as sent."""
    field = shape.model.company_field
    given = item.get(field) if field else None
    if isinstance(given, list):
        return cast("list[Any]", given)
    if given is None and shape.collection in ("tickets", "conversations") and item.get("companyExternalId"):
        return [f"extid-{item['companyExternalId']}"]
    return [] if given is None else [given]
