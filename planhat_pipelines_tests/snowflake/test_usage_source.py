"""A usage table as a source, over a socket: every row once, late commits too, and no table that only looks empty."""

from __future__ import annotations

from typing import Any

import pytest

from planhat_pipelines.snowflake import usage
from planhat_pipelines.snowflake.errors import KeyColumnError, NotFound
from planhat_pipelines.snowflake.usage import UsageTable
from planhat_pipelines_tests.e2e.place import Place


class Reader:
    """Reads a source window by window and remembers what it got, as a sync does."""

    def __init__(self, place: Place, **changes: Any) -> None:
        self.place, self.changes = place, changes
        self.cursor: dict[str, Any] | None = None
        self.rows: list[int] = []
        self.pieces: list[int] = []

    @property
    def source(self) -> UsageTable:
        return self.place.source(self.place.spec(**self.changes))

    def read(self) -> list[int]:
        """The keys that are new, all windows of them."""
        before = len(self.rows)
        source = self.source
        while increment := source.next(self.cursor):
            for piece in source.again(increment.bounds).pieces():
                assert piece.height
            for piece in increment.pieces():
                self.pieces.append(piece.height)
                self.rows += [int(key) for key in piece["__row"]]
            self.cursor = increment.cursor()
        assert len(set(self.rows)) == len(self.rows)
        assert not source.changed(self.cursor)
        return self.rows[before:]


def keys(*numbers: int) -> list[tuple[Any, ...]]:
    return [(number, "c-1", "2026-01-01", number) for number in numbers]


def test_rows_committed_late_below_the_cursor_come_exactly_once(place: Place) -> None:
    place.seats(keys(1, 2, 5, 9))
    reader = Reader(place, overlap=6)
    assert reader.read() == [1, 2, 5, 9]
    place.add(keys(4, 8))
    assert reader.read() == [4, 8]
    place.add(keys(6, 12, 11))
    assert reader.read() == [6, 11, 12]
    place.add(keys(10))
    assert reader.read() == [10]
    assert reader.read() == []


def test_a_row_deeper_than_the_overlap_is_out_of_sight_as_documented(place: Place) -> None:
    place.seats(keys(10, 20))
    reader = Reader(place, overlap=5)
    reader.read()
    place.add(keys(15, 16))
    assert reader.read() == [16]


def test_an_overlap_that_is_made_larger_reads_nothing_twice(place: Place) -> None:
    place.seats(keys(*range(1, 21)))
    reader = Reader(place, overlap=2)
    reader.read()
    reader.changes["overlap"] = 100
    place.add(keys(21))
    assert reader.read() == [21]
    place.add(keys(22))
    assert reader.read() == [22]


def test_windows_and_pieces_are_bounded_and_lose_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "WINDOW_ROWS", 7)
    monkeypatch.setattr(usage, "PIECE_ROWS", 3)
    place.seats(keys(*range(1, 31, 2)))
    reader = Reader(place, overlap=4)
    assert reader.read() == list(range(1, 31, 2))
    assert max(reader.pieces) <= 3
    place.add(keys(26, 28, *range(31, 60)))
    assert reader.read() == [26, 28, *range(31, 60)]
    assert reader.read() == []


def test_deletes_of_rows_already_read_do_not_hide_new_ones(place: Place) -> None:
    place.seats(keys(*range(1, 8)))
    reader = Reader(place)
    reader.read()
    place.sql("DELETE FROM {table} WHERE ROW_ID > 2")
    assert reader.source.changed(reader.cursor)
    assert reader.read() == []
    place.add(keys(8))
    assert reader.read() == [8]


def test_an_empty_table_is_no_work_until_it_has_a_row(place: Place) -> None:
    place.seats()
    source = place.source()
    assert not source.changed(None)
    assert source.next(None) is None
    place.add(keys(1))
    assert source.changed(None)
    assert Reader(place).read() == [1]


def test_nothing_new_is_known_by_the_last_commit_alone(place: Place) -> None:
    place.seats(keys(1))
    reader = Reader(place)
    reader.read()
    assert not reader.source.changed(reader.cursor)
    assert reader.source.next(reader.cursor) is None
    place.sql("UPDATE {table} SET SEATS = 2")
    assert reader.source.changed(reader.cursor)
    assert reader.read() == []
    assert not reader.source.changed(reader.cursor)


