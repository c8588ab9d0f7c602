"""Both directions over real servers: edits of either side reach the other one, and none is lost in silence."""

from __future__ import annotations

import pytest

from planhat_pipelines.engine.protocols import Brake
from planhat_pipelines_tests.records.crm import verdicts
from planhat_pipelines_tests.twoway.pair import Pair, quiet


def test_edits_of_either_side_reach_the_other_and_then_all_is_quiet(pair: Pair) -> None:
    pair.accounts(("a", "Acme", "Lund"), ("b", "Bolt", None))
    first = pair.run()
    assert first.sent.verdicts == verdicts(created=2)
    assert quiet(pair.run())
    pair.edit("a", city="Malmö")
    pair.sql("UPDATE {table} SET NAME = 'Bolt AB' WHERE ID = 'b'")
    second = pair.run()
    assert second.sent.verdicts["updated"] == 1
    assert second.back.verdicts["updated"] == 1
    both = {"a": ("Acme", "Malmö"), "b": ("Bolt AB", None)}
    assert pair.rows() == both
    assert pair.fields("name", "city") == both
    pair.sent()
    assert quiet(pair.run())
    assert quiet(pair.run())
    assert pair.sent() == 0


def test_different_fields_of_one_record_are_no_conflict(pair: Pair) -> None:
    pair.accounts(("a", "Acme", "Lund"))
    pair.run()
    pair.edit("a", city="Malmö")
    pair.sql("UPDATE {table} SET NAME = 'Acme AB' WHERE ID = 'a'")
    assert pair.run().conflicts == []
    assert pair.rows() == pair.fields("name", "city") == {"a": ("Acme AB", "Malmö")}


@pytest.mark.parametrize(("on_conflict", "stays"), [("snowflake", "Row"), ("planhat", "Record")])
def test_of_a_field_that_both_changed_one_value_stays_and_the_other_is_kept(
    pair: Pair, on_conflict: str, stays: str
) -> None:
    pair.accounts(("a", "Acme", "Lund"))
    spec = pair.spec(on_conflict=on_conflict)
    pair.run(spec)
    pair.edit("a", name="Record")
    pair.sql("UPDATE {table} SET NAME = 'Row' WHERE ID = 'a'")
    assert len(pair.run(spec).conflicts) == 1
    assert pair.rows("NAME") == pair.fields("name") == {"a": (stays,)}
    (kept,) = pair.ledger.conflicts("accounts")
    assert (kept.row, kept.field, kept.snowflake, kept.planhat) == ("a", "name", "Row", "Record")
    assert kept.winner == on_conflict
    assert quiet(pair.run(spec))
    assert len(pair.ledger.conflicts("accounts")) == 1


def test_the_newest_value_stays_where_the_sync_says_so(pair: Pair) -> None:
    pair.table_of(
        "ID VARCHAR, NAME VARCHAR, AT TIMESTAMP_NTZ", ("old", "x", "2020-01-01"), ("new", "x", "2020-01-01")
    )
    fields = [{"column": "NAME", "field": "name"}]
    spec = pair.spec(on_conflict="newest", updated_at="AT", fields=fields)
    pair.run(spec)
    pair.edit("old", name="Record")
    pair.edit("new", name="Record")
    pair.sql("UPDATE {table} SET NAME = 'Row', AT = IFF(ID = 'new', '2999-01-01', '2020-01-02')")
    pair.run(spec)
    assert pair.rows("NAME") == pair.fields("name") == {"old": ("Record",), "new": ("Row",)}


def test_where_sides_first_meet_an_empty_one_is_filled_and_a_difference_is_a_conflict(pair: Pair) -> None:
    pair.accounts(("a", "Acme", None), ("b", "Bolt", "Lund"), ("c", "Cog", "Oslo"))
    for key, name, city in (("a", "Acme", "Malmö"), ("b", "Bolt", None), ("c", "Cog AS", "Oslo")):
        pair.call("POST", "companies", {"externalId": key, "name": name, "city": city})
    report = pair.run()
    assert [(each.row, each.field) for each in report.conflicts] == [("c", "name")]
    both = {"a": ("Acme", "Malmö"), "b": ("Bolt", "Lund"), "c": ("Cog", "Oslo")}
    assert pair.rows() == pair.fields("name", "city") == both


def test_a_value_that_is_cleared_on_one_side_is_cleared_on_the_other(pair: Pair) -> None:
    pair.accounts(("a", "Acme", "Lund"), ("b", "Bolt", "Oslo"))
    pair.run()
    pair.edit("a", city=None)
    pair.sql("UPDATE {table} SET CITY = NULL WHERE ID = 'b'")
    pair.run()
    assert pair.rows("CITY") == pair.fields("city") == {"a": (None,), "b": (None,)}


