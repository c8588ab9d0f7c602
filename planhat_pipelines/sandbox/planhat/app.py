"""The two hosts as ASGI applications. The page and the admin view live on the main one."""

from __future__ import annotations

from importlib.resources import files

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from planhat_pipelines.sandbox.planhat.admin import Admin, is_local
from planhat_pipelines.sandbox.planhat.analytics_host import AnalyticsHost
from planhat_pipelines.sandbox.planhat.main_host import MainHost
from planhat_pipelines.sandbox.planhat.world import World

_STATIC = files("planhat_pipelines.sandbox.planhat") / "static"
_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]


def applications(world: World) -> tuple[Starlette, Starlette]:
    """The main host and the analytics host."""
    main = MainHost(world.store, world.records, world.metrics, world.switches)
    analytics = AnalyticsHost(world.store, world.metrics, world.activities, world.apps, world.switches)

    async def ask_main(request: Request) -> Response:
        return await world.gate.main(request, main.answer)

    async def ask_analytics(request: Request) -> Response:
        return await world.gate.analytics(request, analytics.answer)

    async def page(request: Request) -> Response:
        if not is_local(request):
            return Response("only from this machine", 403)
        return Response((_STATIC / "page.html").read_bytes(), media_type="text/html")

    routes = [
        Route("/", page),
        *Admin(world).routes(),
        Mount("/_static", StaticFiles(directory=str(_STATIC))),
        Route("/{path:path}", ask_main, methods=_METHODS),
    ]
    return Starlette(routes=routes), Starlette(
        routes=[Route("/{path:path}", ask_analytics, methods=_METHODS)]
    )
