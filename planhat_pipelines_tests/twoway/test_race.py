"""What somebody changes while a run is at work is not overwritten unseen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
import sqlglot
from sqlfluff.core import FluffConfig, Linter

from planhat_pipelines.engine.twoway.back import MOVED
from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines.mapping.records import COPIES
from planhat_pipelines.snowflake import records
from planhat_pipelines.snowflake.records import WAS, RecordsTable
from planhat_pipelines.snowflake.tables import Table
from planhat_pipelines.snowflake.writeback import Target, Written
from planhat_pipelines_tests.records.crm import verdicts
from planhat_pipelines_tests.twoway.pair import Pair, make_small, quiet


class Meanwhile:
    """A session that does something, once, before a statement that has a certain word, and writes all down."""

    def __init__(self, session: Any, word: str = "", deed: Callable[[], Any] = lambda: None) -> None:
        self._session, self._word, self._deed = session, word, deed
        self.said: list[str] = []

    def cursor(self, *kind: Any) -> _Cursor:
        return _Cursor(self._session.cursor(*kind), self)

    def says(self, sql: str) -> None:
        self.said.append(sql)
        if self._word and self._word in sql:
            self._word = ""
            self._deed()


class _Cursor:
    def __init__(self, cursor: Any, session: Meanwhile) -> None:
        self._cursor, self._session = cursor, session

    def __enter__(self) -> _Cursor:
        return self

    def __exit__(self, *_: object) -> None:
        self._cursor.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, sql: str, *values: Any, **how: Any) -> Any:
        filled = (
            sql % self._cursor.connection._process_params_pyformat(values[0]) if values and values[0] else sql
        )
        self._session.says(filled)
        return self._cursor.execute(sql, *values, **how)


def before_merge(pair: Pair, *statements: str) -> Meanwhile:
    return Meanwhile(pair.place.session, "COPY INTO", lambda: [pair.sql(each) for each in statements])


@pytest.fixture
def edited(pair: Pair) -> Pair:
    """Two accounts on both sides, whose cities somebody has changed in Planhat."""
    pair.accounts(("a", "Acme", "Lund"), ("b", "Bolt", "Oslo"))
    pair.run()
    pair.edit("a", city="Malmö")
    pair.edit("b", city="Kiel")
    return pair


def test_a_row_that_is_edited_while_it_is_written_back_stays_and_is_decided_anew(edited: Pair) -> None:
    report = edited.run(session=before_merge(edited, "UPDATE {table} SET CITY = 'Ystad' WHERE ID = 'a'"))
    assert report.back.verdicts == verdicts(updated=1, refused=1, created=0, unchanged=0)
    assert edited.rows("CITY") == {"a": ("Ystad",), "b": ("Kiel",)}
    (open_,) = edited.ledger.rejections("accounts")
    assert (open_.row, open_.stage, open_.reason) == ("a", "write", MOVED)
    (clash,) = edited.run().conflicts
    assert (clash.row, clash.snowflake, clash.planhat) == ("a", "Ystad", "Malmö")
    assert edited.rows("CITY") == edited.fields("city") == {"a": ("Ystad",), "b": ("Kiel",)}
    assert edited.ledger.rejections("accounts") == []
    assert quiet(edited.run())


def test_an_edit_of_another_field_meanwhile_is_no_conflict(edited: Pair) -> None:
    edited.run(session=before_merge(edited, "UPDATE {table} SET NAME = 'Acme AB' WHERE ID = 'a'"))
    assert edited.rows()["a"] == ("Acme AB", "Lund")
    assert edited.run().conflicts == []
    assert (
        edited.rows() == edited.fields("name", "city") == {"a": ("Acme AB", "Malmö"), "b": ("Bolt", "Kiel")}
    )


def test_a_row_that_is_deleted_or_made_meanwhile_is_neither_made_anew_nor_overwritten(edited: Pair) -> None:
    spec = edited.spec(insert_new=True)
    edited.call("POST", "companies", {"externalId": "n", "name": "New", "city": "Rome"})
    deeds = "DELETE FROM {table} WHERE ID = 'a'", "INSERT INTO {table} SELECT 'n', 'Mine', NULL, NULL"
    report = edited.run(spec, session=before_merge(edited, deeds[0]))
    assert (report.back.verdicts["refused"], report.back.verdicts["created"]) == (1, 1)
    assert set(edited.rows()) == {"b", "n"}
    edited.call("POST", "companies", {"externalId": "m", "name": "Another"})
    report = edited.run(spec, session=before_merge(edited, deeds[1].replace("'n'", "'m'")))
    assert report.back.verdicts["refused"] == 1
    assert edited.rows("NAME")["m"] == ("Mine",)
    report = edited.run(spec)
    assert [(each.row, each.planhat) for each in report.conflicts] == [("m", "Another")]
    edited.run(spec, full=True)
    assert edited.rows("NAME") == {key: name for key, name in edited.fields("name").items() if key != "a"}
    assert edited.ledger.rejections("accounts") == []


def test_an_edit_in_planhat_while_the_table_is_read_is_seen_before_anything_is_sent(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_small(monkeypatch.setattr)
    pair.accounts(*((key, f"Name {key}", "Lund") for key in "abcd"))
    pair.run()
    pair.sql("UPDATE {table} SET CITY = 'Ystad' WHERE ID = 'a'")
    session = Meanwhile(pair.place.session, "CHANGES(INFORMATION", lambda: pair.edit("a", city="Malmö"))
    (clash,) = pair.run(session=session).conflicts
    assert (clash.snowflake, clash.planhat, clash.winner) == ("Ystad", "Malmö", "snowflake")
    assert pair.rows("CITY")["a"] == pair.fields("city")["a"] == ("Ystad",)
    assert quiet(pair.run())


def test_what_is_guarded_reads_and_writes_in_words_that_snowflake_takes(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "_KEYS_A_QUERY", 2)
    odd = 'odd "%" \'name'
    kinds = ("VARCHAR", "NUMBER(12,2)", "FLOAT", "BOOLEAN", "DATE", "VARIANT", "ARRAY", "OBJECT")
    names = [odd, "K", "W", *(f"C{at}" for at in range(len(kinds) - 3)), "AT"]
    columns = [f'"{name.replace(chr(34), chr(34) * 2)}"' for name in names]
    pair.table_of(
        "ID VARCHAR, " + ", ".join(map(" ".join, zip(columns, (*kinds, "TIMESTAMP_TZ"), strict=True)))
    )
    pair.sql("INSERT INTO {table} (ID) SELECT column1 FROM VALUES ('a'), ('b'), ('c')")
    session: Any = Meanwhile(pair.place.session)
    table = Table(*pair.table.split("."))
    source = RecordsTable(session, table, "ID", names, ROW, COPIES, guards=names, lag=0.0)
    (found,) = source.rows(["a", "b", "c", "none"])
    assert found[ROW].to_list() == ["a", "b", "c"]
    assert found[WAS].n_unique() == 1
    target = Target(session, table, "ID", names, insert=True, row=ROW)
    target.promise()
    rows = found.select(ROW, WAS).with_columns(
        pl.lit("x").alias(odd),
        pl.lit(True).alias(f"{odd}?"),
        pl.lit(None, pl.String).alias("AT"),
        pl.lit(True).alias("AT?"),
    )
    changed = rows.with_columns(pl.when(pl.col(ROW) == "b").then(pl.lit("1")).otherwise(WAS).alias(WAS))
    assert target.write(changed) == Written(0, 2, ["b"])
    assert target.write(rows) == Written(0, 1, [])
    increment = source.next(None)
    assert increment
    (now,) = increment.pieces()
    assert now[WAS].n_unique() == 1
    assert now[WAS][0] != found[WAS][0]
    linter = Linter(config=FluffConfig(overrides={"dialect": "snowflake"}))
    said = [each for each in session.said if "HASH(" in each or "PLANHAT_STAGE" in each]
    assert any("WHEN MATCHED AND TO_VARCHAR(HASH(" in each for each in said)
    for statement in said:
        assert len(sqlglot.parse(statement, dialect="snowflake")) == 1, statement
        parsed = linter.parse_string(statement)
        assert parsed.violations == [], (statement, parsed.violations)
        assert parsed.tree is not None
        assert "unparsable" not in parsed.tree.type_set(), statement
