"""The local Planhat as a process of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from planhat_pipelines.sandbox.process import ServerProcess


class PlanhatServer(ServerProcess):
    """Both hosts of Planhat over one state. Once it has started: `api_url`, `analytics_url`, `token`, `tenant`.

    The folder keeps the state; a second server on the same folder goes on with the same data, token and tenant.
    """

    name = "Planhat"
    module = "planhat_pipelines.sandbox.planhat"
    api_url: str
    analytics_url: str
    token: str
    tenant: str

    def __init__(self, folder: Path, *, port: int = 0, analytics_port: int = 0) -> None:
        self.folder = folder
        self._ports = (port, analytics_port)

    def admin(self, method: str, path: str, body: Any = None, /, **query: Any) -> Any:
        """A call to the admin view: `admin("GET", "records/company", q="acme")`. Raises RuntimeError with its text."""
        answer = requests.request(
            method, f"{self.api_url}/_sandbox/{path}", json=body, params=query, timeout=60
        )
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def _arguments(self) -> Sequence[str]:
        port, analytics_port = map(str, self._ports)
        return ["--folder", str(self.folder), "--port", port, "--analytics-port", analytics_port]

    def _ready(self, ports: Mapping[str, int]) -> None:
        self.api_url = f"http://127.0.0.1:{ports['port']}"
        self.analytics_url = f"http://127.0.0.1:{ports['analytics_port']}"
        known = self.admin("GET", "credentials")
        self.token, self.tenant = known["token"], known["tenant"]
