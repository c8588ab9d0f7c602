"""The client against the local Planhat, over sockets: what it promises of verdicts, doubts and reading back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planhat_pipelines.planhat import errors
from planhat_pipelines.planhat.account import Account
from planhat_pipelines.planhat.catalogue import Model, model
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.delivery import Outcome, deliver
from planhat_pipelines.planhat.lookups import points, targets
from planhat_pipelines.planhat.transport import Patience
from planhat_pipelines.sandbox.planhat import PlanhatServer

COMPANY, ENDUSER = model("company"), model("enduser")
Items = list[dict[str, Any]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlanhatServer]:
    with PlanhatServer(tmp_path_factory.mktemp("planhat")) as server:
        yield server


@pytest.fixture
def planhat(server: PlanhatServer) -> PlanhatServer:
    """The server, empty, with no faults, all switches as they are by default, and an empty log."""
    server.admin("POST", "reset")
    server.admin("DELETE", "faults")
    server.admin("PUT", "switches", {switch["name"]: None for switch in server.admin("GET", "switches")})
    server.admin("DELETE", "log")
    return server


def connect(server: PlanhatServer, token: str | None = None) -> Planhat:
    account = Account(token or server.token, server.tenant, server.api_url, server.analytics_url)
    return Planhat(account, patience=Patience(read=2), sleep=lambda _: None)


@pytest.fixture
def client(planhat: PlanhatServer) -> Iterator[Planhat]:
    with connect(planhat) as client:
        yield client


def send(client: Planhat, kind: Model, items: Items, *keys: str) -> Outcome:
    columns = {key: [item.get(key) for item in items] for key in keys or ("externalId",)}
    return deliver(client, kind, pl.DataFrame({**columns, "body": [json.dumps(item) for item in items]}))


def counts(outcome: Outcome) -> tuple[int, int, int, int]:
    return outcome.created, outcome.updated, outcome.unchanged, len(outcome.refused)


def companies(size: int, name: str = "Acme") -> Items:
    return [{"externalId": f"c-{n}", "name": f"{name} {n}"} for n in range(size)]


def held(server: PlanhatServer, kind: str) -> dict[str, Any]:
    found = server.admin("GET", f"records/{kind}", limit=10_000)
    rows = found["records"] if isinstance(found, dict) else found
    return {row["externalId"]: row for row in rows}


# -- signing in


def test_the_probe_passes_with_the_right_token_and_names_what_is_wrong_with_another(
    planhat: PlanhatServer, client: Planhat
) -> None:
    client.probe()
    with connect(planhat, "no-such-token") as stranger, pytest.raises(errors.SignInError, match="region"):
        stranger.probe()
    limited = planhat.admin(
        "POST", "apps", {"name": "limited", "permissions": {"enduser": ["read"], "*": []}}
    )
    with (
        connect(planhat, limited["token"]) as app,
        pytest.raises(errors.PermissionDenied, match="permission"),
    ):
        app.probe()


def test_items_that_the_token_may_not_update_are_refused_and_new_ones_created(
    planhat: PlanhatServer, client: Planhat
) -> None:
    send(client, COMPANY, companies(2))
    app = planhat.admin("POST", "apps", {"name": "creator", "permissions": {"company": ["read", "create"]}})
    with connect(planhat, app["token"]) as creator:
        outcome = send(creator, COMPANY, companies(4, "Other"))
        assert outcome.verdicts.to_list() == ["refused", "refused", "created", "created"]
        assert "no permission to update" in outcome.refused["reason"][0]
        with pytest.raises(errors.PermissionDenied, match="no permission to update"):
            send(creator, COMPANY, companies(2, "Other"))


# -- verdicts


def test_all_verdicts_of_a_mixed_batch_are_told(planhat: PlanhatServer, client: Planhat) -> None:
    send(client, COMPANY, companies(2))
    people = [
        {"externalId": f"u-{n}", "email": f"u{n}@example.com", "companyId": "extid-c-0"} for n in range(4)
    ]
    send(client, ENDUSER, people[:2])
    people[1]["firstName"] = "Zoë"
    people[3]["companyId"] = "extid-nowhere"  # dropped in silence
    people.append({"externalId": "u-4", "companyId": "extid-c-1", "primary": "perhaps"})  # refused
    outcome = send(client, ENDUSER, people)
    assert outcome.verdicts.to_list() == ["unchanged", "updated", "created", "refused", "refused"]
    reasons = dict(outcome.refused.rows())
    assert "no company was found" in reasons[3]
    assert "primary" in reasons[4]


@pytest.mark.parametrize("shape", ["text", "object"])
@pytest.mark.parametrize("whole", ["arrays", "text"])
def test_three_bad_items_of_200_are_found_among_unchanged_ones(
    planhat: PlanhatServer, client: Planhat, shape: str, whole: str
) -> None:
    planhat.admin("PUT", "switches", {"error_elements": shape, "all_failed_body": whole})
    send(client, COMPANY, companies(200))
    keys = ["c-7", "c-101", "c-199"]
    planhat.admin("POST", "faults", {"kind": "partial", "path": "/companies", "method": "PUT", "keys": keys})
    outcome = send(client, COMPANY, companies(200))
    assert counts(outcome) == (0, 0, 197, 3)
    assert outcome.refused.rows() == [(n, "refused on order") for n in (7, 101, 199)]


def test_three_bad_items_of_200_new_ones_take_no_further_call(
    planhat: PlanhatServer, client: Planhat
) -> None:
    keys = ["c-7", "c-101", "c-199"]
    planhat.admin("POST", "faults", {"kind": "partial", "path": "/companies", "method": "PUT", "keys": keys})
    outcome = send(client, COMPANY, companies(200))
    assert counts(outcome) == (197, 0, 0, 3)
    assert len([entry for entry in planhat.admin("GET", "log") if entry["path"] == "/companies"]) == 1


def test_an_enduser_that_vanished_is_found_and_refused(planhat: PlanhatServer, client: Planhat) -> None:
    send(client, COMPANY, companies(1))
    people = [{"externalId": f"u-{n}", "email": f"u{n}@ex.com", "companyId": "extid-c-0"} for n in range(50)]
    del people[33]["companyId"]
    outcome = send(client, ENDUSER, people)
    assert counts(outcome) == (49, 0, 0, 1)
    assert outcome.refused["item"].to_list() == [33]
    assert "dropped without a word" in outcome.refused["reason"][0]


def test_an_item_dropped_although_it_is_there_with_other_values_is_refused(
    planhat: PlanhatServer, client: Planhat
) -> None:
    send(client, COMPANY, companies(3))
    planhat.admin("POST", "faults", {"kind": "drop", "path": "/companies", "method": "PUT", "keys": ["c-1"]})
    outcome = send(client, COMPANY, companies(3, "Other"))
    assert outcome.verdicts.to_list() == ["updated", "refused", "updated"]
    assert "name" in outcome.refused["reason"][0]


def test_a_batch_over_the_body_limit_arrives_in_halves(planhat: PlanhatServer, client: Planhat) -> None:
    planhat.admin("PUT", "switches", {"body_bytes": 2_000})
    outcome = send(client, COMPANY, [*companies(100), {"externalId": "big", "name": "x" * 3_000}])
    assert counts(outcome) == (100, 0, 0, 1)
    assert len(held(planhat, "company")) == 100


def test_custom_fields_go_through_as_given(planhat: PlanhatServer, client: Planhat) -> None:
    custom = {"Firmware Level": 4, "Näme.with.dots": "1.0", "Tags": ["a", "b"], "On": False}
    send(client, COMPANY, [{"externalId": "c", "name": "Acme", "custom": custom}])
    assert held(planhat, "company")["c"]["custom"] == custom
    [page] = client.pages(COMPANY, [f"custom.{name}" for name in custom])
    assert page.drop("_id").rows() == [("4", "1.0", '["a","b"]', "false")]


def test_a_contact_of_several_companies_with_one_external_id_is_counted_once_each(
    planhat: PlanhatServer, client: Planhat
) -> None:
    send(client, COMPANY, companies(4))
    people = [{"externalId": "u", "email": "u@example.com", "companyId": f"extid-c-{n}"} for n in range(4)]
    assert counts(send(client, ENDUSER, people[:3])) == (3, 0, 0, 0)
    assert counts(send(client, ENDUSER, people)) == (1, 0, 3, 0)


# -- faults


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429},
        {"kind": "status", "status": 503, "retry_after": 1},
        {"kind": "status_after", "status": 500},
        {"kind": "status_after", "status": 504},
        {"kind": "html", "status": 200},
        {"kind": "html", "status": 502},
        {"kind": "reset_before"},
        {"kind": "reset_after"},
        {"kind": "truncated"},
    ],
)
def test_a_batch_survives_a_fault_and_no_record_is_doubled(
    planhat: PlanhatServer, client: Planhat, fault: dict[str, Any]
) -> None:
    planhat.admin("POST", "faults", {**fault, "path": "/companies", "method": "PUT", "count": 1})
    outcome = send(client, COMPANY, companies(20))
    assert outcome.created + outcome.unchanged == 20
    assert len(held(planhat, "company")) == 20


def test_a_list_survives_every_fault_of_a_list(planhat: PlanhatServer, client: Planhat) -> None:
    send(client, COMPANY, companies(20))
    for fault in (
        {"kind": "not_a_list"},
        {"kind": "html", "status": 200},
        {"kind": "truncated"},
        {"kind": "status"},
    ):
        planhat.admin("POST", "faults", {**fault, "path": "/companies", "method": "GET", "count": 1})
    [page] = client.pages(COMPANY, ["name"])
    assert len(page) == 20


# -- time series


def metric_points(size: int) -> bytes:
    point = {"dimensionId": "seats", "model": "Company", "date": "2026-07-01"}
    return json.dumps([{**point, "externalId": f"c-{n}", "value": n + 0.5} for n in range(size)]).encode()


def read_back(client: Planhat) -> pl.DataFrame:
    day = (date(2026, 7, 1) - date(1970, 1, 1)).days
    return points(client, "seats", day, day)


def test_points_that_were_sent_can_be_read_back_by_target(planhat: PlanhatServer, client: Planhat) -> None:
    send(client, COMPANY, companies(5))
    client.metrics(metric_points(5))
    known = targets(client, COMPANY).select("_id", "externalId")
    found = read_back(client).join(known, left_on="target", right_on="_id")
    assert dict(found.select("externalId", "value").rows()) == {f"c-{n}": n + 0.5 for n in range(5)}


@pytest.mark.parametrize(
    ("fault", "stored"),
    [
        ({"kind": "status_after", "status": 500}, 3),
        ({"kind": "reset_after"}, 3),
        ({"kind": "truncated"}, 3),
        ({"kind": "reset_before"}, 0),
        ({"kind": "html", "status": 502}, 0),
        ({"kind": "html", "status": 200}, 0),
    ],
)
def test_points_whose_answer_got_lost_are_in_doubt_and_sent_once(
    planhat: PlanhatServer, client: Planhat, fault: dict[str, Any], stored: int
) -> None:
    send(client, COMPANY, companies(3))
    planhat.admin("POST", "faults", {**fault, "path": "/dimensiondata/*", "count": 1})
    with pytest.raises(errors.Doubt):
        client.metrics(metric_points(3))
    assert len(read_back(client)) == stored


def test_points_that_were_turned_away_arrive_once(planhat: PlanhatServer, client: Planhat) -> None:
    send(client, COMPANY, companies(3))
    planhat.admin("POST", "faults", {"kind": "status", "status": 429, "path": "/dimensiondata/*", "count": 2})
    client.metrics(metric_points(3))
    assert len(read_back(client)) == 3


def test_activities_arrive(planhat: PlanhatServer, client: Planhat) -> None:
    send(client, COMPANY, companies(1))
    event = {"externalId": "u", "companyExternalId": "c-0", "action": "Exported report", "weight": 2}
    client.activities(json.dumps([event, event]).encode())
    seen = planhat.admin("GET", "activities")
    assert len(seen["activities"] if isinstance(seen, dict) else seen) == 2


# -- whatever the mix

_KINDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "new": lambda n: {"email": f"u{n}@example.com", "companyId": "extid-c-0"},
    "same": lambda n: {"email": f"u{n}@example.com", "companyId": "extid-c-0"},
    "changed": lambda n: {"email": f"u{n}@example.com", "companyId": "extid-c-0", "firstName": "New"},
    "bad": lambda n: {"email": f"u{n}@example.com", "companyId": "extid-c-0", "primary": "perhaps"},
    "vanishing": lambda n: {"email": f"u{n}@nowhere.test"},
}
_VERDICT = {
    "new": "created",
    "same": "unchanged",
    "changed": "updated",
    "bad": "refused",
    "vanishing": "refused",
}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mix=st.lists(st.sampled_from(list(_KINDS)), min_size=1, max_size=60),
    shape=st.sampled_from(["text", "object"]),
)
def test_every_item_gets_the_one_verdict_that_the_server_gave_it(
    planhat: PlanhatServer, client: Planhat, mix: list[str], shape: str
) -> None:
    planhat.admin("POST", "reset")
    planhat.admin("PUT", "switches", {"error_elements": shape})
    send(client, COMPANY, companies(1))
    items = [{"externalId": f"u-{n}", **_KINDS[kind](n)} for n, kind in enumerate(mix)]
    before = [{**item, **_KINDS["same"](n)} for n, item in enumerate(items) if mix[n] in ("same", "changed")]
    for item in before:
        item.pop("firstName", None)
    if before:
        send(client, ENDUSER, before)
    assert send(client, ENDUSER, items).verdicts.to_list() == [_VERDICT[kind] for kind in mix]
    assert len(held(planhat, "enduser")) == sum(kind not in ("bad", "vanishing") for kind in mix)
