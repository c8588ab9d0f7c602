"""Whatever people, crashes and faults do, one undisturbed run brings both sides together and loses no edit in silence.

TWOWAY_EXAMPLES=300 runs more of them, TWOWAY_SEED=7 others.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from planhat_pipelines.planhat.errors import PlanhatError
from planhat_pipelines_tests.e2e.place import Place
from planhat_pipelines_tests.mortals import Mortals
from planhat_pipelines_tests.twoway.pair import Pair, make_small

EXAMPLES = int(os.environ.get("TWOWAY_EXAMPLES", "4"))
SEED = int(os.environ.get("TWOWAY_SEED", "20261122"))
FIELDS = {"NAME": "name", "CITY": "city", "NOTE": "country"}
LONGEST = 12
MARK = "vq"  # all values begin so
KEYS = [f"k{at}" for at in range(6)]
_values = itertools.count(1)

Cell = tuple[str, str]  # key, column
NOTHING = object()


class Sides:
    """Both sides, and what is known of edits that have not been brought together. `here`, `there`: the latest edit of
    each field on either side; an edit that was made on top of the other side's takes its place."""

    def __init__(self, pair: Pair, on_conflict: str) -> None:
        self.pair = pair
        fields = [{"column": column, "field": name} for column, name in FIELDS.items()]
        self.facts = pair.facts(fields=fields, on_conflict=on_conflict, brake=1)
        pair.table_of(f"ID VARCHAR, NAME VARCHAR, CITY VARCHAR({LONGEST}), NOTE VARCHAR")
        self.here: dict[Cell, Any] = {}
        self.there: dict[Cell, Any] = {}
        self.agreed: dict[Cell, Any] = {}
        self.left: set[str] = set()  # keys whose row was deleted and came back: nobody noticed, perhaps
        self.story: list[str] = []

    def rows(self) -> dict[str, dict[str, Any]]:
        return {
            key: dict(zip(FIELDS, row, strict=True))
            for key, row in self.pair.rows("NAME, CITY, NOTE").items()
        }

    def records(self) -> dict[str, dict[str, Any]]:
        return {
            key: {column: each.get(name) for column, name in FIELDS.items()}
            for key, each in self.pair.held().items()
        }

    def new(self, *, long: bool = False) -> str:
        value = f"{MARK}{next(_values):05}"
        return value + "x" * LONGEST if long else value

    # -- people

    def edit_row(self, key: str, column: str, value: Any) -> None:
        row = self.rows().get(key)
        if row is None or row[column] == value or (value is None and self.agreed.get((key, column)) is None):
            return
        if self.there.get((key, column), NOTHING) == row[column]:
            del self.there[key, column]
        self.here[key, column] = value
        self.pair.sql(f"UPDATE {{table}} SET {column} = {sql(value)} WHERE ID = '{key}'")

    def edit_record(self, key: str, column: str, value: Any) -> None:
        record = self.records().get(key)
        if (
            record is None
            or record[column] == value
            or (value is None and self.agreed.get((key, column)) is None)
        ):
            return
        if self.here.get((key, column), NOTHING) == record[column]:
            del self.here[key, column]
        self.there[key, column] = value
        self.pair.edit(key, **{FIELDS[column]: value})

    def add_row(self, key: str, values: dict[str, Any]) -> None:
        if key in self.rows():
            return
        self.pair.sql(
            f"INSERT INTO {{table}} SELECT '{key}', {', '.join(sql(values[name]) for name in FIELDS)}"
        )
        record = self.records().get(key, {})
        for column, value in values.items():
            if value is not None:
                self.here[key, column] = value
            if record.get(column) is not None:
                self.there.setdefault((key, column), record[column])

    def drop_row(self, key: str) -> None:
        if key in self.rows():
            self.left.add(key)
        self.pair.sql(f"DELETE FROM {{table}} WHERE ID = '{key}'")
        self.forget(self.here, key)

    def add_record(self, key: str, values: dict[str, Any]) -> None:
        if key in self.records():
            return
        given = {FIELDS[column]: value for column, value in values.items() if value is not None}
        self.pair.call("POST", "companies", {"externalId": key, **given})
        row = self.rows().get(key, {})
        for column, value in values.items():
            if value is not None:
                self.there[key, column] = value
            if row.get(column) is not None:
                self.here.setdefault((key, column), row[column])
            self.agreed.pop((key, column), None)

    def drop_record(self, key: str) -> None:
        record = self.pair.held().get(key)
        if record:
            self.pair.call("DELETE", f"companies/{record['_id']}")
            for column, name in FIELDS.items():  # what had arrived is gone with it
                if self.here.get((key, column), NOTHING) == record.get(name):
                    del self.here[key, column]
        self.forget(self.there, key)
        self.forget(self.agreed, key)

    def forget(self, known: dict[Cell, Any], key: str) -> None:
        for column in FIELDS:
            known.pop((key, column), None)

    # -- what must hold

    def check(self) -> None:
        """After an undisturbed run."""
        rows, records = self.rows(), self.records()
        lost = {
            ((each.row, each.field), each.planhat if each.winner == "snowflake" else each.snowflake)
            for each in self.pair.ledger.conflicts("accounts")
        }
        open_ = {(each.row, each.stage) for each in self.pair.ledger.rejections("accounts")}
        for key in rows:
            if rows[key]["NAME"] is None:
                assert (key, "map") in open_
                continue
            if key not in records:  # made anew only when the row changes
                for column, name in FIELDS.items():
                    edit = self.here.get((key, column), NOTHING)
                    assert edit is NOTHING or ((key, name), edit) in lost, (key, "was not made")
                continue
            for column, name in FIELDS.items():
                self.check_field((key, column), rows[key][column], records[key][column], lost, name, open_)
        for key in set(self.left):
            if key not in rows:
                for column in FIELDS:
                    self.agreed.pop((key, column), None)
                self.left.discard(key)
                self.forget(self.there, key)

    def check_field(
        self,
        cell: Cell,
        row: Any,
        record: Any,
        lost: set[tuple[Cell, Any]],
        name: str,
        open_: set[tuple[str, str]],
    ) -> None:
        key, column = cell
        if column == "CITY" and record and len(record) > LONGEST:
            assert (key, "write") in open_, (cell, "is open")
            here, there = self.here.get(cell, NOTHING), self.there.get(cell, NOTHING)
            assert there == record, (cell, "lost", there)
            if here is not NOTHING:
                assert ((key, name), here) in lost
                self.here.pop(cell)
            return
        assert row == record, (cell, row, record)
        edits = [side.pop(cell) for side in (self.here, self.there) if cell in side]
        if len(edits) == 1:
            assert row == edits[0], (cell, "a sole edit was lost", edits, "for", row)
        for edit in edits:
            assert edit == row or ((key, name), edit) in lost, (cell, "lost without a word", edit, "for", row)
        self.agreed[cell] = row

    def ledger_is_discreet(self) -> None:
        """No value is in the ledger but in conflicts."""
        with sqlite3.connect(self.pair.place.ledger_file) as book:
            tables = [name for (name,) in book.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in set(tables) - {"planhat_conflicts"}:
                for row in book.execute(f'SELECT * FROM "{table}"'):
                    assert MARK not in "\n".join(map(readable, row)), table
        book.close()


def readable(value: Any) -> str:
    """A cell of the ledger as text."""
    if not isinstance(value, bytes):
        return str(value)
    for read in (zlib.decompress, lambda blob: pl.read_ipc(io.BytesIO(blob)).write_csv().encode(), bytes):
        try:
            return read(value).decode("utf-8", "replace")
        except Exception:  # noqa: S112  (then it is packed in another way)
            continue
    raise AssertionError


def sql(value: Any) -> str:
    return "NULL" if value is None else f"'{value}'"


def machine(new_pair: Callable[[], Pair], mortals: Mortals) -> type[RuleBasedStateMachine]:
    keys = st.sampled_from(KEYS)
    columns = st.sampled_from(list(FIELDS))

    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.sides: Sides | None = None
            self.apart = 1

        @initialize(
            on_conflict=st.sampled_from(["snowflake", "planhat"]), overlap=st.sampled_from([0.0, 300.0])
        )
        def begin(self, on_conflict: str, overlap: float) -> None:
            pair = new_pair()
            pair.overlap = overlap
            self.sides = Sides(pair, on_conflict)
            for at, key in enumerate(KEYS):
                if at % 3:
                    self.sides.add_row(
                        key, {"NAME": self.sides.new(), "CITY": None, "NOTE": self.sides.new()}
                    )
                if at % 2:
                    self.sides.add_record(
                        key, {"NAME": self.sides.new(), "CITY": self.sides.new(), "NOTE": None}
                    )

        @rule(
            edits=st.lists(st.tuples(keys, columns, st.booleans(), st.integers(0, 7)), min_size=1, max_size=5)
        )
        def people_edit(self, edits: list[tuple[str, str, bool, int]]) -> None:
            self.apart += 1
            for key, column, in_planhat, what in edits:
                value: Any = self.sides.new()
                if what == 0 and (column != "NAME" or not in_planhat):
                    value = None
                elif what == 1 and column == "CITY" and in_planhat:
                    value = self.sides.new(long=True)
                (self.sides.edit_record if in_planhat else self.sides.edit_row)(key, column, value)

        @rule(key=keys, what=st.sampled_from(["row", "record", "no row", "no record"]), full=st.booleans())
        def something_comes_or_goes(self, key: str, what: str, full: bool) -> None:
            self.apart += 1
            new = self.sides.new
            values = {"NAME": new(), "CITY": new() if full else None, "NOTE": None if full else new()}
            if what == "row":
                self.sides.add_row(key, values)
            elif what == "record":
                self.sides.add_record(key, values)
            elif what == "no row":
                self.sides.drop_row(key)
            else:
                self.sides.drop_record(key)

        @rule(steps=st.lists(st.integers(1, 50), min_size=1, max_size=2))
        def runs_are_killed(self, steps: list[int]) -> None:
            self.apart += 1
            for step in steps:
                pair = self.sides.pair
                facts = {"sync": self.sides.facts, "overlap": pair.overlap, "full": False}
                when, nth = "before" if step % 2 else "after", step // 2 + 1
                end = mortals.run(pair.place.environment, facts, step="any", when=when, nth=nth)
                assert end in ("killed", "done") or "Brake" in end, end

        @rule(
            kind=st.sampled_from(["status_after", "status", "reset_after", "partial"]),
            skip=st.integers(0, 2),
            often=st.booleans(),
        )
        def planhat_fails(self, kind: str, skip: int, often: bool) -> None:
            self.sides.pair.fault(kind, skip=skip, count=None if often else 1)
            with contextlib.suppress(PlanhatError):
                self.run()
            self.sides.pair.place.calm()

        @rule(full=st.booleans())
        @precondition(lambda self: self.apart > 1)
        def both_are_brought_together(self, full: bool) -> None:
            self.apart = 0
            self.run()
            self.run(full=True)
            self.sides.check()
            if full:
                self.all_is_quiet()

        def run(self, **how: bool) -> Any:
            return self.sides.pair.run(self.sides.pair.spec(**self.sides.facts), **how)

        def all_is_quiet(self) -> None:
            pair = self.sides.pair
            if pair.ledger.rejections("accounts"):
                return
            self.run()
            pair.sent()
            commit = pair.sql(f"SELECT SYSTEM$LAST_CHANGE_COMMIT_TIME('{pair.table}')")
            self.run()
            self.run(full=True)
            assert pair.sent() == 0
            assert pair.sql(f"SELECT SYSTEM$LAST_CHANGE_COMMIT_TIME('{pair.table}')") == commit

        def teardown(self) -> None:
            if self.sides is None:
                return
            try:
                self.both_are_brought_together(full=True)
                assert self.sides.pair.ledger.batches("accounts", "intended") == []
                self.sides.ledger_is_discreet()
            finally:
                self.sides.pair.ledger.close()
                self.sides.pair.place.drop()

    return Machine


def test_whatever_happens_both_sides_agree_and_no_edit_is_lost_in_silence(
    sync_environment: tuple[dict[str, str], Any],
    sync_session: Any,
    tmp_path: Path,
    mortals: Mortals,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_small(monkeypatch.setattr)
    environment, planhat = sync_environment
    folders = itertools.count()

    def new_pair() -> Pair:
        folder = tmp_path / str(next(folders))
        folder.mkdir()
        return Pair(Place(sync_session, planhat, environment, folder))

    usual = settings(
        max_examples=EXAMPLES,
        stateful_step_count=10,
        deadline=None,
        phases=[Phase.generate],  # a failing example is short enough, and each step takes a while
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    run_state_machine_as_test(seed(SEED)(machine(new_pair, mortals)), settings=usual)
