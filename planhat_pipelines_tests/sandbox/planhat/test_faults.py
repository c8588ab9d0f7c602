from __future__ import annotations

import time

import pytest
import requests

from planhat_pipelines_tests.sandbox.planhat.conftest import Planhat

POINT = {"dimensionId": "seats", "value": 1, "externalId": "c-1", "date": "2026-07-01"}


def _companies(planhat: Planhat) -> int:
    return planhat.admin("GET", "state")["records"]["company"]


def test_a_status_comes_before_anything_is_stored_as_often_as_ordered(planhat: Planhat):
    planhat.fault("status", path="/companies", method="PUT", status=429, retry_after=3, count=1)
    answer = planhat.put("companies", [{"name": "x"}])
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
    assert _companies(planhat) == 0
    planhat.good("companies", {"name": "x"})


def test_the_first_requests_can_be_spared_and_a_share_be_hit(planhat: Planhat):
    planhat.fault("status", path="/users", skip=2, count=1)
    assert [planhat.call("GET", "users").status_code for _ in range(4)] == [200, 200, 500, 200]
    planhat.fault("status", path="/deals", probability=0.5, status=503)
    codes = [planhat.call("GET", "deals").status_code for _ in range(30)]
    assert {200, 503} == set(codes)


@pytest.mark.parametrize("status", [500, 504])
def test_a_status_may_come_after_everything_is_stored(planhat: Planhat, status: int):
    planhat.fault("status_after", status=status, count=1)
    assert planhat.put("companies", [{"name": "x"}]).status_code == status
    assert _companies(planhat) == 1


@pytest.mark.parametrize(("kind", "stored"), [("reset_before", 0), ("reset_after", 1)])
def test_connections_are_reset_before_or_after_storing(planhat: Planhat, kind: str, stored: int):
    planhat.fault(kind, path="/companies")
    with pytest.raises(requests.ConnectionError):
        planhat.put("companies", [{"name": "x"}])
    assert _companies(planhat) == stored


@pytest.mark.parametrize(("kind", "stored"), [("timeout_before", 0), ("timeout_after", 1)])
def test_a_request_may_never_be_answered(planhat: Planhat, kind: str, stored: int):
    planhat.fault(kind, path="/companies", seconds=1)
    with pytest.raises(requests.ReadTimeout):
        planhat.call("PUT", "companies", [{"name": "x"}], timeout=0.4)
    started = time.monotonic()
    with pytest.raises(requests.ConnectionError):
        planhat.call("PUT", "companies", [{"name": "x"}], timeout=5)
    assert 0.9 < time.monotonic() - started < 4
    assert _companies(planhat) == stored * 2


def test_bodies_may_be_html_no_list_or_cut_in_half(planhat: Planhat):
    planhat.company("c-1")
    planhat.fault("html", path="/companies", status=502, count=1)
    answer = planhat.call("GET", "companies")
    assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html; charset=utf-8")
    planhat.fault("not_a_list", path="/companies", count=1)
    assert isinstance(planhat.get("companies"), dict)
    planhat.fault("truncated", path="/companies", count=1)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        planhat.call("GET", "companies")
    assert len(planhat.get("companies")) == 1


def test_a_slow_answer_is_slow_and_right(planhat: Planhat):
    planhat.fault("slow", seconds=0.3)
    started = time.monotonic()
    planhat.good("companies", {"name": "x"})
    assert time.monotonic() - started > 0.3


def test_some_items_can_be_refused_or_dropped_by_place_or_by_key(planhat: Planhat):
    items = [{"externalId": f"c-{i}", "name": "N"} for i in range(6)]
    planhat.fault("partial", path="/companies", every=3, count=1)
    answer = planhat.put("companies", items)
    assert (answer.status_code, answer.json()["created"]) == (206, 4)
    assert answer.json()["createdErrors"] == ["refused on order"] * 2
    planhat.fault("drop", path="/companies", keys=["c-2"])
    body = planhat.good("companies", *items)
    assert (body["created"], body["nonupdates"], body["createdErrors"]) == (1, 4, [])
    assert planhat.admin("GET", "dropped")["reasons"][0]["reason"] == "dropped on order"


def test_metrics_can_be_stored_and_the_answer_lost(planhat: Planhat):
    planhat.company("c-1")
    planhat.fault("reset_after", path="/dimensiondata/*", count=1)
    with pytest.raises(requests.ConnectionError):
        planhat.send("dimensiondata/{tenant}", [POINT])
    planhat.fault("drop", path="/dimensiondata/*", count=1, every=2)
    assert planhat.send("dimensiondata/{tenant}", [POINT, POINT]).json()["processed"] == 2
    assert planhat.admin("GET", "points/digest")["count"] == 2
    assert planhat.log(host="analytics", limit=2)[1]["fault"] == "reset_after"


def test_rules_are_shown_counted_and_cleared_and_senseless_ones_refused(planhat: Planhat):
    planhat.fault("status", path="/users")
    planhat.fault("slow", seconds=0)
    planhat.call("GET", "users")
    first, second = planhat.admin("GET", "faults")["rules"]
    assert (first["fired"], second["fired"]) == (1, 0)
    planhat.admin("DELETE", "faults", id=first["id"])
    assert [rule["kind"] for rule in planhat.admin("GET", "faults")["rules"]] == ["slow"]
    for wrong in ({"kind": "earthquake"}, {"kind": "slow", "seconds": -1}, {"kind": "slow", "colour": 1}):
        with pytest.raises(RuntimeError, match="400"):
            planhat.admin("POST", "faults", wrong)
