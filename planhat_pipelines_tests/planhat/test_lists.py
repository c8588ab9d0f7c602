from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from planhat_pipelines.planhat import errors
from planhat_pipelines.planhat.catalogue import model
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.lookups import CustomField, custom_fields, points, targets
from planhat_pipelines.planhat.paging import repeated
from planhat_pipelines_tests.planhat.conftest import Far, Seen

COMPANY, ENDUSER = model("company"), model("enduser")


def record(number: int, **facts: Any) -> dict[str, Any]:
    return {"_id": f"{number:024x}", "name": f"Acme {number}", **facts}


class Listing:
    """A list that honours limit up to a cap, offset, and the sort by `_id` if it is told to."""

    def __init__(self, records: list[dict[str, Any]], *, cap: int = 10**6, sorts: bool = True) -> None:
        self.records, self.cap, self.sorts = records, cap, sorts
        self.before_page: Callable[[int], None] | None = None
        self.pages = 0

    def __call__(self, seen: Seen) -> Any:
        self.pages += 1
        if self.before_page:
            self.before_page(self.pages)
        found = sorted(self.records, key=lambda r: r["_id"]) if self.sorts else self.records
        offset = int(seen.params["offset"])
        return (200, found[offset : offset + min(int(seen.params["limit"]), self.cap)])


def names(client: Planhat) -> list[str]:
    return [name for page in client.pages(COMPANY, ["name"]) for name in page["name"]]


# -- walking


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 499, 500, 501, 1234])
@pytest.mark.parametrize("cap", [250, 10**6])
@pytest.mark.parametrize("sorts", [True, False])
def test_every_record_comes_once_whatever_the_far_side_does_with_limit_and_sort(
    far: Far, client: Planhat, size: int, cap: int, sorts: bool
) -> None:
    records = [record((number * 7919) % 100003) for number in range(size)]
    far.answer = Listing(records, cap=cap, sorts=sorts)
    assert sorted(names(client)) == sorted(r["name"] for r in records)


def test_a_short_list_takes_one_call_with_the_models_greatest_page(far: Far, client: Planhat) -> None:
    far.answer = Listing([record(number) for number in range(99)])
    names(client)
    [seen] = far.seen
    assert seen.params == {"select": "_id,name", "sort": "_id", "limit": "5000", "offset": "0"}


@pytest.mark.parametrize("sorts", [True, False])
def test_records_deleted_while_reading_make_no_other_record_missed(
    far: Far, client: Planhat, sorts: bool
) -> None:
    records = [record((number * 7919) % 100003) for number in range(1000)]
    far.answer = listing = Listing(records, cap=200, sorts=sorts)

    def delete(page: int) -> None:
        if page == 3:
            del records[50:120]

    listing.before_page = delete
    found = names(client)
    assert {r["name"] for r in records} <= set(found)
    assert len(found) == len(set(found))


def test_records_created_while_reading_make_none_come_twice(far: Far, client: Planhat) -> None:
    records = [record(number) for number in range(10, 1000)]
    far.answer = listing = Listing(records, cap=200)
    listing.before_page = lambda page: (
        records.extend([record(page), record(2000 + page)]) if page < 5 else None
    )
    found = names(client)
    assert len(found) == len(set(found))
    assert {f"Acme {number}" for number in range(10, 1000)} <= set(found)


def test_a_far_side_that_knows_no_offset_does_not_make_us_walk_for_ever(far: Far, client: Planhat) -> None:
    records = [record(number) for number in range(300)]
    far.answer = lambda _: (200, records)
    assert len(names(client)) == 300
    assert len(far.seen) == 2


def test_a_list_that_shrinks_for_ever_is_given_up(far: Far, client: Planhat) -> None:
    counter = iter(range(10**6, 10**9, 1000))
    far.answer = lambda _: (200, [record(next(counter) + n) for n in range(150)])
    with pytest.raises(errors.UnreadableAnswer, match="faster than"):
        names(client)


@pytest.mark.parametrize(
    ("page", "again"),
    [
        ("def", 1),  # as it should be
        ("cde", 2),  # one row came in above
        ("d", 1),  # the end of the list
        ("efg", None),  # the last row was deleted, and one more
        ("cef", None),  # one came in and one was deleted
        ("cxd", None),  # equal rows changed places
        ("abcd", None),  # no offset is known here
        ("", None),
    ],
)
def test_a_page_goes_on_where_it_begins_with_the_last_rows_of_the_one_before(
    page: str, again: int | None
) -> None:
    assert repeated(list("abcd"), list(page)) == again


# -- what comes


def test_every_value_comes_as_text_however_odd_its_type(far: Far, client: Planhat) -> None:
    far.answers = [
        (
            200,
            [
                record(
                    1,
                    owner={"_id": "u1", "nickName": "Z"},
                    tags=",a,b,",
                    csmScore=4.0,
                    custom={"A b": 1.5, "x.y": True},
                ),
                record(
                    2, owner="u2", tags=["a", "å"], csmScore="", custom={"A b": "undefined", "x.y": ["p"]}
                ),
                record(3, custom="", lastActive="2026-11-22T12:00:00+02:00", tags="undefined"),
                record(
                    4,
                    owner=None,
                    tags=7,
                    csmScore=3,
                    custom={"A b": "1.50", "x.y": {"l": 1, "k": None}},
                    phase="",
                    lastActive="soon",
                    followers=[{"_id": "u1", "nickName": "Z"}, "u2"],
                ),
            ],
        )
    ]
    select = ["owner", "tags", "csmScore", "custom.A b", "custom.x.y", "phase", "lastActive", "followers"]
    [page] = client.pages(COMPANY, select)
    assert far.seen[0].params["select"] == "_id,owner,tags,csmScore,custom,phase,lastActive,followers"
    assert set(page.dtypes) == {pl.String}
    assert page.drop("_id").rows() == [
        ("u1", '["a","b"]', "4", "1.5", "true", None, None, None),
        ("u2", '["a","å"]', None, None, '["p"]', None, None, None),
        (None, None, None, None, None, None, "2026-11-22T10:00:00.000Z", None),
        (None, "7", "3", "1.50", '{"k":null,"l":1}', "", "soon", '["u1","u2"]'),
    ]