def test_a_field_that_is_only_sent_is_not_brought_back_and_one_that_only_comes_back_is_not_sent(
    pair: Pair,
) -> None:
    pair.accounts(("a", "Acme", "Lund"))
    spec = pair.spec(
        fields=[
            {"column": "NAME", "field": "name", "direction": "to_planhat"},
            {"column": "CITY", "field": "city", "direction": "to_snowflake"},
        ]
    )
    pair.call("POST", "companies", {"externalId": "a", "name": "Acme", "city": "Malmö"})
    pair.run(spec)
    assert pair.rows() == {"a": ("Acme", "Malmö")}
    pair.edit("a", name="Edited", city="Oslo")
    pair.sql("UPDATE {table} SET NAME = 'Acme AB', NOTE = 'x'")
    assert pair.run(spec).conflicts == []
    assert pair.rows() == pair.fields("name", "city") == {"a": ("Acme AB", "Oslo")}


def test_records_that_only_planhat_has_become_rows_if_the_sync_says_so(pair: Pair) -> None:
    pair.accounts(("a", "Acme", "Lund"))
    pair.run()
    pair.call("POST", "companies", {"externalId": "p", "name": "Planhat's own", "city": "Oslo"})
    pair.run()
    assert set(pair.rows()) == {"a"}
    spec = pair.spec(insert_new=True)
    assert pair.run(spec, full=True).back.verdicts["created"] == 1
    assert pair.rows()["p"] == ("Planhat's own", "Oslo")
    assert quiet(pair.run(spec))
    assert pair.fields("name")["p"] == ("Planhat's own",)


def test_a_value_that_the_column_cannot_hold_is_refused_by_key_and_overwritten_by_nobody(pair: Pair) -> None:
    pair.table_of("ID VARCHAR, NAME VARCHAR, CITY VARCHAR(4)", ("a", "Acme", "Lund"), ("b", "Bolt", "Oslo"))
    pair.run()
    pair.edit("a", city="Göteborg")
    pair.edit("b", city="Bergen"[:4])
    report = pair.run()
    assert report.back.verdicts["refused"] == 1
    (open_,) = pair.ledger.rejections("accounts")
    assert (open_.row, open_.stage, open_.field) == ("a", "write", "city")
    assert "Göteborg" not in repr(open_)
    assert pair.rows("CITY") == {"a": ("Lund",), "b": ("Berg",)}
    pair.sql("UPDATE {table} SET CITY = 'Kiel' WHERE ID = 'a'")
    (clash,) = pair.run().conflicts
    assert clash.planhat == "Göteborg"
    assert pair.rows("CITY") == pair.fields("city") == {"a": ("Kiel",), "b": ("Berg",)}
    assert pair.ledger.rejections("accounts") == []


def test_a_record_that_is_gone_from_planhat_is_marked_and_made_anew_only_when_its_row_changes(
    pair: Pair,
) -> None:
    pair.table_of(
        "ID VARCHAR, NAME VARCHAR, CITY VARCHAR, GONE BOOLEAN",
        ("a", "Acme", "Lund", None),
        ("b", "Bolt", "Oslo", None),
    )
    spec = pair.spec(gone_column="GONE")
    pair.run(spec)
    pair.call("DELETE", f"companies/{pair.held()['a']['_id']}")
    pair.run(spec, full=True)
    assert pair.rows("GONE") == {"a": (True,), "b": (None,)}
    assert quiet(pair.run(spec, full=True))
    assert set(pair.fields("name")) == {"b"}
    pair.sql("UPDATE {table} SET CITY = 'Malmö' WHERE ID = 'a'")
    pair.run(spec)
    assert pair.fields("name", "city")["a"] == ("Acme", "Malmö")
    pair.run(spec, full=True)
    assert not pair.rows("GONE")["a"][0]


def test_a_row_that_is_new_to_the_sync_meets_a_record_that_was_read_long_ago(pair: Pair) -> None:
    pair.accounts(("a", "Acme", "Lund"))
    pair.call("POST", "companies", {"externalId": "p", "name": "Kept", "city": "Oslo"})
    pair.run()
    pair.add(("p", None, None))
    pair.sql("UPDATE {table} SET NAME = 'Kept' WHERE ID = 'p'")
    pair.run()
    assert pair.rows()["p"] == pair.fields("name", "city")["p"] == ("Kept", "Oslo")


def test_a_run_that_would_change_most_rows_stops_before_it_writes_anything(pair: Pair) -> None:
    keys = [f"k{at:03}" for at in range(110)]
    pair.accounts(*((key, f"n{key}", "Lund") for key in keys))
    pair.run()
    pair.place.put("companies", *({"externalId": key, "city": "Oslo"} for key in keys))
    with pytest.raises(Brake, match="110 rows in Snowflake"):
        pair.run()
    assert set(pair.rows("CITY").values()) == {("Lund",)}
    pair.run(allow_many_changes=True)
    assert set(pair.rows("CITY").values()) == {("Oslo",)}


def test_a_planhat_that_lists_nothing_any_more_changes_nothing(pair: Pair) -> None:
    pair.table_of("ID VARCHAR, NAME VARCHAR, CITY VARCHAR, GONE BOOLEAN", ("a", "Acme", "Lund", None))
    spec = pair.spec(gone_column="GONE")
    pair.run(spec)
    pair.call("DELETE", f"companies/{pair.held()['a']['_id']}")
    with pytest.raises(Brake, match="lists no Company any more"):
        pair.run(spec, full=True)
    assert pair.rows("GONE") == {"a": (None,)}
