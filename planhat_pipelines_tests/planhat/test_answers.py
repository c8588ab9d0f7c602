from __future__ import annotations

import json
from typing import Any

import pytest

from planhat_pipelines.planhat.answers import Answer, read
from planhat_pipelines.planhat.replies import Reply


def answer(status: int, body: Any, sent: int = 10) -> Answer:
    return read(Reply(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode()), sent)


def test_the_documented_answer_is_read_with_its_keys_and_balance() -> None:
    found = answer(
        206,
        {
            "created": 1,
            "createdErrors": ["externalId,email duplicated"],
            "insertsKeys": [{"_id": "65f0c0ffee00000000000001", "externalId": "a-17"}],
            "updated": 1,
            "updatedErrors": [],
            "updatesKeys": [{"_id": "65f0c0ffee00000000000002", "externalId": 18, "sourceId": "s"}],
            "nonupdates": 1,
            "modified": ["65f0c0ffee00000000000002"],
            "upsertedIds": ["65f0c0ffee00000000000001"],
            "permissionErrors": [],
        },
        sent=5,
    )
    assert (found.created, found.updated, found.unchanged, found.failed, found.dropped) == (1, 1, 1, 2, 1)
    assert [complaint.words for complaint in found.errors] == ["externalId,email duplicated"]
    assert found.created_keys.rows() == [("65f0c0ffee00000000000001", "a-17", None)]
    assert found.updated_keys.rows() == [("65f0c0ffee00000000000002", "18", "s")]


@pytest.mark.parametrize(
    ("complaint", "words", "keys"),
    [
        ("invalid id", "invalid id", {}),
        ({"message": "no", "externalId": 7}, "no", {"externalId": "7"}),
        ({"errmsg": "no", "item": {"sourceId": "s"}}, "no", {"sourceId": "s"}),
        ({"code": 11000}, '{"code":11000}', {}),
        (["a", 1], '["a",1]', {}),
        (None, "", {}),
        ("x" * 5000, "x" * 300, {}),
        ("Zoë <zoe@example.com> duplicated", "Zoë <[e-mail]> duplicated", {}),
    ],
)
def test_a_complaint_is_read_in_whatever_form_it_comes(
    complaint: Any, words: str, keys: dict[str, str]
) -> None:
    [found] = answer(400, {"createdErrors": [complaint]}).errors
    assert (found.words, found.keys) == (words, keys)


def test_complaints_may_be_one_bare_value_and_denied_items_have_their_own_list() -> None:
    found = answer(403, {"updatedErrors": "all wrong", "permissionErrors": ["phase"]})
    assert [complaint.words for complaint in found.errors] == ["all wrong"]
    assert [complaint.words for complaint in found.permission_errors] == ["phase"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("name is required", "name is required"),
        (b"name is required", "name is required"),
        ({"message": "name is required"}, "name is required"),
        (b"<h1>Bad  request</h1>", "<h1>Bad request</h1>"),
        (b"", "answered 400 without a word"),
        ([], "[]"),
    ],
)
def test_another_body_of_a_400_is_one_complaint_about_the_whole_batch(body: Any, words: str) -> None:
    found = answer(400, body)
    assert [complaint.words for complaint in found.errors] == [words]
    assert (found.failed, found.documented) == (10, False)


@pytest.mark.parametrize("status", [200, 201, 204, 403])
@pytest.mark.parametrize("body", ["fine", b"<html>", b"", {"message": "x"}, []])
def test_another_body_of_a_success_or_a_403_tells_nothing_of_the_items(status: int, body: Any) -> None:
    with pytest.raises(ValueError, match="not the answer"):
        answer(status, body)


def test_missing_counters_are_taken_from_the_keys_and_odd_ones_are_read() -> None:
    found = answer(200, {"insertsKeys": [{"_id": "1"}, {"_id": "2"}], "updated": "3", "nonupdates": 4.0})
    assert (found.created, found.updated, found.unchanged) == (2, 3, 4)


def test_more_items_than_were_sent_are_not_believed() -> None:
    with pytest.raises(ValueError, match="more items"):
        answer(200, {"created": 11})
