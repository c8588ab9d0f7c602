"""The bulk upsert: every item of an array is matched, checked and stored or refused by itself.

Source: Planhat developers, bulk upsert. The texts of the errors, their place and the reaction to repeats within one
array are assumptions (switches).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from planhat_pipelines.sandbox.planhat import derived, rules
from planhat_pipelines.sandbox.planhat.fields import CustomField, Refused, Shape
from planhat_pipelines.sandbox.planhat.matching import REFERENCES, Index, Record, References, companies_of
from planhat_pipelines.sandbox.planhat.store import Doc, as_doc, new_id, now_iso
from planhat_pipelines.sandbox.planhat.switches import Switches

Tamper = Callable[[int, Doc], str | None]  # what a fault makes of an item: "refuse", "drop" or nothing


@dataclass(slots=True)
class Outcome:
    """What became of the items. `dropped` are those Planhat would say nothing about, with the reason."""

    inserted: list[Record] = field(default_factory=list[Record])
    changed: list[Record] = field(default_factory=list[Record])
    unchanged: int = 0
    created_errors: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    updated_errors: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    permission_errors: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    dropped: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])

    @property
    def failed(self) -> int:
        return len(self.created_errors) + len(self.updated_errors) + len(self.permission_errors)

    @property
    def done(self) -> int:
        return len(self.inserted) + len(self.changed) + self.unchanged

    def status(self) -> int:
        if self.permission_errors:
            return 403
        if not self.failed:
            return 200
        return 206 if self.done else 400

    def body(self, shape: Shape, switches: Switches) -> Any:
        """The answer with its ten keys, or a bare text where the switch says so and everything failed."""
        if self.status() == 400 and switches["all_failed_body"] == "text":
            return (self.created_errors or self.updated_errors)[0][0]
        as_object = switches["error_elements"] == "object"

        def errors(found: list[tuple[str, Any]]) -> list[Any]:
            return [
                {"message": text, "keys": _keys(shape, item)} if as_object else text for text, item in found
            ]

        return {
            "created": len(self.inserted),
            "createdErrors": errors(self.created_errors),
            "insertsKeys": [_keys(shape, record.doc) for record in self.inserted],
            "updated": len(self.changed),
            "updatedErrors": errors(self.updated_errors),
            "updatesKeys": [_keys(shape, record.doc) for record in self.changed],
            "nonupdates": self.unchanged,
            "modified": [record.id for record in self.changed],
            "upsertedIds": [record.id for record in self.inserted],
            "permissionErrors": errors(self.permission_errors),
        }


def _keys(shape: Shape, doc: Any) -> Doc:
    known = as_doc(doc) or {}
    return {
        key: known[key]
        for key in ("_id", "externalId", "sourceId")
        if key in known and key in shape.model.keys
    }


class Batch:
    """One request's items against one collection. Runs in the store's thread, inside its transaction."""

    def __init__(
        self,
        db: sqlite3.Connection,
        shape: Shape,
        items: list[Any],
        *,
        custom: Mapping[str, CustomField],
        switches: Switches,
        arrival: int,
        may: tuple[bool, bool] = (True, True),
    ) -> None:
        self._db, self._shape, self._custom, self._switches = db, shape, custom, switches
        self._arrival, (self._may_create, self._may_update) = arrival, may
        self._now, self._born = now_iso(), time.time_ns()
        self._mandatory = [f.name for f in custom.values() if f.mandatory and not f.formula]
        self._renamed: dict[str, str] = {}  # companies by id
        self._mail_domains: dict[str, list[Any]] = {}
        self.outcome = Outcome()
        known = [doc for item in items if (doc := as_doc(item)) is not None]
        self._index = Index(db, shape, known)
        self._domains = self._match_domains(known)
        texts = {ref for item in known for ref in companies_of(shape, item) if isinstance(ref, str)}
        self._companies = References(db, "companies", texts | set(self._domains.values()))
        self._others = {
            name: References(
                db, collection, {item.get(name) for item in known if isinstance(item.get(name), str)}
            )
            for name, collection in REFERENCES.items()
            if name in shape.checks
        }

    def _match_domains(self, items: list[Doc]) -> dict[str, str]:
        if self._shape.collection not in ("endusers", "tickets"):
            return {}
        wanted = {domain for item in items if (domain := rules.mail_domain(item))}
        wanted.update(domain for item in items for domain in rules.own_domains(item))
        return rules.companies_by_domain(self._db, wanted) if wanted else {}

    def put(self, given: Any, tampered: str | None = None) -> None:
        """Match one item and insert or update; the verdict goes to `outcome`."""
        errors = self.outcome.created_errors
        item = as_doc(given)
        if item is None:
            errors.append(("an item must be an object", given))
            return
        try:
            if tampered == "drop":
                self.outcome.dropped.append(("dropped on order", item))
                return
            company = self._company(item)
            record = self._index.find(item, company)
            if record is not None:
                errors = self.outcome.updated_errors
            if tampered == "refuse":
                raise Refused("refused on order")
            if not (self._may_create if record is None else self._may_update):
                verb = "create" if record is None else "update"
                errors = self.outcome.permission_errors
                raise Refused(f"no permission to {verb} {self._shape.model.title}")
            if record is None:
                self._insert(item, company)
            elif record.born > self._arrival and self._switches["racing_inserts"] == "duplicate":
                errors = self.outcome.created_errors
                raise Refused(f"{self._index.shared_keys(item, record)} duplicated")
            else:
                self._update(record, item, company)
        except Refused as refused:
            errors.append((str(refused), item))
        except _Silent as silent:
            self.outcome.dropped.append((str(silent), item))

    def _company(self, item: Doc) -> str | None:
        """The company an item names: "" for models without one, None when it names none."""
        field = self._shape.model.company_field
        if field is None or field == "companyIds":
            return ""
        refs = companies_of(self._shape, item)
        if not refs:
            return None
        found = self._companies.get(refs[0])
        if found is None:
            if self._shape.collection == "endusers":
                raise _Silent("its company is not known")
            raise Refused(f"invalid {field}")
        return found

    def _insert(self, item: Doc, company: str | None) -> None:
        shape, collection = self._shape, self._shape.collection
        if collection == "tickets" and not item.get("email"):
            raise _Silent("a ticket without email")
        if company is None:
            company = self._assigned(item)
        changes = self._clean(item)
        doc: Doc = {"_id": new_id(), **rules.DEFAULTS.get(collection, {})}
        custom: Doc = changes.pop("custom", {})
        doc.update((name, value) for name, value in changes.items() if value is not None)
        doc["custom"] = {name: value for name, value in custom.items() if value is not None}
        self._place(doc, company)
        for name in shape.required:
            if doc.get(name) is None:
                raise Refused(f"{name} is required")
        for group in shape.model.one_of:
            if all(doc.get(name) is None for name in group):
                raise Refused(f"{group[0]} is required")
        for name in self._mandatory:
            if doc["custom"].get(name) is None:
                raise Refused(f"custom.{name} is required")
        rules.settle(collection, doc, new=True)
        doc[shape.model.created_stamp] = doc[shape.model.updated_stamp] = self._now
        doc["__v"] = 0
        if collection == "companies" and doc["domains"]:
            self._mail_domains[doc["_id"]] = doc["domains"]
        record = Record(doc["_id"], company, self._born, doc, new=True)
        self._index.add(record)
        self.outcome.inserted.append(record)

    def _assigned(self, item: Doc) -> str:
        """The company of a new record that names none: by mail domain where Planhat does so."""
        shape = self._shape
        if shape.collection in ("endusers", "tickets"):
            domains = [rules.mail_domain(item), *rules.own_domains(item)]
            found = next((self._domains[domain] for domain in domains if domain in self._domains), None)
            if found is None and shape.collection == "endusers":
                raise _Silent("no company given and none with its mail domain")
            if found is not None:
                return found
        if shape.model.company_required or shape.collection == "tickets":
            raise Refused(f"{shape.model.company_field} is required")
        return ""

    def _clean(self, item: Doc) -> Doc:
        changes = self._shape.clean(item, self._custom, self._switches)
        if self._shape.collection == "conversations":
            rules.check_conversation(changes, self._switches)
        for name, references in self._others.items():
            if changes.get(name) is not None:
                changes[name] = references.get(changes[name])
                if changes[name] is None:
                    raise Refused(f"invalid {name}")
        if self._shape.model.company_field == "companyIds" and isinstance(item.get("companyIds"), list):
            found = [self._companies.get(ref) for ref in companies_of(self._shape, item)]
            if None in found:
                raise Refused("invalid companyIds")
            changes["companyIds"] = found
        return changes

    def _place(self, doc: Doc, company: str) -> None:
        field = self._shape.model.company_field
        if company and field:
            doc[field] = company
            doc["cName" if field == "cId" and "cName" in self._shape.model.fields else "companyName"] = (
                self._companies.names.get(company)
            )

    def _update(self, record: Record, item: Doc, company: str | None) -> None:
        changes = self._clean(item)
        custom: Doc = changes.pop("custom", {})
        doc = record.doc
        known_custom: Doc = doc.get("custom") or {}
        changes = {name: value for name, value in changes.items() if doc.get(name) != value}
        custom = {name: value for name, value in custom.items() if known_custom.get(name) != value}
        target = record.company if company is None else company
        if not changes and not custom and target == record.company:
            self.outcome.unchanged += 1
            if self._switches["no_op_moves_stamp"]:
                self._touch(record)
            return
        self._index.check_unique(record, changes, target)
        before = dict(doc)
        for name, value in changes.items():
            _set(doc, name, value)
        if custom:
            doc["custom"] = known_custom
            for name, value in custom.items():
                _set(known_custom, name, value)
        if target != record.company:
            record.company = target
            self._place(doc, target)
        if self._shape.collection == "companies":
            if "name" in changes:
                self._renamed[record.id] = doc["name"]
            if "domains" in changes:
                self._mail_domains[record.id] = doc.get("domains") or []
        rules.settle(self._shape.collection, doc, new=False)
        self._touch(record)
        self._index.rekey(record, before)
        self.outcome.changed.append(record)

    def _touch(self, record: Record) -> None:
        record.dirty = True
        record.doc[self._shape.model.updated_stamp] = self._now
        record.doc["__v"] = record.doc.get("__v", 0) + 1

    def save(self) -> None:
        """Write what was inserted and changed, and what follows from it."""
        collection = self._shape.collection
        stamp = self._shape.model.updated_stamp
        new: list[tuple[Any, ...]] = []
        old: list[tuple[Any, ...]] = []
        for record in {
            record.id: record for record in (*self._index.records.values(), *self.outcome.inserted)
        }.values():
            if record.dirty:
                doc = record.doc
                row = (record.company, doc.get("externalId"), doc.get("sourceId"), doc.get("email"))
                row += (
                    int(doc.get("archived") is True),
                    doc[stamp],
                    record.born,
                    orjson.dumps(doc).decode(),
                    record.id,
                )
                (new if record.new else old).append(row)
        columns = ("company", "external", "source", "email", "archived", "updated", "born", "doc", "id")
        self._db.executemany(
            f'insert into "{collection}" ({", ".join(columns)}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)',
            new,
        )
        self._db.executemany(
            f'update "{collection}" set {", ".join(f"{c} = ?" for c in columns[:-1])} where id = ?',
            old,
        )
        if collection == "companies":
            rules.keep_domains(self._db, self._mail_domains)
            derived.rename(self._db, self._renamed)
        elif collection == "licenses" and self._switches["derived_money"]:
            touched = {record.company for record in (*self.outcome.inserted, *self.outcome.changed)}
            derived.company_money(self._db, touched, moves_stamp=self._switches["derived_moves_stamp"])


class _Silent(Exception):
    """An item that vanishes without a word."""


def _set(doc: Doc, name: str, value: Any) -> None:
    if value is None:
        doc.pop(name, None)
    else:
        doc[name] = value
