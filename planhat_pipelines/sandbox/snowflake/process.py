"""The local Snowflake as a process of its own, started and ended from Python."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

READY_WITHIN = 60.0
STOPPED_WITHIN = 5.0


class SnowflakeServer:
    """A context manager around the server process.

    Args:
        users_file: who may sign in, see users.py.
        folder: where the databases are kept; None keeps them in memory.
        port: 0 takes a free one.
        create_missing: make databases and schemas that are named at connect.
        real_world: answer as a real account does, see results.py.
        account: the account name a client is to give; any name will do.

    Raises:
        RuntimeError: the server ended, or was not ready in time, with what it wrote to standard error.
    """

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
        self._arguments = ["--users", str(users_file), "--port", str(port)]
        self._arguments += ["--folder", str(folder)] if folder else []
        self._arguments += ["--create-missing"] if create_missing else []
        self._arguments += ["--real-world"] if real_world else []
        self._process: subprocess.Popen[bytes] | None = None

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

    @property
    def process_id(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> SnowflakeServer:
        """Start the process and wait until it accepts connections."""
        command = [sys.executable, "-m", "planhat_pipelines.sandbox.snowflake", *self._arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            self.port = int(json.loads(_first_line(self._process, READY_WITHIN))["port"])
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ask the process to stop and wait for it; end it by force when it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOPPED_WITHIN)
        finally:
            if process.stdout:
                process.stdout.close()

    def __enter__(self) -> SnowflakeServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _first_line(process: subprocess.Popen[bytes], within: float) -> bytes:
    output = cast("IO[bytes]", process.stdout)
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        ready = selector.select(within)
    line = output.readline() if ready else b""
    if not line:
        state = "ended" if ready else f"was not ready within {within:.0f} seconds"
        raise RuntimeError(f"The local Snowflake {state}. Its standard error says why.")
    return line
