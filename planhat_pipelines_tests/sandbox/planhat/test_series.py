from __future__ import annotations

import time

from planhat_pipelines_tests.sandbox.planhat.conftest import Planhat

POINT = {"dimensionId": "seats", "value": 41, "externalId": "c-1", "date": "2026-07-01"}
DAY = 20635  # 2026-07-01


def test_points_are_appended_and_read_back_by_company_dimension_and_day(planhat: Planhat):
    company = planhat.company("c-1")
    other = POINT | {"dimensionId": "logins", "date": "2026-07-02T10:00:00+02:00", "model": "Company"}
    assert planhat.send("dimensiondata/{tenant}", [POINT, POINT, other]).json() == {
        "processed": 3,
        "errors": [],
    }
    assert planhat.send("dimensiondata/{tenant}", POINT | {"value": 2.5}).status_code == 200
    found = planhat.get("dimensiondata", cId=company)
    assert [point["value"] for point in found] == [41, 41, 41, 2.5]
    assert found[0] == {
        "_id": found[0]["_id"], "dimensionId": "seats", "time": "2026-07-01T00:00:00.000Z", "value": 41,
        "model": "Company", "parentId": company, "companyId": company, "companyName": "Name of c-1",
    }  # fmt: skip
    assert found[2]["time"] == "2026-07-02T08:00:00.000Z"
    assert len(planhat.get("dimensiondata", cId=company, dimid="seats")) == 3
    assert len(planhat.get("dimensiondata", cId=company, **{"from": DAY + 1, "to": DAY + 1})) == 1
    assert len(planhat.get("dimensiondata", limit=2, offset=3)) == 1


def test_what_has_no_target_or_no_sense_is_dropped_in_silence_and_shown_to_the_admin(planhat: Planhat):
    planhat.company("c-1")
    bad = [
        POINT | {"externalId": "nobody"}, POINT | {"model": "License"}, POINT | {"value": "7"},
        POINT | {"date": "soon"}, POINT | {"dimensionId": None}, {"dimensionId": "seats", "value": 1}, "text",
    ]  # fmt: skip
    assert planhat.send("dimensiondata/{tenant}", [POINT, *bad]).json() == {"processed": 8, "errors": []}
    dropped = planhat.admin("GET", "dropped", kind="metric")
    assert dropped["total"] == 7
    assert {reason["reason"] for reason in dropped["reasons"]} == {
        "no Company has this externalId", "no metrics on License", "value is missing or no number",
        "date cannot be read", "dimensionId is missing", "externalId is missing", "not an object",
    }  # fmt: skip
    shown = planhat.admin("GET", "points/company/extid-c-1")
    assert [point["value"] for point in shown["points"]] == [41]
    assert {entry["reason"] for entry in shown["dropped"]} >= {"date cannot be read"}


def test_endusers_assets_and_projects_carry_metrics_too(planhat: Planhat):
    company = planhat.company("c-1")
    planhat.good("assets", {"externalId": "a-1", "name": "A", "companyId": company})
    planhat.send("dimensiondata/{tenant}", POINT | {"externalId": "a-1", "model": "Asset"})
    point = planhat.get("dimensiondata", cId=company)[0]
    assert (point["model"], point["companyId"]) == ("Asset", company)
    assert point["parentId"] != company


def test_all_points_can_be_counted_and_compared_at_once(planhat: Planhat):
    planhat.company("c-1")
    planhat.send("dimensiondata/{tenant}", [POINT, POINT, POINT | {"dimensionId": "odd name!"}])
    digest = planhat.admin("GET", "points/digest", full=1)
    assert (digest["count"], digest["distinct"], digest["odd_names"]) == (3, 2, ["odd name!"])
    assert ["seats", "Company", "c-1", DAY, 41, 2] in digest["points"]
    assert planhat.admin("GET", "points/digest")["hash"] == digest["hash"]
    planhat.send("dimensiondata/{tenant}", POINT)
    assert planhat.admin("GET", "points/digest")["hash"] != digest["hash"]


