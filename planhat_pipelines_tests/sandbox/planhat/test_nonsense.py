from __future__ import annotations

import random
import statistics
import time
from typing import Any

import requests

from planhat_pipelines.planhat.catalogue import MODELS
from planhat_pipelines_tests.sandbox.planhat.conftest import Planhat

WEIRD: list[Any] = [
    None, True, 0, -1, 1.5, 1e308, 2**70, "", "x", "f" * 24, "extid-", "srcid-x", [], ["a"], [None], [{}], {}, {"a": 1},
    "2026-13-45", "0001-01-01T00:00:00+14:00", "\U0001f600", "' or 1=1", 'a"b', "$.x", [["x"]],
]  # fmt: skip


def test_no_item_however_odd_is_a_server_error(planhat: Planhat):
    planhat.switch(hard_limit_per_second=100_000)
    planhat.company("x", domains=["y"])
    chance = random.Random(1)  # noqa: S311  (repeatable)
    for model in MODELS.values():
        names = [*model.fields, "companyExternalId", "nonsense", "domains"]
        for _ in range(4):
            items = [{name: chance.choice(WEIRD) for name in chance.sample(names, 5)} for _ in range(6)]
            assert planhat.put(model.path, [*items, chance.choice(WEIRD)]).status_code < 500
            assert planhat.call("POST", model.path, items[0]).status_code < 500
            assert planhat.put(f"{model.path}/extid-x", items[1]).status_code < 500


def test_no_point_event_or_query_however_odd_is_a_server_error(planhat: Planhat):
    planhat.switch(hard_limit_per_second=100_000)
    planhat.company("x")
    chance = random.Random(2)  # noqa: S311  (repeatable)

    def made(*names: str) -> dict[str, Any]:
        return {name: chance.choice([*WEIRD, "x"]) for name in names}

    for _ in range(15):
        points = [made("dimensionId", "value", "externalId", "model", "date") for _ in range(9)]
        events = [
            made("email", "externalId", "companyExternalId", "name", "date", "weight") for _ in range(9)
        ]
        call = made("type", "userId", "event", "traits", "properties", "context", "timestamp")
        assert planhat.send("dimensiondata/{tenant}", points).status_code == 200
        assert planhat.send("analytics/bulk/{tenant}", events).status_code == 200
        assert planhat.send("dock/segment", call, auth=(planhat.server.tenant, "")).status_code == 200
        odd = ["", "x", "-1", "9" * 30, "a,b", "-name", 'a"b', "$.x", "²"]
        names = ("limit", "offset", "sort", "select", "companyId", "email", "from", "to", "cId", "dimid")
        query = {name: chance.choice(odd) for name in names}
        for path in ("companies", "endusers", "issues", "leancompanies", "dimensiondata"):
            assert isinstance(planhat.get(path, **query), list)


def test_a_small_call_on_an_open_connection_is_answered_within_milliseconds(planhat: Planhat):
    taken: list[float] = []
    with requests.Session() as session:
        session.headers.update(planhat.headers)
        for _ in range(20):
            started = time.perf_counter()
            session.put(
                f"{planhat.server.api_url}/companies", json=[{"externalId": "a", "name": "A"}], timeout=5
            )
            taken.append(time.perf_counter() - started)
    assert statistics.median(taken) < 0.03  # 0.04 would be a delayed acknowledgement
