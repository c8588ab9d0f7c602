"""The admin view under /_sandbox/: what a test and the page may see and set. Loopback only, no token.

Records by model and by hand, points and activities, what was dropped and why, the request log, faults, switches, apps.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from planhat_pipelines.planhat.catalogue import UnknownModel, model
from planhat_pipelines.sandbox.planhat.auth import masked
from planhat_pipelines.sandbox.planhat.faults import KINDS, BadFault
from planhat_pipelines.sandbox.planhat.fields import Refused
from planhat_pipelines.sandbox.planhat.gate import Reply
from planhat_pipelines.sandbox.planhat.lists import whole
from planhat_pipelines.sandbox.planhat.records import Missing
from planhat_pipelines.sandbox.planhat.switches import BadSwitch
from planhat_pipelines.sandbox.planhat.views import Views
from planhat_pipelines.sandbox.planhat.world import World

_LOOPBACK = {"127.0.0.1", "localhost", "[::1]", "::1"}


class Admin:
    """Routes over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._views = Views(world)
        self._started = time.time()

    def routes(self) -> list[Route]:
        table: list[tuple[str, str, Callable[[Request], Awaitable[Any]]]] = [
            ("GET", "state", self._state),
            ("GET", "summary", self._summary),
            ("GET", "credentials", self._credentials),
            ("GET", "records/{model}", self._records),
            ("GET", "records/{model}/{id}", self._record),
            ("PATCH", "records/{model}/{id}", self._edit),
            ("GET", "digest/{model}", self._digest),
            ("GET", "companies/{id}", self._company),
            ("GET", "points/digest", self._points_digest),
            ("GET", "points/{model}/{id}", self._points),
            ("GET", "activities", self._activities),
            ("GET", "dropped", self._dropped),
            ("GET", "log", self._log),
            ("DELETE", "log", self._clear_log),
            ("GET", "faults", self._faults),
            ("POST", "faults", self._add_fault),
            ("DELETE", "faults", self._clear_faults),
            ("GET", "switches", self._switches),
            ("PUT", "switches", self._set_switches),
            ("GET", "apps", self._apps),
            ("POST", "apps", self._add_app),
            ("POST", "reset", self._reset),
        ]
        return [Route(f"/_sandbox/{path}", _guarded(work), methods=[method]) for method, path, work in table]

    async def _state(self, _request: Request) -> Any:
        world = self._world
        counts = await world.store.run(self._views.counts)
        return counts | {
            "tenant": masked(world.apps.tenant),
            "analytics_url": world.analytics_url,
            "uptime_seconds": round(time.time() - self._started),
            "requests": world.gate.log.total,
            "running": world.gate.limits.running,
            "limits": world.gate.limits.state(),
            "faults": len(world.gate.faults.rules),
            "switches": dict(world.switches.changed),
        }

    async def _summary(self, _request: Request) -> Any:
        return await self._world.store.run(self._views.summary)

    async def _credentials(self, _request: Request) -> Any:
        apps = self._world.apps
        return {"token": apps.all["default"].token, "tenant": apps.tenant}

    async def _records(self, request: Request) -> Any:
        query = request.query_params
        return await self._world.store.run(
            self._views.records,
            model(request.path_params["model"]),
            text=query.get("q", ""),
            company=query.get("company", ""),
            sort=query.get("sort", ""),
            limit=whole(query.get("limit"), 100),
            offset=whole(query.get("offset"), 0),
        )

    async def _record(self, request: Request) -> Any:
        path = model(request.path_params["model"]).path
        return await self._world.store.run(self._world.records.get, path, request.path_params["id"])

    async def _edit(self, request: Request) -> Any:
        """A person changes a record in the app: the same rules, the same stamps."""
        world = self._world
        entry = world.gate.log.open("app", "EDIT", f"/{model(request.path_params['model']).path}", "")
        path = model(request.path_params["model"]).path
        try:
            doc = await world.store.run(
                world.records.update, path, request.path_params["id"], await request.json()
            )
            entry.status, entry.app, entry.items, entry.counts = 200, "a person", 1, {"updated": 1}
            return doc
        except Refused:
            entry.status, entry.app = 400, "a person"
            raise
        finally:
            world.gate.log.close(entry)

    async def _digest(self, request: Request) -> Any:
        return await self._world.store.run(self._views.digest, model(request.path_params["model"]))

    async def _company(self, request: Request) -> Any:
        return await self._world.store.run(self._views.company, request.path_params["id"])

    async def _points_digest(self, request: Request) -> Any:
        full = request.query_params.get("full", "") not in ("", "0")
        return await self._world.store.run(self._world.metrics.digest, full=full)

    async def _points(self, request: Request) -> Any:
        found = model(request.path_params["model"])
        return await self._world.store.run(self._views.points, found, request.path_params["id"])

    async def _activities(self, request: Request) -> Any:
        company = request.query_params.get("company", "")
        limit = whole(request.query_params.get("limit"), 200)
        return await self._world.store.run(self._views.activities, company, limit)

    async def _dropped(self, request: Request) -> Any:
        query = request.query_params
        return await self._world.store.run(
            self._views.dropped,
            kind=query.get("kind", ""),
            limit=whole(query.get("limit"), 200),
            offset=whole(query.get("offset"), 0),
        )

    async def _log(self, request: Request) -> Any:
        query = request.query_params
        return self._world.gate.log.find(
            after=whole(query.get("after"), 0),
            host=query.get("host", ""),
            method=query.get("method", ""),
            path=query.get("path", ""),
            status=whole(query.get("status"), 0),
            limit=whole(query.get("limit"), 200),
        )

    async def _clear_log(self, _request: Request) -> Any:
        self._world.gate.log.clear()
        return {}

    async def _faults(self, _request: Request) -> Any:
        return {"rules": self._world.gate.faults.describe(), "kinds": KINDS}

    async def _add_fault(self, request: Request) -> Any:
        return asdict(self._world.gate.faults.add(await request.json()))

    async def _clear_faults(self, request: Request) -> Any:
        self._world.gate.faults.clear(whole(request.query_params.get("id"), 0) or None)
        return {}

    async def _switches(self, _request: Request) -> Any:
        return self._world.switches.describe()

    async def _set_switches(self, request: Request) -> Any:
        self._world.switches.set(await request.json())
        await self._world.store.run(self._world.keep_switches)
        return self._world.switches.describe()

    async def _apps(self, _request: Request) -> Any:
        apps = self._world.apps.all.values()
        return [{"name": a.name, "token": masked(a.token), "permissions": a.permissions} for a in apps]

    async def _add_app(self, request: Request) -> Any:
        """{"name", "permissions": {"company": ["read"], "*": []}}; gives the token, this once."""
        facts = await request.json()
        app = self._world.apps.create(facts["name"], facts["permissions"])
        await self._world.store.run(self._world.apps.keep)
        return asdict(app)

    async def _reset(self, _request: Request) -> Any:
        await self._world.reset()
        return {}


def _guarded(work: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if not is_local(request):
            return Reply(403, "only from this machine").response()
        try:
            return Reply(200, await work(request)).response()
        except (Missing, UnknownModel) as missing:
            return Reply(404, str(missing)).response()
        except (Refused, BadFault, BadSwitch, ValueError, KeyError, TypeError, orjson.JSONDecodeError) as bad:
            return Reply(400, str(bad)).response()

    return endpoint


def is_local(request: Request) -> bool:
    """From this machine, and not on behalf of a page of another site that a browser has open."""
    client = request.client.host if request.client else ""
    origin = request.headers.get("origin")
    host = request.headers.get("host", "")
    return client in _LOOPBACK and host.rpartition(":")[0] in _LOOPBACK and origin in (None, f"http://{host}")