def test_an_unknown_tenant_is_answered_200_with_nothing_stored_or_404(planhat: Planhat):
    planhat.company("c-1")
    assert planhat.send("dimensiondata/00000000-0000-0000-0000-000000000000", POINT).status_code == 200
    assert planhat.admin("GET", "state")["points"] == 0
    planhat.switch(unknown_tenant="404")
    assert planhat.send("dimensiondata/00000000-0000-0000-0000-000000000000", POINT).status_code == 404


def test_the_answer_may_be_empty_and_reading_may_lag(planhat: Planhat):
    company = planhat.company("c-1")
    planhat.switch(analytics_body="empty", metrics_delay_seconds=0.5)
    assert planhat.send("dimensiondata/{tenant}", POINT).json() == {}
    assert planhat.get("dimensiondata", cId=company) == []
    time.sleep(0.6)
    assert len(planhat.get("dimensiondata", cId=company)) == 1


def test_the_main_host_knows_no_analytics_paths_and_the_other_way_round(planhat: Planhat):
    assert planhat.call("POST", f"dimensiondata/{planhat.server.tenant}", POINT).status_code == 404
    assert planhat.send("companies", [{"name": "x"}]).status_code == 404


def test_activities_are_appended_with_defaults_and_make_the_enduser_when_the_company_is_known(
    planhat: Planhat,
):
    company = planhat.company("c-1")
    events = [
        {
            "externalId": "u-1",
            "email": "u@x.test",
            "companyExternalId": "c-1",
            "action": "Exported",
            "name": "U One",
        },
        {"email": "nobody@x.test", "action": "Lost"},
        {
            "email": "u@x.test",
            "action": "Dated",
            "weight": 3,
            "date": "2026-07-01T09:30:00.000Z",
            "info": {"a": 1},
        },
    ]
    assert planhat.send("analytics/bulk/{tenant}", events).status_code == 200
    assert planhat.send("analytics/{tenant}", {"externalId": "u-1", "action": "One"}).status_code == 200
    found = planhat.admin("GET", "activities", company=company)
    by_action = {one["activity"]["action"]: one["activity"] for one in found}
    assert set(by_action) == {"Exported", "Dated", "One"}
    assert (by_action["One"]["weight"], by_action["Dated"]["weight"]) == (1, 3)
    person = planhat.get("endusers")[0]
    assert (person["name"], person["companyId"]) == ("U One", company)
    assert person["lastActive"] > "2026-07-02"
    assert planhat.admin("GET", "dropped", kind="activity")["total"] == 1


def test_among_equal_addresses_the_primary_one_gets_the_activity_then_the_named_company(planhat: Planhat):
    one, two = planhat.company("c-1"), planhat.company("c-2")
    planhat.good("endusers", *({"email": "a@x.test", "companyId": id} for id in (one, two)))
    planhat.send("analytics/{tenant}", {"email": "a@x.test", "action": "x", "companyExternalId": "c-2"})
    assert len(planhat.admin("GET", "activities", company=two)) == 1
    planhat.good("endusers", {"email": "a@x.test", "companyId": one, "primary": True})
    planhat.send("analytics/{tenant}", {"email": "a@x.test", "action": "x", "companyExternalId": "c-2"})
    assert len(planhat.admin("GET", "activities", company=one)) == 1


def test_the_segment_dock_takes_the_tenant_token_as_user(planhat: Planhat):
    company = planhat.company("c-1")
    call = {"type": "track", "userId": "u-1", "event": "Signed in", "context": {"groupId": "c-1"}}
    assert planhat.send("dock/segment", call).status_code == 401
    assert planhat.send("dock/segment", call, auth=(planhat.server.tenant, "")).status_code == 200
    identify = {
        "type": "identify",
        "userId": "u-2",
        "traits": {"email": "u2@x.test"},
        "context": {"groupId": "c-1"},
    }
    assert planhat.send("dock/segment", identify, auth=(planhat.server.tenant, "")).status_code == 200
    assert len(planhat.admin("GET", "activities", company=company)) == 1
    assert {person["externalId"] for person in planhat.get("endusers")} == {"u-1", "u-2"}
