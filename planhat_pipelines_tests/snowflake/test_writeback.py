"""Writing back, over a socket: what differs is written and nothing else, and who may not is told the GRANT."""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
import sqlglot
from sqlfluff.core import FluffConfig, Linter

from planhat_pipelines.snowflake.errors import NotFound, SnowflakeError
from planhat_pipelines.snowflake.mirror import create_mirror
from planhat_pipelines.snowflake.tables import Table
from planhat_pipelines.snowflake.types import SnowflakeType
from planhat_pipelines.snowflake.writable import NotWritable
from planhat_pipelines.snowflake.writeback import Target, Written
from planhat_pipelines_tests.e2e.place import Place

ACCOUNTS = "ID VARCHAR, NAME VARCHAR(10), ARR NUMBER(12,2), GONE BOOLEAN"
Values = Mapping[str, str | None]


def target(place: Place, *columns: str, session: Any = None, **how: Any) -> Target:
    where = Table(*place.table.split("."))
    return Target(session or place.session, where, "ID", columns or ("NAME", "ARR"), **how)


def accounts(place: Place, *rows: tuple[Any, ...], columns: str = ACCOUNTS, tracked: bool = False) -> None:
    tracking = " CHANGE_TRACKING = TRUE" if tracked else ""
    place.sql(f"CREATE OR REPLACE TABLE {{table}} ({columns}){tracking}")
    place.add(rows)


def piece(to: Target, *rows: tuple[str | None, Values]) -> pl.DataFrame:
    """Rows by key; what a row does not name is not written."""
    columns = [pl.Series("key", [key for key, _ in rows], pl.String)]
    for name in to.columns:
        columns.append(pl.Series(name, [values.get(name) for _, values in rows], pl.String))
        columns.append(pl.Series(f"{name}?", [name in values for _, values in rows], pl.Boolean))
    return pl.DataFrame(columns)


def refusal(to: Target, kind: type[SnowflakeError] = NotWritable) -> str:
    with pytest.raises(kind) as caught:
        to.promise()
    return str(caught.value)


@contextmanager
def changes(place: Place) -> Generator[list[tuple[Any, ...]]]:
    """What change tracking reports of the block: action and key."""
    now = "SELECT TO_VARCHAR(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()), 'YYYY-MM-DD HH24:MI:SS.FF3')"
    time.sleep(0.002)
    start = place.sql(now)[0][0]
    found: list[tuple[Any, ...]] = []
    yield found
    found += place.sql(
        f"SELECT METADATA$ACTION, ID FROM {{table}} CHANGES(INFORMATION => DEFAULT) "
        f"AT(TIMESTAMP => '{start} +0000'::TIMESTAMP_TZ) ORDER BY 2, 1"
    )


def test_only_rows_that_differ_are_written_and_new_ones_added(place: Place) -> None:
    accounts(place, ("a", "Ann", 1.5, None), ("b", "Bob", 2, None), ("c", None, None, None), tracked=True)
    to = target(place, insert=True)
    to.promise()
    with changes(place) as seen:
        written = to.write(
            piece(
                to,
                ("a", {"NAME": "Ann", "ARR": "1.501"}),
                ("b", {"NAME": "Bea", "ARR": "2"}),
                ("c", {"NAME": None, "ARR": None}),
                ("d", {"NAME": "Dan", "ARR": "4"}),
            )
        )
    assert written == Written(inserted=1, updated=1)
    assert seen == [("DELETE", "b"), ("INSERT", "b"), ("INSERT", "d")]
    assert place.sql("SELECT ID, NAME, ARR FROM {table} ORDER BY 1") == [
        ("a", "Ann", Decimal("1.50")),
        ("b", "Bea", Decimal("2.00")),
        ("c", None, None),
        ("d", "Dan", Decimal("4.00")),
    ]


