"""The analytics host: a sink that answers 200 to whatever it can read. Source: Planhat developers, metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from planhat_pipelines.sandbox.planhat.activities import Activities
from planhat_pipelines.sandbox.planhat.auth import Apps
from planhat_pipelines.sandbox.planhat.bulk import Tamper
from planhat_pipelines.sandbox.planhat.gate import Exchange, Reply, as_items
from planhat_pipelines.sandbox.planhat.series import Metrics
from planhat_pipelines.sandbox.planhat.store import Store, as_doc
from planhat_pipelines.sandbox.planhat.switches import Switches

Push = Callable[[list[Any], Tamper | None], int]


class AnalyticsHost:
    """Answers requests that have passed the gate."""

    def __init__(
        self, store: Store, metrics: Metrics, activities: Activities, apps: Apps, switches: Switches
    ) -> None:
        self._store, self._metrics, self._activities = store, metrics, activities
        self._apps, self._switches = apps, switches

    async def answer(self, exchange: Exchange) -> Reply:
        parts = exchange.request.url.path.strip("/").split("/")
        if exchange.request.method != "POST":
            return Reply(404, "Not Found")
        match parts:
            case ["dimensiondata", tenant]:
                return await self._take(exchange, tenant, self._metrics.push)
            case ["analytics", "bulk", tenant] | ["analytics", tenant]:
                return await self._take(exchange, tenant, self._activities.push)
            case ["dock", "segment"]:
                if not self._apps.is_dock(exchange.request.headers.get("authorization")):
                    return Reply(401, "Unauthorized")
                return await self._take(exchange, self._apps.tenant, self._segment)
            case _:
                return Reply(404, "Not Found")

    async def _take(self, exchange: Exchange, tenant: str, push: Push) -> Reply:
        if tenant != self._apps.tenant and self._switches["unknown_tenant"] == "404":
            return Reply(404, "Not Found")
        return await self._store.run(self._push, exchange, tenant == self._apps.tenant, push)

    def _push(self, exchange: Exchange, known: bool, push: Push) -> Reply:
        items = as_items(exchange.items())
        exchange.entry.items = len(items)
        stored = push(items, exchange.tamper) if known else 0
        exchange.entry.counts = {"stored": stored, "dropped": len(items) - stored}
        if self._switches["analytics_body"] == "empty":
            return Reply(200, {})
        return Reply(200, {"processed": len(items), "errors": []})

    def _segment(self, calls: list[Any], _tamper: Tamper | None) -> int:
        return sum(self._activities.segment(call) for call in map(as_doc, calls) if call)
