from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_pipelines.planhat import errors
from planhat_pipelines.planhat.account import Account
from planhat_pipelines.planhat.catalogue import model
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.delivery import body_of, deliver
from planhat_pipelines.planhat.transport import Patience
from planhat_pipelines_tests.planhat.conftest import TOKEN, Far, Seen, far_side

COMPANY, ENDUSER = model("company"), model("enduser")


@dataclass
class Store:
    """A far side that upserts as Planhat documents it: bad items are refused, vanishing ones dropped in silence."""

    style: str = (
        "text"  # of errors: text, object, once (each text only once), string (the whole body, if all failed)
    )
    largest: int = 10**9
    keys: tuple[str, ...] = ("externalId", "companyId")
    records: dict[Any, dict[str, Any]] = field(default_factory=dict)
    calls: int = 0

    def __call__(self, seen: Seen) -> Any:
        self.calls += 1
        if seen.method == "GET":
            name = seen.path.rsplit("/", 1)[1].removeprefix("extid-")
            found = [r for r in self.records.values() if r.get("externalId") == name]
            return (200, found[0]) if found else (404, b"")
        if len(seen.body) > self.largest:
            return (413, b"too large")
        return self._upsert(seen.items)

    def _upsert(self, items: list[dict[str, Any]]) -> Any:
        made: dict[str, list[Any]] = {"created": [], "updated": [], "unchanged": []}
        complaints: list[Any] = []
        for item in items:
            if item.get("end", "").startswith("bad"):
                named = {"message": item["end"], "keys": {"externalId": item["externalId"]}}
                complaints.append(named if self.style == "object" else item["end"])
            elif item.get("end") != "vanishes":
                made[self._put(item)].append({"_id": "1", "externalId": item.get("externalId")})
        stored = sum(map(len, made.values()))
        if self.style == "once":
            complaints = sorted(set(complaints))
        if self.style == "string" and complaints and not stored:
            return (400, complaints[0])
        return (206 if stored else 400) if complaints else 200, {
            "created": len(made["created"]),
            "insertsKeys": made["created"],
            "updated": len(made["updated"]),
            "updatesKeys": made["updated"],
            "nonupdates": len(made["unchanged"]),
            "createdErrors": complaints,
            "updatedErrors": [],
            "permissionErrors": [],
        }

    def _put(self, item: dict[str, Any]) -> str:
        key = tuple(item.get(name) for name in self.keys)
        old = self.records.get(key)
        self.records[key] = {"_id": "1", **(old or {}), **item}
        return "created" if old is None else "unchanged" if self.records[key] == old else "updated"


def batch(items: list[dict[str, Any]], *keys: str) -> pl.DataFrame:
    columns = {key: [item.get(key) for item in items] for key in keys or ("externalId",)}
    return pl.DataFrame({**columns, "body": list(map(json.dumps, items))})


def companies(*ends: str) -> list[dict[str, Any]]:
    return [{"externalId": f"c-{n}", "name": f"Acme {n}", "end": end} for n, end in enumerate(ends)]


# -- the usual case


def test_a_batch_without_failures_takes_one_call_whatever_its_verdicts(far: Far, client: Planhat) -> None:
    store = far.answer = Store()
    items = companies(*["fine"] * 300)
    deliver(client, COMPANY, batch(items[100:]))
    for item in items[200:]:
        item["name"] = "New name"
    outcome = deliver(client, COMPANY, batch(items))
    assert (outcome.created, outcome.updated, outcome.unchanged, len(outcome.refused)) == (100, 100, 100, 0)
    assert store.calls == 2
    expected = ["created"] * 100 + ["unchanged"] * 100 + ["updated"] * 100
    assert outcome.verdicts.to_list() == expected


