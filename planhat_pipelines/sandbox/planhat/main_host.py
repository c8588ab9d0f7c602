"""The main host: which path and method does what. What Planhat does not serve is a 404 here too."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from planhat_pipelines.sandbox.planhat import lists
from planhat_pipelines.sandbox.planhat.fields import Refused, Shape
from planhat_pipelines.sandbox.planhat.gate import Exchange, Reply, as_items
from planhat_pipelines.sandbox.planhat.records import Missing, Records
from planhat_pipelines.sandbox.planhat.series import Metrics
from planhat_pipelines.sandbox.planhat.store import Store
from planhat_pipelines.sandbox.planhat.switches import Switches

_NOT_FOUND = "Not Found"
_OPERATIONS = {"GET": "read", "POST": "create", "PUT": "update", "DELETE": "delete"}


class MainHost:
    """Answers requests that have passed the gate."""

    def __init__(self, store: Store, records: Records, metrics: Metrics, switches: Switches) -> None:
        self._store, self._records, self._metrics, self._switches = store, records, metrics, switches

    async def answer(self, exchange: Exchange) -> Reply:
        path = exchange.request.scope["raw_path"].decode("ascii").partition("?")[0].strip("/")
        parts = [unquote(part) for part in path.split("/")]
        try:
            return await self._route(exchange, exchange.request.method, parts)
        except Missing:
            return Reply(404, _NOT_FOUND)
        except Refused as refused:
            exchange.entry.counts = {"errors": 1}
            return Reply(400, str(refused))

    async def _route(self, exchange: Exchange, method: str, parts: list[str]) -> Reply:
        match method, parts:
            case "GET", ["leancompanies"]:
                return self._denied(exchange, "company") or await self._listed(
                    exchange, lists.lean, self._store.db
                )
            case "GET", ["dimensiondata"]:
                return self._denied(exchange, "company") or await self._listed(exchange, self._metrics.read)
            case "POST", ["timeentries", "duplicate"]:
                return self._denied(exchange, "time_entry") or await self._copied(exchange)
            case _, [collection, *rest] if collection in self._records.shapes and len(rest) < 2:
                shape = self._records.shapes[collection]
                if method == "PUT" and not rest:
                    return await self._bulk(exchange, shape) if shape.model.bulk else Reply(404, _NOT_FOUND)
                return self._denied(exchange, shape.model.name) or await self._one(
                    exchange, method, shape, rest
                )
            case _:
                return Reply(404, _NOT_FOUND)

    def _denied(self, exchange: Exchange, model: str) -> Reply | None:
        operation = _OPERATIONS.get(exchange.request.method, "")
        if exchange.app and exchange.app.may(operation, model):
            return None
        return Reply(403, f"no permission to {operation} {model}")

    async def _listed(self, exchange: Exchange, read: Any, *args: Any) -> Reply:
        body, count = await self._store.run(read, *args, dict(exchange.request.query_params))
        exchange.entry.counts = {"returned": count}
        return Reply(200, body)

    async def _copied(self, exchange: Exchange) -> Reply:
        body = exchange.items()
        if not isinstance(body, dict) or not isinstance(body.get("ids"), list):
            return Reply(400, "ids is required")
        return Reply(200, await self._store.run(self._records.copy_time_entries, body["ids"]))

    async def _one(self, exchange: Exchange, method: str, shape: Shape, rest: list[str]) -> Reply:
        """The calls for a single record, and the list."""
        store, records, collection = self._store, self._records, shape.collection
        if not rest:
            if method == "GET":
                query = dict(exchange.request.query_params)
                body, count = await store.run(lists.page, store.db, shape, query, self._switches)
                exchange.entry.counts = {"returned": count}
                return Reply(200, body)
            if method == "POST" and shape.model.single:
                doc = await store.run(records.create, collection, exchange.items())
                exchange.entry.counts = {"created": 1}
                return Reply(200, doc)
        elif method == "DELETE":
            gone = await store.run(records.delete, collection, rest[0])
            exchange.entry.counts = {"deleted": gone}
            if not gone and self._switches["delete_missing"] == "404":
                return Reply(404, _NOT_FOUND)
            return Reply(200, {"n": gone, "ok": 1, "deletedCount": gone})
        elif shape.model.single and method == "GET":
            doc = await store.run(records.get, collection, rest[0])
            exchange.entry.counts = {"returned": 1}
            return Reply(200, lists.quirky(doc) if self._switches["read_quirks"] else doc)
        elif shape.model.single and method == "PUT":
            doc = await store.run(records.update, collection, rest[0], exchange.items())
            exchange.entry.counts = {"updated": 1}
            return Reply(200, doc)
        return Reply(404, _NOT_FOUND)

    async def _bulk(self, exchange: Exchange, shape: Shape) -> Reply:
        app, name = exchange.app, shape.model.name
        may = (app.may("create", name), app.may("update", name)) if app else (False, False)
        return await self._store.run(self._upsert, exchange, shape, may)

    def _upsert(self, exchange: Exchange, shape: Shape, may: tuple[bool, bool]) -> Reply:
        items = as_items(exchange.items())
        entry = exchange.entry
        entry.items = len(items)
        if len(items) > self._switches["bulk_items"]:
            return Reply(400, f"at most {self._switches['bulk_items']} items")
        if not items and self._switches["empty_array"] == "refuse":
            return Reply(400, "no items")
        outcome = self._records.bulk(
            shape.collection, items, arrival=exchange.arrival, may=may, tamper=exchange.tamper
        )
        entry.counts = {
            "created": len(outcome.inserted),
            "updated": len(outcome.changed),
            "nonupdates": outcome.unchanged,
            "errors": outcome.failed,
            "dropped": len(outcome.dropped),
        }
        return Reply(outcome.status(), outcome.body(shape, self._switches))