def test_what_is_not_flagged_stays_as_it_is(place: Place) -> None:
    accounts(place, ("a", "Ann", 1, None), ("b", "Bob", 2, None))
    to = target(place)
    rows = piece(to, ("a", {"ARR": None}), ("b", {"NAME": "Bea"}), ("unknown", {"NAME": "Una"}))
    rows = rows.with_columns(NAME=pl.col("NAME").fill_null("not to be written"))
    assert to.write(rows) == Written(inserted=0, updated=2)
    assert place.sql("SELECT * FROM {table} ORDER BY 1") == [
        ("a", "Ann", None, None),
        ("b", "Bea", Decimal("2.00"), None),
    ]
    only_names = piece(target(place, "NAME"), ("a", {"NAME": "Amy"}))
    assert to.write(only_names) == Written(inserted=0, updated=1)


def test_of_rows_with_the_same_key_the_last_one_counts(place: Place) -> None:
    accounts(place, ("a", "Ann", 1, None))
    to = target(place, "NAME", insert=True)
    twice = [(" a", {"NAME": "1"}), ("b", {"NAME": "2"}), ("a", {"NAME": "3"}), ("b ", {"NAME": "4"})]
    assert to.write(piece(to, *twice)) == Written(inserted=1, updated=1)
    assert place.sql("SELECT ID, NAME FROM {table} ORDER BY 1") == [("a", "3"), ("b", "4")]


def test_keys_are_compared_as_texts_without_blanks(place: Place) -> None:
    accounts(place, (7, "Ann"), (8, "Bob"), columns="ID NUMBER(38,0), NAME VARCHAR")
    to = target(place, "NAME", insert=True)
    rows = piece(
        to, ("7", {"NAME": "Amy"}), ("9", {"NAME": "Cem"}), ("x", {"NAME": "X"}), (" ", {}), (None, {})
    )
    assert to.unfit(rows).rows() == [
        ("x", "ID", "is no number"),
        (" ", "ID", "is empty"),
        (None, "ID", "is empty"),
    ]
    assert to.write(rows) == Written(inserted=1, updated=1)
    assert place.sql("SELECT * FROM {table} ORDER BY 1") == [(7, "Amy"), (8, "Bob"), (9, "Cem")]


def test_every_type_is_written_as_it_was_meant_and_not_again(place: Place) -> None:
    kinds = {
        "T": "VARCHAR",
        "N": "NUMBER(38,0)",
        "M": "NUMBER(18,4)",
        "F": "FLOAT",
        "B": "BOOLEAN",
        "D": "DATE",
        "LOCAL": "TIMESTAMP_NTZ",
        "LTZ": "TIMESTAMP_LTZ",
        "TZ": "TIMESTAMP_TZ",
        "V": "VARIANT",
        "A": "ARRAY",
        "O": "OBJECT",
    }
    accounts(place, columns=", ".join(["ID VARCHAR", *(f"{name} {kind}" for name, kind in kinds.items())]))
    to = target(place, *kinds, insert=True, zones={"LOCAL": "Europe/Stockholm"})
    values = {
        "T": 'it\'s \\ "q" %s ${x} \n Åsa 日本 🎈\t$1',
        "N": "-12345678901234567",
        "M": "99999999999999.0001",
        "F": "1.5e-7",
        "B": "false",
        "D": "2024-02-29",
        "LOCAL": "2026-07-01T10:00:00.123Z",
        "LTZ": "1969-12-31T23:59:59.999Z",
        "TZ": "9999-12-31T23:59:59.999Z",
        "V": '{"a":[1,"x",null],"é":"\\u0001"}',
        "A": '["a","b"]',
        "O": '{"k":true}',
    }
    nothing: Values = dict.fromkeys(values)
    rows = piece(to, ("full", values), ("empty", nothing))
    to.promise()
    assert to.unfit(rows).is_empty()
    assert to.write(rows) == Written(inserted=2, updated=0)
    assert to.write(rows) == Written(inserted=0, updated=0)
    full, empty = place.sql("SELECT * FROM {table} ORDER BY ID DESC")
    assert empty == ("empty", *[None] * len(kinds))
    assert full == (
        "full",
        values["T"],
        -12345678901234567,
        Decimal("99999999999999.0001"),
        1.5e-7,
        False,
        date(2024, 2, 29),
        datetime.fromisoformat("2026-07-01T12:00:00.123"),
        datetime(1969, 12, 31, 23, 59, 59, 999000, UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999000, UTC),
        values["V"],
        values["A"],
        values["O"],
    )
    assert to.write(piece(to, ("full", nothing), ("empty", values))) == Written(inserted=0, updated=2)
    assert place.sql("SELECT * FROM {table} ORDER BY ID DESC") == [("full", *empty[1:]), ("empty", *full[1:])]


