"""Run the sandbox's Planhat: `python -m planhat_pipelines.sandbox.planhat --folder DIR`.

Prints one line of JSON with both addresses when it answers; ends on SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import Generator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from planhat_pipelines.sandbox.planhat.app import applications
from planhat_pipelines.sandbox.planhat.gate import Connection
from planhat_pipelines.sandbox.planhat.world import World


class _Server(uvicorn.Server):
    """Two of them share a process, so signals are ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def _serve(world: World, sockets: list[socket.socket]) -> None:
    ports = [sock.getsockname()[1] for sock in sockets]
    world.analytics_url = f"http://127.0.0.1:{ports[1]}"
    servers = [_Server(_config(app)) for app in applications(world)]
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):  # also where the parent had them ignored
        loop.add_signal_handler(number, stop.set)
    running = [
        asyncio.create_task(server.serve([sock])) for server, sock in zip(servers, sockets, strict=True)
    ]
    while not all(server.started for server in servers):
        if any(task.done() for task in running):
            break
        await asyncio.sleep(0.005)
    print(json.dumps({"port": ports[0], "analytics_port": ports[1]}), flush=True)
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait([waiting, *running], return_when=asyncio.FIRST_COMPLETED)
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*running)
    waiting.cancel()


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Connection,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
    )


def _listen(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # else no TCP_NODELAY
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(256)
    return sock


def main() -> int:
    parser = argparse.ArgumentParser(prog="planhat_pipelines.sandbox.planhat", description="A local Planhat.")
    parser.add_argument("--folder", type=Path, required=True, help="where it keeps its state")
    parser.add_argument("--port", type=int, default=0, help="main host and page; 0 takes a free one")
    parser.add_argument("--analytics-port", type=int, default=0, help="analytics host; 0 takes a free one")
    wanted = parser.parse_args()
    sockets = [_listen(wanted.port), _listen(wanted.analytics_port)]
    world = World(wanted.folder)
    try:
        asyncio.run(_serve(world, sockets))
    finally:
        world.store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
