"""Start the local Snowflake: python -m planhat_pipelines.sandbox.snowflake --users FILE [--folder DIR] [--port N]."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import socket
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn

from planhat_pipelines.sandbox.snowflake.account import Account
from planhat_pipelines.sandbox.snowflake.server import Server
from planhat_pipelines.sandbox.snowflake.sign_in import SignIn

HOST = "127.0.0.1"
GRACE = 2
"""Seconds a running request gets when the server is told to stop."""


class Announcing(uvicorn.Server):
    """Says on standard output, as one JSON line, where it listens once it does; breaks off statements at its end."""

    def __init__(self, config: uvicorn.Config, interrupt: Callable[[], None]) -> None:
        super().__init__(config)
        self._interrupt = interrupt

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, without waiting for statements that still run."""
        self._interrupt()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then say so."""
        await super().startup(sockets)
        for listening in sockets or []:
            host, port = listening.getsockname()[:2]
            print(json.dumps({"host": host, "port": port}), flush=True)


def serve(
    *,
    folder: Path | None,
    users_file: Path,
    port: int = 0,
    create_missing: bool = False,
    real_world: bool = False,
) -> None:
    """Serve on loopback until SIGTERM or SIGINT, then write everything to `folder` (none: keep it in memory)."""
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    account = Account(folder, real_world=real_world)
    server = Server(account, SignIn(users_file), create_missing=create_missing)
    config = uvicorn.Config(
        server.app(), log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE, lifespan="off"
    )
    # uvicorn raises the signal anew once it has stopped: with these it then does nothing, also if it was ignored
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _do_nothing)
    listening = socket.create_server((HOST, port))
    try:
        Announcing(config, server.interrupt).run([listening])
    finally:
        account.close()


def _do_nothing(*_: Any) -> None:
    """A signal handler."""


def main(arguments: list[str] | None = None) -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m planhat_pipelines.sandbox.snowflake", description=__doc__
    )
    parser.add_argument("--users", type=Path, required=True, help="users file, see users.py")
    parser.add_argument("--folder", type=Path, help="where the databases are kept; none: in memory")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument(
        "--create-missing", action="store_true", help="make databases and schemas named at connect"
    )
    parser.add_argument(
        "--real-world", action="store_true", help="results in batches, as a real account sends them"
    )
    options: Any = parser.parse_args(arguments)
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    # DuckDB's advice on a faster way to Arrow; the call is fakesnow's
    warnings.filterwarnings("ignore", message="Arrow output on a DB-API result")
    serve(
        folder=options.folder,
        users_file=options.users,
        port=options.port,
        create_missing=options.create_missing,
        real_world=options.real_world,
    )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