def test_values_that_do_not_fit_are_named_by_key_and_column_and_the_rest_goes(place: Place) -> None:
    accounts(place, ("a", "Ann", 1, None), ("b", "Bob", 2, None))
    to = target(place, insert=True)
    rows = piece(
        to,
        ("a", {"NAME": "much too long for it", "ARR": "10"}),
        ("b", {"NAME": "Bea", "ARR": "12345678901"}),
        ("new", {"NAME": "Una", "ARR": "no number"}),
    )
    rows = rows.with_columns(pl.when(pl.col("key") != "b").then("NAME?").otherwise(False).alias("NAME?"))
    assert to.unfit(rows).rows() == [
        ("a", "NAME", "is longer than VARCHAR(10) holds"),
        ("b", "ARR", "is larger than NUMBER(12, 2) holds"),
        ("new", "ARR", "is no number"),
    ]
    assert to.write(rows) == Written(inserted=1, updated=1)
    assert place.sql("SELECT ID, NAME, ARR FROM {table} ORDER BY 1") == [
        ("a", "Ann", Decimal("10.00")),
        ("b", "Bob", Decimal("2.00")),
        ("new", "Una", None),
    ]


def test_a_new_row_without_a_value_for_a_not_null_column_waits(place: Place) -> None:
    accounts(place, ("a", "Ann", 1), columns="ID VARCHAR, NAME VARCHAR NOT NULL, ARR FLOAT")
    to = target(place, insert=True)
    rows = piece(
        to, ("a", {"NAME": None, "ARR": "2"}), ("b", {"NAME": None, "ARR": "3"}), ("c", {"ARR": "4"})
    )
    reason = "is empty, and the column is NOT NULL"
    assert to.unfit(rows).rows() == [("a", "NAME", reason), ("b", "NAME", reason)]
    assert to.write(rows) == Written(inserted=0, updated=1)
    assert place.sql("SELECT * FROM {table}") == [("a", "Ann", 2.0)]


