"""Records of all models: bulk upsert, single create, update and delete. All of it runs in the store's thread."""

from __future__ import annotations

import time
from typing import Any

import orjson

from planhat_pipelines.sandbox.planhat import rules
from planhat_pipelines.sandbox.planhat.bulk import Batch, Outcome, Tamper
from planhat_pipelines.sandbox.planhat.fields import CustomField, Refused, Shape
from planhat_pipelines.sandbox.planhat.matching import split_reference
from planhat_pipelines.sandbox.planhat.store import COLLECTIONS, Doc, Store, as_doc, many
from planhat_pipelines.sandbox.planhat.switches import Switches


class Missing(Exception):
    """No record under that id."""


class Records:
    """The records in a store."""

    def __init__(self, store: Store, switches: Switches) -> None:
        self._db, self._store, self._switches = store.db, store, switches
        self.shapes = {collection: Shape(collection) for collection in COLLECTIONS}
        self._custom: dict[str, dict[str, CustomField]] = {}
        store.call(self.reload_custom_fields)

    def reload_custom_fields(self) -> None:
        """Read the definitions again; `parent` is compared without regard to case."""
        self._custom.clear()
        for (text,) in self._db.execute("select doc from customfields"):
            doc: Doc = orjson.loads(text)
            self._custom.setdefault(doc["parent"].lower(), {})[doc["name"]] = CustomField.of(doc)

    def bulk(
        self,
        collection: str,
        items: list[Any],
        *,
        arrival: int | None = None,
        may: tuple[bool, bool] = (True, True),
        tamper: Tamper | None = None,
    ) -> Outcome:
        """Upsert an array. `arrival`: when the request came (ns), `may`: create and update are permitted."""
        batch = self._batch(collection, items, arrival, may)
        for position, item in enumerate(items):
            known = as_doc(item) if tamper else None
            batch.put(item, tamper(position, known) if tamper and known else None)
        if batch.outcome.permission_errors and self._switches["denied_bulk"] == "store_none":
            return Outcome(permission_errors=batch.outcome.permission_errors)
        self._save(collection, batch)
        return batch.outcome

    def _batch(
        self,
        collection: str,
        items: list[Any],
        arrival: int | None = None,
        may: tuple[bool, bool] = (True, True),
    ) -> Batch:
        shape = self.shapes[collection]
        return Batch(
            self._db,
            shape,
            items,
            custom=self._custom.get(shape.model.parent.lower(), {}),
            switches=self._switches,
            arrival=time.time_ns() if arrival is None else arrival,
            may=may,
        )

    def _save(self, collection: str, batch: Batch) -> None:
        batch.save()
        outcome = batch.outcome
        if outcome.dropped:
            self._store.drop(self.shapes[collection].model.name, outcome.dropped)
        if collection == "customfields":
            self.reload_custom_fields()
        if collection == "tickets" and self._switches["ticket_creates_enduser"]:
            self._endusers_of_tickets([record.doc for record in outcome.inserted])

    def _endusers_of_tickets(self, tickets: list[Doc]) -> None:
        people = {(doc["email"], doc["companyId"]) for doc in tickets if doc.get("companyId")}
        if people:
            items = [{"email": email, "companyId": company} for email, company in sorted(people)]
            self.bulk("endusers", items)

    def create(self, collection: str, item: Any) -> Doc:
        """Store one new record; raises Refused, also when a key of it is taken."""
        batch = self._batch(collection, [item])
        batch.put(item)
        if batch.outcome.changed or batch.outcome.unchanged:
            keys = [key for key in self.shapes[collection].keys if (as_doc(item) or {}).get(key)]
            raise Refused(f"{','.join(keys)} duplicated")
        return self._single(collection, batch)

    def update(self, collection: str, reference: str, item: Any) -> Doc:
        """Change one record by id, `extid-` or `srcid-`; raises Refused or Missing."""
        changes = as_doc(item)
        if changes is None:
            raise Refused("the body must be an object")
        if "_id" in changes and self._switches["id_in_single_body"] == "refuse":
            raise Refused("_id must not be in the body")
        changes = changes | {"_id": self.get(collection, reference)["_id"]}
        batch = self._batch(collection, [changes])
        batch.put(changes)
        return self._single(collection, batch, changes["_id"])

    def _single(self, collection: str, batch: Batch, id: str | None = None) -> Doc:
        outcome = batch.outcome
        for text, _item in (*outcome.created_errors, *outcome.updated_errors, *outcome.dropped):
            raise Refused(text)
        self._save(collection, batch)
        return self.get(collection, id or outcome.inserted[0].id)

    def get(self, collection: str, reference: str) -> Doc:
        """One record by id, `extid-` or `srcid-`; raises Missing."""
        column, value = split_reference(reference)
        row = self._db.execute(
            f'select doc from "{collection}" where {column} = ? order by id limit 1',
            (value,),
        ).fetchone()
        if row is None:
            raise Missing(reference)
        return orjson.loads(row[0])

    def delete(self, collection: str, id: str) -> int:
        """Remove by `_id` only; gives the number removed."""
        gone = self._db.execute(f'delete from "{collection}" where id = ?', (id,)).rowcount
        if collection == "companies":
            rules.keep_domains(self._db, {id: ()})
        elif collection == "customfields":
            self.reload_custom_fields()
        return gone

    def copy_time_entries(self, ids: list[str]) -> list[Doc]:
        rows = self._db.execute(
            "select doc from timeentries where id in (select value from json_each(?))", (many(ids),)
        ).fetchall()
        originals: list[Doc] = [orjson.loads(text) for (text,) in rows]
        return [self.create("timeentries", {k: v for k, v in doc.items() if k != "_id"}) for doc in originals]