def test_the_body_is_one_json_array_in_the_order_of_the_batch(far: Far, client: Planhat) -> None:
    far.answer = Store()
    items = batch(companies("fine", "fine å"))
    deliver(client, COMPANY, items)
    assert far.seen[0].body == body_of(items)
    assert [item["end"] for item in far.seen[0].items] == ["fine", "fine å"]


@pytest.mark.parametrize("key", [None, ""])
def test_an_item_without_a_key_is_never_sent(far: Far, client: Planhat, key: str | None) -> None:
    with pytest.raises(ValueError, match="none of the keys"):
        deliver(client, COMPANY, batch([{"externalId": "1"}, {"externalId": key}]))
    assert not far.seen


# -- failures


@pytest.mark.parametrize("style", ["text", "object", "once", "string"])
def test_three_bad_items_among_200_are_found_whatever_the_answer_looks_like(
    far: Far, client: Planhat, style: str
) -> None:
    ends = ["fine"] * 200
    ends[17], ends[18], ends[166] = "bad: name is too long", "bad: email duplicated", "bad: name is too long"
    store = far.answer = Store(style)
    outcome = deliver(client, COMPANY, batch(companies(*ends)))
    assert outcome.created == 197
    assert outcome.refused.rows() == [(17, ends[17]), (18, ends[18]), (166, ends[166])]
    assert store.calls <= 6


@pytest.mark.parametrize("style", ["text", "object", "once", "string"])
def test_bad_items_among_unchanged_ones_which_no_answer_names_are_found_by_halving(
    far: Far, client: Planhat, style: str
) -> None:
    store = far.answer = Store(style)
    items = companies(*["fine"] * 200)
    deliver(client, COMPANY, batch(items))
    for bad in (3, 90, 199):
        items[bad]["end"] = "bad: invalid id"
    outcome = deliver(client, COMPANY, batch(items))
    assert (outcome.created, outcome.updated, outcome.unchanged) == (0, 0, 197)
    assert outcome.refused.rows() == [(bad, "bad: invalid id") for bad in (3, 90, 199)]
    assert store.calls < 60


def test_a_batch_that_fails_as_a_whole_with_the_same_words_takes_one_call(far: Far, client: Planhat) -> None:
    store = far.answer = Store()
    outcome = deliver(client, COMPANY, batch(companies(*["bad: name is required"] * 500)))
    assert outcome.refused["reason"].unique().to_list() == ["bad: name is required"]
    assert (len(outcome.refused), store.calls) == (500, 1)


def test_a_whole_batch_refused_with_a_bare_string_is_still_told_apart(far: Far, client: Planhat) -> None:
    def answer(seen: Seen) -> Any:
        if any(item["end"] != "fine" for item in seen.items):
            return (400, b"Bad payload")
        return store(seen)

    store = Store()
    far.answer = answer
    ends = ["fine"] * 64
    ends[40] = "bad"
    outcome = deliver(client, COMPANY, batch(companies(*ends)))
    assert outcome.created == 63
    assert outcome.refused.rows() == [(40, "Bad payload")]


def test_items_that_vanish_are_asked_for_and_refused_with_the_likely_reason(
    far: Far, client: Planhat
) -> None:
    far.answer = Store()
    outcome = deliver(client, ENDUSER, batch(companies("fine", "vanishes", "fine")))
    assert outcome.created == 2
    [(item, reason)] = outcome.refused.rows()
    assert item == 1
    assert "dropped without a word" in reason
    assert "no company was found" in reason
    assert [seen.path for seen in far.seen] == ["/endusers", "/endusers/extid-c-1"]


def test_an_item_of_which_nothing_is_said_but_that_planhat_holds_as_sent_is_unchanged(
    far: Far, client: Planhat
) -> None:
    held = {
        "_id": "1",
        "externalId": "c-0",
        "name": "Acme 0",
        "end": "fine",
        "custom": {"A b": 1.0, "Day": "2026-01-31"},
    }
    sent = {
        **held,
        "custom": {"A b": 1, "Day": "2026-01-31T12:00:00.000Z"},
        "companyId": "extid-7",
        "phase": None,
    }
    del sent["_id"]
    far.answer = lambda seen: (200, held if seen.method == "GET" else {"created": 0, "updated": 0})
    assert deliver(client, COMPANY, batch([sent])).unchanged == 1


