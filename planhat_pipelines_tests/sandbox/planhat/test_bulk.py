from __future__ import annotations

import threading
from typing import Any

import pytest

from planhat_pipelines_tests.sandbox.planhat.conftest import Planhat

TEN_KEYS = {
    "created", "createdErrors", "insertsKeys", "updated", "updatedErrors",
    "updatesKeys", "nonupdates", "modified", "upsertedIds", "permissionErrors",
}  # fmt: skip


def test_two_inserts_are_answered_with_their_ids_and_keys(planhat: Planhat):
    body = planhat.good("companies", {"externalId": "a", "name": "A"}, {"sourceId": "s", "name": "B"})
    assert set(body) == TEN_KEYS
    assert (body["created"], body["updated"], body["nonupdates"]) == (2, 0, 0)
    assert body["upsertedIds"] == [keys["_id"] for keys in body["insertsKeys"]]
    assert [sorted(keys) for keys in body["insertsKeys"]] == [["_id", "externalId"], ["_id", "sourceId"]]
    assert all(len(id) == 24 and int(id, 16) for id in body["upsertedIds"])
    assert body["modified"] == []


def test_created_changed_unchanged_and_failed_items_of_one_array_are_told_apart(planhat: Planhat):
    planhat.good("companies", {"externalId": "same", "name": "S"}, {"externalId": "moved", "name": "M"})
    items = [
        {"externalId": "new", "name": "N"},
        {"externalId": "moved", "name": "M2"},
        {"externalId": "same", "name": "S"},
        {"externalId": "nameless"},
        {"_id": "f" * 24, "name": "nobody"},
    ]
    answer = planhat.put("companies", items)
    body = answer.json()
    assert answer.status_code == 206
    assert (body["created"], body["updated"], body["nonupdates"]) == (1, 1, 1)
    assert body["createdErrors"] == ["name is required", "invalid id"]
    assert [keys["externalId"] for keys in body["updatesKeys"]] == ["moved"]
    assert body["modified"] == [body["updatesKeys"][0]["_id"]]


def test_when_every_item_fails_the_answer_is_400(planhat: Planhat):
    answer = planhat.put("companies", [{"externalId": "x"}])
    assert answer.status_code == 400
    assert answer.json()["createdErrors"] == ["name is required"]


def test_errors_may_be_objects_or_the_whole_answer_a_text(planhat: Planhat):
    planhat.switch(error_elements="object")
    body = planhat.put("companies", [{"externalId": "x"}]).json()
    assert body["createdErrors"] == [{"message": "name is required", "keys": {"externalId": "x"}}]
    planhat.switch(all_failed_body="text")
    assert planhat.put("companies", [{"externalId": "x"}]).text == "name is required"


def test_keys_match_in_the_order_id_source_external(planhat: Planhat):
    first, second = planhat.good(
        "companies", {"sourceId": "s", "name": "by source"}, {"externalId": "e", "name": "by external"}
    )["upsertedIds"]
    answer = planhat.put("companies", [{"sourceId": "s", "externalId": "e", "name": "both"}])
    assert answer.status_code == 400
    assert answer.json()["updatedErrors"] == ["externalId duplicated"]
    body = planhat.good("companies", {"_id": second, "sourceId": "s2", "externalId": "e", "name": "third"})
    assert body["modified"] == [second]
    assert planhat.get(f"companies/{first}")["name"] == "by source"


def test_an_item_without_a_key_is_a_new_record_each_time(planhat: Planhat):
    for _ in range(2):
        assert planhat.good("companies", {"name": "Twin"})["created"] == 1
    assert planhat.admin("GET", "records/company", q="Twin")["total"] == 2


def test_an_update_leaves_the_rest_alone_merges_custom_replaces_arrays_and_clears_with_null(planhat: Planhat):
    planhat.company("c", phase="Live", tags=["a", "b"], city="Umeå", custom={"ARR": 1, "Tier": "gold"})
    planhat.good("companies", {"externalId": "c", "tags": ["c"], "city": None, "custom": {"ARR": 2}})
    found = planhat.get("companies/extid-c")
    assert found["phase"] == "Live"
    assert found["tags"] == ["c"]
    assert "city" not in found
    assert found["custom"] == {"ARR": 2, "Tier": "gold"}
    planhat.good("companies", {"externalId": "c", "custom": {"ARR": None}})
    assert planhat.get("companies/extid-c")["custom"] == {"Tier": "gold"}


def test_null_on_a_required_field_is_refused_and_array_operations_are_refused_loudly(planhat: Planhat):
    planhat.company("c")
    body = planhat.put(
        "companies", [{"externalId": "c", "name": None}, {"externalId": "c", "tags": {"add": ["x"]}}]
    ).json()
    assert body["updatedErrors"][0] == "name is required"
    assert "send the whole array" in body["updatedErrors"][1]


def test_dates_come_back_as_iso_with_milliseconds_and_z(planhat: Planhat):
    company = planhat.company()
    planhat.good(
        "projects", {"externalId": "p", "name": "P", "companyId": company, "startDate": "2026-07-01"}
    )
    found = planhat.get("projects/extid-p")
    assert found["startDate"] == "2026-07-01T00:00:00.000Z"
    assert found["createdAt"].endswith("Z")
    assert len(found["updatedAt"]) == 24


def test_values_of_the_wrong_kind_are_refused_or_stored(planhat: Planhat):
    wrong = {"externalId": "c", "name": "C", "csmScore": "high"}
    assert planhat.put("companies", [wrong]).json()["createdErrors"] == ["invalid csmScore"]
    assert planhat.put("companies", [wrong | {"csmScore": 6}]).json()["createdErrors"] == ["invalid csmScore"]
    planhat.switch(wrong_types="store")
    assert planhat.good("companies", wrong)["created"] == 1


