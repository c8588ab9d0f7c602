"""What stands against a run is told before anything is carried, and what was refused closes when it is over."""

from __future__ import annotations

import pytest

from planhat_pipelines.planhat.errors import PlanhatError
from planhat_pipelines.snowflake.writable import NotWritable
from planhat_pipelines_tests.twoway.pair import BOTH, Pair, make_small, quiet


def test_a_value_that_was_refused_is_settled_when_planhat_takes_it_back(pair: Pair) -> None:
    pair.table_of("ID VARCHAR, NAME VARCHAR, CITY VARCHAR(4)", ("a", "Acme", "Lund"), ("b", "Bolt", "Oslo"))
    pair.overlap = 0.0
    pair.run()
    pair.edit("a", city="Göteborg")
    assert pair.run().back.verdicts["refused"] == 1
    pair.edit("b", city="Kiel")
    pair.run()
    assert [each.row for each in pair.ledger.rejections("accounts")] == ["a"]
    pair.edit("a", city="Lund")
    assert quiet(pair.run())
    assert pair.ledger.rejections("accounts") == []
    assert pair.rows("CITY") == pair.fields("city") == {"a": ("Lund",), "b": ("Kiel",)}


def test_a_mirror_settles_what_was_refused_when_it_is_taken_back_or_its_record_is_gone(pair: Pair) -> None:
    pair.table_of("ID VARCHAR, NAME VARCHAR, CITY VARCHAR(4)")
    pair.overlap = 0.0
    pair.place.put("companies", *({"externalId": key, "name": key, "city": "Lund"} for key in "abc"))
    spec = pair.spec(direction="to_snowflake", fields=BOTH)
    pair.run(spec)
    for key in "ab":
        pair.edit(key, city="Göteborg")
    pair.run(spec)
    assert {each.row for each in pair.ledger.rejections("accounts")} == {"a", "b"}
    pair.edit("a", city="Lund")
    pair.call("DELETE", f"companies/{pair.held()['b']['_id']}")
    pair.run(spec, full=True)
    assert pair.ledger.rejections("accounts") == []
    assert pair.rows("CITY") == dict.fromkeys("abc", ("Lund",))


def test_a_table_that_may_not_be_written_to_is_told_before_anything_goes_either_way(pair: Pair) -> None:
    pair.accounts(("a", "Acme", "Lund"))
    pair.sql("CREATE OR REPLACE VIEW {table}_V AS SELECT * FROM {table}")
    with pytest.raises(NotWritable, match="_V is a view, which nothing can be written to"):
        pair.run(pair.spec(table=f"{pair.table}_V"))
    pair.sql("REVOKE UPDATE ON TABLE {table} FROM ROLE SYNC")
    try:
        with pytest.raises(NotWritable, match=r"may not UPDATE .* GRANT SELECT, UPDATE ON TABLE"):
            pair.run()
    finally:
        pair.sql("GRANT ALL ON TABLE {table} TO ROLE SYNC")
    assert (pair.held(), pair.ledger.runs("accounts")) == ({}, [])
    pair.run()
    assert pair.fields("city") == {"a": ("Lund",)}


def test_a_whole_look_that_breaks_off_is_made_again_and_nothing_follows_from_half_of_it(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_small(monkeypatch.setattr)
    pair.table_of(
        "ID VARCHAR, NAME VARCHAR, CITY VARCHAR, GONE BOOLEAN",
        *((key, f"Name {key}", "Lund", None) for key in "abcdef"),
    )
    spec = pair.spec(gone_column="GONE")
    pair.run(spec)
    pair.edit("a", city="Kiel")
    pair.call("DELETE", f"companies/{pair.held()['f']['_id']}")
    before = pair.ledger.cursor("accounts"), pair.rows("CITY, GONE")
    planhat = pair.place.planhat
    planhat.admin("POST", "faults", {"kind": "status", "path": "/companies", "method": "GET", "skip": 1})
    planhat.admin("DELETE", "log")
    with pytest.raises(PlanhatError):
        pair.run(spec, full=True)
    calls = [each for each in planhat.admin("GET", "log", limit=100) if each["path"] == "/companies"]
    assert len(calls) == 4  # the first page, and three attempts at the next one
    assert (pair.ledger.cursor("accounts"), pair.rows("CITY, GONE")) == before
    pair.place.calm()
    pair.run(spec, full=True)
    assert pair.rows("CITY, GONE")["a"] == ("Kiel", False)
    assert [key for key, (gone,) in pair.rows("GONE").items() if gone] == ["f"]