@pytest.mark.parametrize("kind", ["BOOLEAN", "DATE", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ"])
def test_rows_that_are_gone_are_marked_once_and_a_write_clears_the_mark(place: Place, kind: str) -> None:
    accounts(place, ("a", "Ann", None), ("b", "Bob", None), columns=f"ID VARCHAR, NAME VARCHAR, GONE {kind}")
    to = target(place, "NAME", insert=True, gone="gone")
    to.promise()
    assert to.mark_gone(["a", "a ", "unknown"]) == 1
    assert to.mark_gone(["a"]) == to.mark_gone([]) == 0
    (mark,) = place.sql("SELECT GONE FROM {table} WHERE ID = 'a'")[0]
    assert mark is True if kind == "BOOLEAN" else str(mark)[:10] == str(datetime.now(UTC).date())
    same = piece(to, ("a", {"NAME": "Ann"}), ("b", {"NAME": "Bob"}), ("c", {"NAME": "Cem"}))
    assert to.write(same) == Written(inserted=1, updated=1)
    cleared = False if kind == "BOOLEAN" else None
    assert place.sql("SELECT ID, GONE FROM {table} ORDER BY 1") == [
        ("a", cleared),
        ("b", None),
        ("c", cleared),
    ]
    assert to.mark_gone(["a", "c"]) == 2
    assert to.write(piece(to, ("a", {}))) == Written(inserted=0, updated=1)


def test_a_target_without_a_mark_refuses_to_mark(place: Place) -> None:
    accounts(place)
    with pytest.raises(ValueError, match="no column marks"):
        target(place).mark_gone(["a"])


def test_a_merge_that_fails_leaves_the_table_as_it_was_and_tells_no_value(place: Place) -> None:
    accounts(place)
    to = target(place, "NAME", insert=True)
    to.promise()
    accounts(place, (1, "Ann"), columns="ID NUMBER(5,0), NAME VARCHAR")  # changed while the sync runs
    with pytest.raises(NotWritable) as caught:
        to.write(piece(to, ("1", {"NAME": "Amy"}), ("s3cret", {"NAME": "Sue"})))
    assert "Snowflake refused a value (100038)" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert place.sql("SELECT * FROM {table}") == [(1, "Ann")]


def test_a_role_without_the_privileges_is_told_the_grant(place: Place) -> None:
    accounts(place, ("a", "Ann", 1, None))
    to = target(place, insert=True)
    rows = piece(to, ("a", {"NAME": "Amy"}))
    sql = ".".join(f'"{part}"' for part in place.table.split("."))
    try:
        place.sql("REVOKE UPDATE, INSERT ON TABLE {table} FROM ROLE SYNC")
        told = refusal(to)
        assert "the role SYNC may not UPDATE or INSERT" in told
        assert f'GRANT SELECT, UPDATE, INSERT ON TABLE {sql} TO ROLE "SYNC";' in told
        assert f"GRANT SELECT, UPDATE ON TABLE {sql}" in refusal(target(place))
        with pytest.raises(NotWritable, match="GRANT SELECT, UPDATE, INSERT ON TABLE"):
            to.write(rows)
        place.sql("GRANT UPDATE ON TABLE {table} TO ROLE SYNC")
        target(place).promise()
        assert "may not INSERT" in refusal(to)
    finally:
        place.sql("GRANT ALL ON TABLE {table} TO ROLE SYNC")
    to.promise()
    assert to.write(rows) == Written(inserted=0, updated=1)


def test_what_cannot_be_written_to_is_told_with_its_cure_before_anything_is_sent(place: Place) -> None:
    accounts(
        place,
        columns="ID VARCHAR, NAME VARCHAR, PIC BINARY, AT TIME, MUST INT NOT NULL, HAS INT DEFAULT 1 NOT NULL",
    )
    assert "has no column NAMES. Did you mean NAME?" in refusal(target(place, "NAMES"), NotFound)
    assert "PIC is BINARY" in refusal(target(place, "PIC"))
    assert "AT is TIME" in refusal(target(place, "AT"))
    assert "NAME would be written twice" in refusal(target(place, "NAME", "name"))
    assert "ID would be written twice" in refusal(target(place, "ID"))
    assert "NAME is VARCHAR" in refusal(target(place, "MUST", gone="NAME"))
    told = refusal(target(place, "NAME", insert=True))
    assert "no MUST, which" in told
    assert 'ALTER COLUMN "MUST" DROP NOT NULL' in told
    target(place, "NAME").promise()
    target(place, "NAME", "MUST", insert=True).promise()
    place.sql("CREATE OR REPLACE VIEW {table}_V AS SELECT ID, NAME FROM {table}")
    view = Target(place.session, Table(*f"{place.table}_V".split(".")), "ID", ["NAME"])
    assert "is a view, which nothing can be written to" in refusal(view)
    nowhere = Target(place.session, Table("E2E", "PUBLIC", "NOWHERE"), "ID", ["NAME"])
    assert "does not exist or the role may not see it" in refusal(nowhere, NotFound)


def test_names_of_every_kind_are_taken_literally(place: Place) -> None:
    schema, name, key = "odd %s Schema", 'a "table" \\ %', "the Key"
    columns = ['it\'s "%s" ?', "select", "a;b--", "Ключ", "a b"]
    place.sql(f'CREATE SCHEMA IF NOT EXISTS E2E."{schema}"')
    place.sql("USE SCHEMA E2E.PUBLIC")
    table = Table("E2E", schema, name)
    create_mirror(place.session, table, key, dict.fromkeys(columns, SnowflakeType("TEXT")))
    to = Target(place.session, table, key, columns, insert=True)
    to.promise()
    values = {column: f"%s ' {column}" for column in columns}
    assert to.write(piece(to, ("k", values))) == Written(inserted=1, updated=0)
    assert place.sql(f"SELECT * FROM {table.sql}") == [("k", *values.values())]
    assert to.write(piece(to, ("k", dict.fromkeys(columns, "new")))) == Written(inserted=0, updated=1)
    place.sql(f"DROP TABLE {table.sql}")


def test_a_mirror_is_made_once_tracks_changes_and_can_be_written_to(place: Place) -> None:
    table = Table(*place.table.split("."))
    columns = {
        "name": SnowflakeType("TEXT"),
        "Arr": SnowflakeType("FLOAT"),
        "TAGS": SnowflakeType("VARIANT"),
        "RENEWS": SnowflakeType("DATE"),
        "SEEN": SnowflakeType("TIMESTAMP_TZ"),
        "SEATS": SnowflakeType("NUMBER"),
        "GONE": SnowflakeType("BOOLEAN"),
    }
    for _ in range(2):
        create_mirror(place.session, table, "id", columns)
    to = Target(place.session, table, "id", ["name", "Arr", "TAGS", "RENEWS", "SEEN", "SEATS"], True, "GONE")
    to.promise()
    assert {slot.name: (slot.type, slot.nullable) for slot in to.shape.values()} == {
        "ID": ("TEXT", False),
        **{name.upper(): (kind.name, True) for name, kind in columns.items()},
    }
    with changes(place) as seen:
        to.write(piece(to, ("a", {"name": "Ann", "TAGS": "[1]"})))
    assert seen == [("INSERT", "a")]
    create_mirror(place.session, table, "id", columns)
    assert place.sql("SELECT ID, NAME, TAGS, GONE FROM {table}") == [("a", "Ann", "[1]", False)]


def test_a_hundred_thousand_rows_go_in_one_piece(place: Place) -> None:
    accounts(place, columns="ID VARCHAR, NAME VARCHAR, ARR NUMBER(12,2)")
    to = target(place, insert=True)
    many = pl.select(key=pl.int_range(100_000).cast(pl.String)).with_columns(
        NAME=pl.col("key"), ARR=pl.lit("1.25")
    )
    many = many.with_columns(pl.lit(True).alias("NAME?"), pl.lit(True).alias("ARR?"))
    began = time.monotonic()
    assert to.write(many) == Written(inserted=100_000, updated=0)
    assert to.write(many.with_columns(ARR=pl.lit("1.250"))) == Written(inserted=0, updated=0)
    assert time.monotonic() - began < 60
    assert place.sql("SELECT COUNT(DISTINCT NAME), SUM(ARR) FROM {table}") == [
        (100_000, Decimal("125000.00"))
    ]


class Recorder:
    """A session that writes down what its cursors say, or the cursor."""

    def __init__(self, inner: Any, said: list[str]) -> None:
        self._inner, self.said = inner, said

    def cursor(self, *kind: Any) -> Recorder:
        return Recorder(self._inner.cursor(*kind), self.said)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self._inner.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def execute(self, sql: str, values: Any = None, **how: Any) -> Any:
        self.said.append(sql % self._inner.connection._process_params_pyformat(values) if values else sql)
        return self._inner.execute(sql, values, **how)


def test_every_statement_parses_in_two_grammars_of_snowflake(place: Place) -> None:
    session = Recorder(place.session, [])
    kinds = ("TEXT", "NUMBER", "FLOAT", "BOOLEAN", "DATE", "VARIANT", "TIMESTAMP_NTZ", "TIMESTAMP_TZ")
    columns = {f"odd % {kind}'": SnowflakeType(kind) for kind in kinds}
    table = Table(*place.table.split("."))
    create_mirror(session, table, "ID", {**columns, "AT": SnowflakeType("TIMESTAMP_LTZ")})  # type: ignore[arg-type]
    to = target(place, *columns, session=session, insert=True, gone="AT")
    to.promise()
    to.write(piece(to, ("a", dict.fromkeys(columns))))
    to.mark_gone(["a"])
    said = "\n".join(session.said)
    for needed in (
        "CALL",
        "PUT",
        "COPY INTO",
        "MERGE INTO",
        "CREATE TEMPORARY",
        "WHEN NOT MATCHED",
        "DROP TABLE",
    ):
        assert needed in said
    linter = Linter(config=FluffConfig(overrides={"dialect": "snowflake"}))
    for statement in {re.sub("STAGE_[0-9A-F]+", "STAGE", each): each for each in session.said}.values():
        assert len(sqlglot.parse(statement, dialect="snowflake")) == 1, statement
        parsed = linter.parse_string(statement)
        assert parsed.violations == [], (statement, parsed.violations)
        assert parsed.tree is not None
        assert "unparsable" not in parsed.tree.type_set(), statement