def test_read_only_fields_are_ignored_or_refused(planhat: Planhat):
    planhat.company("c", mrr=999, status="customer", createDate="2001-01-01")
    found = planhat.get("companies/extid-c")
    assert (found["mrr"], found["status"]) == (0, "prospect")
    assert found["createDate"] > "2020"
    planhat.switch(read_only_fields="refuse")
    body = planhat.put("companies", [{"externalId": "c", "mrr": 1}]).json()
    assert body["updatedErrors"] == ["mrr is read-only"]


def test_a_repeat_within_one_array_fails_with_the_duplicate_text_or_updates(planhat: Planhat):
    company = planhat.company()
    twin = {"externalId": "u", "email": "u@x.test", "companyId": company}
    answer = planhat.put("endusers", [twin, twin])
    assert answer.status_code == 206
    assert answer.json()["createdErrors"] == ["externalId,email duplicated"]
    planhat.switch(racing_inserts="update")
    body = planhat.good("companies", {"externalId": "n", "name": "1"}, {"externalId": "n", "name": "2"})
    assert (body["created"], body["updated"]) == (1, 1)


def test_two_requests_at_once_that_insert_one_key_collide(planhat: Planhat):
    items = [{"externalId": f"c-{i}", "name": "N" * 2000} for i in range(4000)]
    answers: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda: answers.append(planhat.put("companies", items).json())) for _ in "12"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(body["created"] for body in answers) == 4000
    collisions = [text for body in answers for text in body["createdErrors"]]
    assert set(collisions) <= {"externalId duplicated"}
    assert len(collisions) + sum(body["nonupdates"] for body in answers) == 4000


def test_the_stamp_moves_on_a_no_op_only_where_told(planhat: Planhat):
    planhat.company("c")
    before = planhat.get("companies/extid-c")["lastUpdated"]
    assert planhat.good("companies", {"externalId": "c", "name": "Name of c"})["nonupdates"] == 1
    assert planhat.get("companies/extid-c")["lastUpdated"] == before
    planhat.switch(no_op_moves_stamp=True)
    assert planhat.good("companies", {"externalId": "c", "name": "Name of c"})["nonupdates"] == 1
    assert planhat.get("companies/extid-c")["lastUpdated"] > before


def test_too_many_items_and_too_large_bodies_are_refused_whole(planhat: Planhat):
    answer = planhat.put("companies", [{"name": "x"}] * 5001)
    assert (answer.status_code, answer.text) == (400, "at most 5000 items")
    planhat.switch(body_bytes=1000)
    assert planhat.put("companies", [{"name": "x" * 2000}]).status_code == 413
    assert planhat.send("dimensiondata/{tenant}", [{"dimensionId": "d" * 2000}]).status_code == 413
    assert planhat.admin("GET", "state")["records"]["company"] == 0


def test_an_empty_array_is_empty_or_refused(planhat: Planhat):
    assert planhat.good("companies")["created"] == 0
    planhat.switch(empty_array="refuse")
    assert planhat.put("companies", []).status_code == 400


def test_a_single_object_is_taken_as_an_array_of_one_and_other_bodies_are_400(planhat: Planhat):
    assert planhat.put("companies", {"name": "x"}).json()["created"] == 1
    assert planhat.put("companies", [["x"]]).json()["createdErrors"] == ["an item must be an object"]
    answer = planhat.call("PUT", "companies", data="[{", headers=planhat.headers)
    assert answer.status_code == 400


@pytest.mark.parametrize("policy", ["store", "refuse", "drop"])
def test_custom_fields_are_checked_against_their_definitions(planhat: Planhat, policy: str):
    for name, facts in {
        "Tier": {"type": "list", "listValues": ["gold", "tin"]},
        "Score": {"type": "number"},
        "Sum": {"type": "number", "isFormula": True},
    }.items():
        definition = {"name": name, "parent": "company", "isHidden": False, **facts}
        assert planhat.call("POST", "customfields", definition).status_code == 200
    planhat.switch(unknown_custom_fields=policy, unknown_list_values=policy)
    answer = planhat.put(
        "companies", [{"externalId": "c", "name": "C", "custom": {"Tier": "lead", "Sum": 3}}]
    )
    expected = {"store": {"Tier": "lead"}, "drop": {}, "refuse": None}[policy]
    if expected is None:
        assert answer.json()["createdErrors"] == ["custom.Tier: value is not in the list"]
    else:
        assert planhat.get("companies/extid-c")["custom"] == expected
    answer = planhat.put("companies", [{"externalId": "d", "name": "D", "custom": {"New": 1}}])
    assert answer.status_code == (400 if policy == "refuse" else 200)
    answer = planhat.put("companies", [{"externalId": "e", "name": "E", "custom": {"Score": "x"}}])
    assert answer.json()["createdErrors"] == ["invalid custom.Score"]


def test_a_mandatory_custom_field_makes_creates_fail(planhat: Planhat):
    definition = {
        "name": "Owner Team",
        "parent": "Company",
        "type": "text",
        "isHidden": False,
        "isMandatory": True,
    }
    planhat.call("POST", "customfields", definition)
    assert planhat.put("companies", [{"name": "C"}]).json()["createdErrors"] == [
        "custom.Owner Team is required"
    ]
    planhat.good("companies", {"name": "C", "custom": {"Owner Team": "North"}})
