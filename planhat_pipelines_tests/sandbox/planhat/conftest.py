from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from planhat_pipelines.sandbox.planhat import PlanhatServer


class Planhat:
    """Plain requests to a sandbox, with nothing of our client in between."""

    def __init__(self, server: PlanhatServer) -> None:
        self.server = server
        self.admin = server.admin
        self.headers = {"Authorization": f"Bearer {server.token}"}

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        options.setdefault("headers", self.headers)
        options.setdefault("timeout", 20)
        return requests.request(method, f"{self.server.api_url}/{path}", json=body, **options)

    def get(self, path: str, **query: Any) -> Any:
        answer = self.call("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, path: str, body: Any) -> requests.Response:
        return self.call("PUT", path, body)

    def good(self, path: str, *items: dict[str, Any]) -> dict[str, Any]:
        """A bulk upsert that must succeed."""
        answer = self.put(path, list(items))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def company(self, external: str = "c-1", **fields: Any) -> str:
        """A company's _id, made on the way."""
        body = self.good("companies", {"externalId": external, "name": f"Name of {external}", **fields})
        return body["upsertedIds"][0]

    def send(self, path: str, body: Any, **options: Any) -> requests.Response:
        """To the analytics host; {tenant} is filled in."""
        url = f"{self.server.analytics_url}/{path.format(tenant=self.server.tenant)}"
        return requests.post(url, json=body, timeout=20, **options)

    def switch(self, **values: Any) -> None:
        self.admin("PUT", "switches", values)

    def fault(self, kind: str, **facts: Any) -> None:
        self.admin("POST", "faults", {"kind": kind, **facts})

    def log(self, **query: Any) -> list[dict[str, Any]]:
        return self.admin("GET", "log", **query)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlanhatServer]:
    with PlanhatServer(tmp_path_factory.mktemp("planhat")) as server:
        yield server


@pytest.fixture
def planhat(server: PlanhatServer) -> Planhat:
    server.admin("POST", "reset")
    return Planhat(server)
