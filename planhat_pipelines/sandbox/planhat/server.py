"""Start and stop a sandbox Planhat from Python: a process of its own on free ports."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import requests


class PlanhatServer:
    """A context manager. Between enter and exit: `api_url`, `analytics_url`, `token`, `tenant`.

    The folder keeps the state; a second server on the same folder goes on with the same data, token and tenant. Raises
    RuntimeError when the process does not answer within `wait` seconds.
    """

    api_url: str
    analytics_url: str
    token: str
    tenant: str

    def __init__(self, folder: Path, *, port: int = 0, analytics_port: int = 0, wait: float = 30) -> None:
        self.folder = folder
        self._ports = (port, analytics_port)
        self._wait = wait
        self._process: subprocess.Popen[str] | None = None

    @property
    def process_id(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process else None

    def __enter__(self) -> PlanhatServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process and wait until it answers."""
        port, analytics_port = self._ports
        command = [sys.executable, "-m", "planhat_pipelines.sandbox.planhat", "--folder", str(self.folder)]
        command += ["--port", str(port), "--analytics-port", str(analytics_port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            ports = self._ready(self._process)
            self.api_url = f"http://127.0.0.1:{ports['port']}"
            self.analytics_url = f"http://127.0.0.1:{ports['analytics_port']}"
            known = self.admin("GET", "credentials")
            self.token, self.tenant = known["token"], known["tenant"]
        except BaseException:
            self.stop()
            raise

    def _ready(self, process: subprocess.Popen[str]) -> dict[str, int]:
        out = process.stdout
        if out is None or not select.select([out], [], [], self._wait)[0]:
            raise RuntimeError(f"the Planhat server did not answer within {self._wait} s")
        line = out.readline()
        if not line:
            raise RuntimeError(f"the Planhat server ended with code {process.wait(5)} at its start")
        return json.loads(line)

    def stop(self, *, kill: bool = False) -> None:
        """End the process: SIGTERM, or SIGKILL when it must not have time to say goodbye. May be called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill() if kill else process.terminate()
        try:
            process.wait(6)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(6)
        if process.stdout:
            process.stdout.close()

    def admin(self, method: str, path: str, body: Any = None, /, **query: Any) -> Any:
        """A call to the admin view: `admin("GET", "records/company", q="acme")`. Raises RuntimeError with its text."""
        answer = requests.request(
            method, f"{self.api_url}/_sandbox/{path}", json=body, params=query, timeout=60
        )
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()