def test_a_view_is_read_as_a_table_is(place: Place) -> None:
    place.seats(keys(1, 2, 3))
    view = f"{place.table}_VIEW"
    place.sql(f"CREATE VIEW {view} AS SELECT ROW_ID, ACCOUNT_ID, DAY, SEATS FROM {{table}} WHERE ROW_ID <> 2")
    reader = Reader(place, table=view)
    assert reader.read() == [1, 3]
    place.add(keys(4))
    assert reader.read() == [4]
    place.sql(f"DROP VIEW {view}")
    with pytest.raises(NotFound):
        reader.source.changed(reader.cursor)


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        ("(3, 'c-1', NULL, 1), (3, 'c-2', NULL, 2)", "not unique, for instance 3"),
        ("(NULL, 'c-1', NULL, 1)", "1 rows have no ROW_ID"),
    ],
)
def test_a_repeated_or_null_key_stops_the_window_before_anything_is_sent(
    place: Place, bad: str, word: str
) -> None:
    place.seats(keys(1))
    for cursor in (None, {"key": "1", "floor": "-99", "seen": [[1, 1]], "commit": "0"}):
        place.sql(f"INSERT INTO {{table}} VALUES {bad}")
        with pytest.raises(KeyColumnError, match=word):
            place.source().next(cursor)
        place.seats(keys(1))


def test_a_key_that_is_repeated_behind_the_cursor_is_refused_too(place: Place) -> None:
    place.seats(keys(1, 2))
    reader = Reader(place)
    reader.read()
    place.add(keys(2))
    with pytest.raises(KeyColumnError, match="instance 2"):
        reader.source.next(reader.cursor)


@pytest.mark.parametrize("kind", ["VARCHAR", "FLOAT", "NUMBER(10,2)", "DATE"])
def test_a_key_that_is_no_whole_number_is_refused_by_its_type(place: Place, kind: str) -> None:
    place.sql(f"CREATE TABLE {{table}} (ROW_ID {kind}, ACCOUNT_ID VARCHAR, DAY DATE, SEATS FLOAT)")
    with pytest.raises(KeyColumnError, match="whole number"):
        place.source().next(None)


def test_a_table_that_is_gone_or_lost_a_column_never_looks_empty(place: Place) -> None:
    place.seats(keys(1))
    cursor = {"key": "1", "floor": "0", "seen": [], "commit": "0"}
    with pytest.raises(NotFound, match=r"no column rowid\. Did you mean ROW_ID"):
        place.source(place.spec(incrementing_key="rowid")).next(cursor)
    place.sql("ALTER TABLE {table} RENAME COLUMN SEATS TO SEATS_USED")
    with pytest.raises(NotFound, match=r"no column SEATS\. Did you mean SEATS_USED"):
        list(place.source().again({"low": 0, "high": 9, "seen": [], "commit": None}).pieces())
    with pytest.raises(NotFound, match="Did you mean"):
        place.run()
    place.drop()
    for look in (place.source().next, place.source().changed):
        with pytest.raises(NotFound, match="does not exist"):
            look(cursor)


def test_single_rows_are_read_by_key_as_they_are_now(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "_KEYS_A_QUERY", 2)
    place.seats([*keys(*range(-2, 6))])
    place.sql("DELETE FROM {table} WHERE ROW_ID = 3")
    source = place.source()
    found = [int(key) for frame in source.rows(["-1", "1", "2", "3", "5"]) for key in frame["__row"]]
    assert found == [-1, 1, 2, 5]
    (none,) = source.rows([])
    assert none.height == 0
    assert {"ACCOUNT_ID", "DAY", "SEATS", "__row"} <= set(none.columns)


@pytest.mark.parametrize("name", ['"odd name"', '"say ""hi"""', '"Größe 表"', "MIXED_Case"])
def test_odd_names_of_tables_and_columns_are_read_as_they_are(place: Place, name: str) -> None:
    table = f"E2E.PUBLIC.{name}"
    column = name[1:-1].replace('""', '"') if name.startswith('"') else name
    place.sql(f"CREATE OR REPLACE TABLE {table} ({name} NUMBER(38,0), A VARCHAR, D DATE)")
    place.sql(f"INSERT INTO {table} VALUES (1, 'c-1', '2026-01-01')")
    metrics = {
        "target": {"model": "company", "column": "A"},
        "date": "D",
        "values": [{"metric": "seats", "column": column}],
    }
    reader = Reader(place, table=table, incrementing_key=column, metrics=metrics)
    assert reader.read() == [1]
    place.sql(f"INSERT INTO {table} VALUES (2, 'c-1', '2026-01-01')")
    assert reader.read() == [2]
    place.sql(f"DROP TABLE {table}")