def test_half_a_character_in_one_record_does_not_stop_the_list(far: Far, client: Planhat) -> None:
    far.answers = [
        (200, rb'[{"_id": "1", "name": "cut \ud83d"}, {"_id": "2", "name": "whole \ud83d\ude00"}]')
    ]
    assert names(client) == ["cut ?", "whole 😀"]


def test_rows_that_a_filter_should_have_left_out_are_left_out(far: Far, client: Planhat) -> None:
    far.answers = [
        (200, [record(1, companyId="a"), record(2, companyId="b"), record(3, companyId="c"), record(4)])
    ]
    [page] = client.pages(ENDUSER, ["name"], companyId="a,c")
    assert page["name"].to_list() == ["Acme 1", "Acme 3"]
    assert far.seen[0].params["companyId"] == "a,c"
    assert far.seen[0].params["select"] == "_id,name,companyId"


def test_notes_are_the_conversations_of_that_type(far: Far, client: Planhat) -> None:
    far.answers = [(200, [record(1, type="note", subject="s"), record(2, type="call", subject="t")])]
    [page] = client.pages(model("note"), ["subject"])
    assert page["subject"].to_list() == ["s"]
    assert (far.seen[0].path, far.seen[0].params["type"]) == ("/conversations", "note")


def test_another_sort_is_passed_on(far: Far, client: Planhat) -> None:
    far.answers = [(200, [record(2), record(1)])]
    [page] = client.pages(COMPANY, ["name"], sort="-lastUpdated")
    assert far.seen[0].params["sort"] == "-lastUpdated"
    assert page["name"].to_list() == ["Acme 2", "Acme 1"]


# -- look-ups


def test_company_targets_come_from_the_light_list(far: Far, client: Planhat) -> None:
    far.answers = [(200, [record(1, externalId=17, sourceId="s", slug="acme")])]
    found = targets(client, COMPANY)
    assert far.seen[0].path == "/leancompanies"
    assert found.rows() == [(f"{1:024x}", "17", "s", None, None)]
    assert found.columns == ["_id", "externalId", "sourceId", "email", "companyId"]


def test_targets_of_other_models_carry_e_mail_and_company(far: Far, client: Planhat) -> None:
    far.answers = [(200, [record(1, externalId="u", email="a@example.com", companyId="c")])]
    found = targets(client, ENDUSER)
    assert found.rows() == [(f"{1:024x}", "u", None, "a@example.com", "c")]
    assert far.seen[0].params["select"] == "_id,externalId,sourceId,email,companyId"


def test_no_target_at_all_is_an_empty_frame_of_text_columns(far: Far, client: Planhat) -> None:
    far.answers = [(200, []), (200, [])]
    for kind in (COMPANY, ENDUSER):
        found = targets(client, kind)
        assert (len(found), set(found.dtypes)) == (0, {pl.String})


def test_custom_fields_are_those_of_the_model_in_either_spelling(far: Far, client: Planhat) -> None:
    far.answers = [
        (
            200,
            [
                record(1, parent="EndUser", type="list", listValues=["A", "B"], isMandatory=True),
                record(2, parent="enduser", type="number", isFormula=True),
                record(3, parent="End User", type="text", isHidden=True, listValues=None),
                record(4, parent="Company", type="text"),
            ],
        )
    ]
    assert custom_fields(client, ENDUSER) == [
        CustomField("Acme 1", "list", ("A", "B"), formula=False, mandatory=True, hidden=False, locked=False),
        CustomField("Acme 2", "number", (), formula=True, mandatory=False, hidden=False, locked=False),
        CustomField("Acme 3", "text", (), formula=False, mandatory=False, hidden=True, locked=False),
    ]


def test_points_come_by_day_and_without_what_was_not_asked_for(far: Far, client: Planhat) -> None:
    point = {
        "dimensionId": "seats",
        "model": "Company",
        "parentId": "c1",
        "companyId": "c1",
        "companyName": "Acme",
    }
    times: list[Any] = [
        "2026-07-01T00:00:00.000Z",
        20636,
        1782950400000,
        "2026-07-03T12:00:00Z",
        "2026-07-09",
        "never",
    ]
    rows = [record(number, **point, time=time, value=number) for number, time in enumerate(times)]
    rows += [record(50, **{**point, "dimensionId": "other"}, time=times[0], value=1.5)]
    far.answers = [(200, {"data": rows})]
    found = points(client, "seats", 20635, 20637)
    assert found.select("target", "day", "value").rows() == [
        ("c1", 20635, 0),
        ("c1", 20636, 1),
        ("c1", 20636, 2),
        ("c1", 20637, 3),
    ]
    assert found.schema == {
        "dimension": pl.String,
        "model": pl.String,
        "target": pl.String,
        "company": pl.String,
        "day": pl.Int32,
        "value": pl.Float64,
    }
    assert {key: far.seen[0].params[key] for key in ("dimid", "from", "to")} == {
        "dimid": "seats",
        "from": "20635",
        "to": "20637",
    }


def test_no_points_are_an_empty_frame(far: Far, client: Planhat) -> None:
    far.answers = [(200, [])]
    assert points(client, "seats", 0, 1).is_empty()
