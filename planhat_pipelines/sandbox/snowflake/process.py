"""The local Snowflake as a process of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from planhat_pipelines.sandbox.process import ServerProcess


class SnowflakeServer(ServerProcess):
    """A Snowflake over HTTP, to which the real connector talks.

    Args:
        users_file: who may sign in, see users.py.
        folder: where the databases are kept; None keeps them in memory.
        port: 0 takes a free one.
        create_missing: make databases and schemas that are named at connect.
        real_world: answer as a real account does, see results.py.
        account: the account name a client is to give; any name will do.
    """

    name = "Snowflake"
    module = "planhat_pipelines.sandbox.snowflake"

    def __init__(
        self,
        users_file: Path,
        *,
        folder: Path | None = None,
        port: int = 0,
        create_missing: bool = False,
        real_world: bool = False,
        account: str = "LOCAL",
    ) -> None:
        self.host = "127.0.0.1"
        self.port = port
        self.account = account
        self._options = ["--users", str(users_file)]
        self._options += ["--folder", str(folder)] if folder else []
        self._options += ["--create-missing"] if create_missing else []
        self._options += ["--real-world"] if real_world else []

    @property
    def connect_args(self) -> dict[str, Any]:
        """What the connector needs to find the server; add user and secret. A new dict each time.

        The connector edits the session parameters it is given, so never share them.
        """
        return {
            "account": self.account,
            "host": self.host,
            "port": self.port,
            "protocol": "http",
            "session_parameters": {"CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False},
        }

    def _arguments(self) -> Sequence[str]:
        return [*self._options, "--port", str(self.port)]

    def _ready(self, ports: Mapping[str, int]) -> None:
        self.port = ports["port"]