def test_an_item_of_which_nothing_is_said_and_that_planhat_holds_otherwise_is_refused_by_field_name(
    far: Far, client: Planhat
) -> None:
    held = {"_id": "1", "externalId": "c-0", "name": "Old name", "custom": {"ARR": 3}}
    sent = {"externalId": "c-0", "name": "New name", "custom": {"ARR": 4}}
    far.answer = lambda seen: (200, held if seen.method == "GET" else {"created": 0, "updated": 0})
    outcome = deliver(client, COMPANY, batch([sent]))
    [(_, reason)] = outcome.refused.rows()
    assert "name, custom.ARR" in reason
    assert "New name" not in reason


def test_after_fifty_vanished_items_the_others_count_as_dropped_too(far: Far, client: Planhat) -> None:
    store = far.answer = Store()
    outcome = deliver(client, COMPANY, batch(companies(*["vanishes"] * 120)))
    assert (len(outcome.refused), store.calls) == (120, 51)


def test_failures_that_would_take_too_many_calls_are_refused_with_the_words_there_are(
    far: Far, client: Planhat
) -> None:
    store = far.answer = Store()
    ends = [f"bad {n % 7}" for n in range(1000)]
    outcome = deliver(client, COMPANY, batch(companies(*ends)))
    assert len(outcome.refused) == 1000
    assert store.calls <= 401
    assert outcome.refused["reason"].str.contains("bad").all()


def test_a_batch_too_large_is_halved_until_it_fits(far: Far, client: Planhat) -> None:
    far.answer = Store(largest=1000)
    items = companies(*["fine"] * 64)
    items[5]["name"] = "x" * 2000
    outcome = deliver(client, COMPANY, batch(items))
    assert outcome.created == 63
    [(item, reason)] = outcome.refused.rows()
    assert item == 5
    assert "too large" in reason


def test_denied_fields_of_stored_items_are_handed_on(far: Far, client: Planhat) -> None:
    far.answers = [
        (
            403,
            {"created": 1, "insertsKeys": [{"_id": "1", "externalId": "c-0"}], "permissionErrors": ["phase"]},
        )
    ]
    outcome = deliver(client, COMPANY, batch(companies("fine")))
    assert (outcome.created, outcome.said) == (1, ("phase",))


def test_a_model_that_is_denied_as_a_whole_is_an_error_and_not_5000_refusals(
    far: Far, client: Planhat
) -> None:
    far.answers = [(403, {"message": "Forbidden"})]
    with pytest.raises(errors.PermissionDenied):
        deliver(client, COMPANY, batch(companies("fine", "fine")))


def test_a_batch_of_which_every_item_is_denied_is_an_error_too(far: Far, client: Planhat) -> None:
    far.answers = [(403, {"created": 0, "permissionErrors": ["no permission to update Company"] * 2})]
    with pytest.raises(errors.PermissionDenied, match="no permission to update Company"):
        deliver(client, COMPANY, batch(companies("fine", "fine")))


def test_an_answer_that_counts_more_than_was_sent_is_not_believed(far: Far, client: Planhat) -> None:
    far.answer = lambda _: (200, {"created": 2, "updated": 0})
    with pytest.raises(errors.UnreadableAnswer, match="more items than were sent"):
        deliver(client, COMPANY, batch(companies("fine")))


def test_contacts_that_share_an_external_id_across_companies_are_counted_right(
    far: Far, client: Planhat
) -> None:
    far.answer = Store()
    people = [{"externalId": "u", "companyId": f"extid-{n}", "end": "fine"} for n in range(6)]
    deliver(client, ENDUSER, batch(people[:2]))
    people[4]["end"] = "bad: invalid companyId"
    outcome = deliver(client, ENDUSER, batch(people))
    assert (outcome.created, outcome.updated, outcome.unchanged) == (3, 0, 2)
    assert outcome.refused.rows() == [(4, "bad: invalid companyId")]


def test_contacts_keyed_by_e_mail_which_no_answer_lists_are_counted_right(far: Far, client: Planhat) -> None:
    far.answer = Store(keys=("email",))
    people = [{"email": f"u{n}@example.com", "end": "fine"} for n in range(20)]
    deliver(client, ENDUSER, batch(people[:5], "email"))
    people[9] |= {"end": "bad: nope", "externalId": "z"}
    outcome = deliver(client, ENDUSER, batch(people, "email"))
    assert (outcome.created, outcome.updated, outcome.unchanged) == (14, 0, 5)
    assert outcome.refused.rows() == [(9, "bad: nope")]


def test_the_first_key_in_planhats_order_is_the_one_that_counts(far: Far, client: Planhat) -> None:
    listed = [{"_id": "9", "sourceId": "s", "externalId": "other"}]
    far.answers = [(206, {"created": 1, "insertsKeys": listed, "createdErrors": ["externalId duplicated"]})]
    items = [{"sourceId": "s", "externalId": "e1"}, {"externalId": "e2"}]
    outcome = deliver(client, COMPANY, batch(items, "externalId", "sourceId"))
    assert outcome.verdicts.to_list() == ["created", "refused"]


def test_no_reason_shows_an_e_mail_address(far: Far, client: Planhat) -> None:
    far.answers = [(400, {"createdErrors": ["zoe@example.com duplicated"]})]
    outcome = deliver(client, COMPANY, batch(companies("fine")))
    assert outcome.refused["reason"].to_list() == ["[e-mail] duplicated"]


# -- whatever the mix


@pytest.fixture(scope="module")
def lasting() -> Iterator[tuple[Far, Planhat]]:
    with far_side() as far, Planhat(Account(TOKEN, api_url=far.url), patience=Patience(read=5)) as client:
        yield far, client


_ENDS = st.sampled_from(["fine", "fine", "fine", "bad: duplicated", "bad: required", "vanishes"])
_BEFORE = st.sampled_from(["absent", "same", "other"])


@settings(max_examples=150, deadline=None)
@given(
    mix=st.lists(st.tuples(_ENDS, _BEFORE), min_size=1, max_size=40),
    style=st.sampled_from(["text", "object", "once", "string"]),
    largest=st.sampled_from([10**9, 400]),
)
def test_every_item_gets_one_verdict_and_the_counts_are_those_of_the_far_side(
    lasting: tuple[Far, Planhat], mix: list[tuple[str, str]], style: str, largest: int
) -> None:
    far, client = lasting
    items = companies(*(end for end, _ in mix))
    store = far.answer = Store(style, largest)
    for item, (_, before) in zip(items, mix, strict=True):
        if before != "absent":
            store._put(item if before == "same" else {**item, "name": "before"})
    was = {"absent": "created", "same": "unchanged", "other": "updated"}
    expected = [was[before] if end == "fine" else "refused" for end, before in mix]
    # what vanishes although Planhat holds it exactly as it was sent is as good as unchanged
    expected = [
        "unchanged" if (end, before) == ("vanishes", "same") else verdict
        for verdict, (end, before) in zip(expected, mix, strict=True)
    ]
    outcome = deliver(client, COMPANY, batch(items))
    count = Counter(expected)
    assert (outcome.created, outcome.updated, outcome.unchanged, len(outcome.refused)) == tuple(
        count[verdict] for verdict in ("created", "updated", "unchanged", "refused")
    )
    assert outcome.verdicts.to_list() == expected
    for item, reason in outcome.refused.rows():
        assert reason == mix[item][0] or mix[item][0] == "vanishes"
