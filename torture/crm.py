"""Tables to records, one way and both ways."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any, ClassVar

from planhat_pipelines_tests.e2e.place import Place
from planhat_pipelines_tests.records import test_chaos as chaos
from planhat_pipelines_tests.records.crm import Crm
from planhat_pipelines_tests.twoway.pair import Pair
from torture.scenes import Scene, Violations
from torture.stage import Stage


class OneWay(Scene):
    """A table to issues, archived when their row is gone, while transactions commit and roll back."""

    kind = "records"
    faulty = (("/issues", "PUT"), ("/issues", "GET"), ("/customfields", "GET"))

    def __init__(self, stage: Stage, draw: Random, folder: Path, number: int) -> None:
        super().__init__(stage, draw, folder, number)
        self.crm = Crm(Place(stage.session, stage.planhat, stage.direct, folder))
        self.ledger = self.crm.ledger
        self.changes = draw.choice(["change_tracking", "snapshot_diff"])

    @property
    def facts(self) -> dict[str, Any]:
        return chaos.facts(self.crm, name=self.name, brake=1, changes=self.changes)

    def prepare(self) -> None:
        self.crm.accounts()
        self.crm.add(*((f"k{n}", f"N{n}") for n in range(11)))

    def change(self) -> None:
        for _ in range(self.draw.randrange(1, 4)):
            chaos.change(self.draw, self.crm.sql, self.crm.table)

    def end(self) -> None:
        """Nothing waits."""

    def held(self) -> dict[str, Any]:
        """Planhat's issues, archived ones too."""
        return self.crm.held("issue", "sourceId")

    def midway(self, found: Violations) -> None:
        try:
            absent = set(self.certain()) - set(self.held())
        except AssertionError as error:
            found.expect("2 doubled", False, f"{self.name}: {error}")
            return
        found.expect("3 ahead", not absent, f"{self.name}: settled but absent {absent}")

    def finished(self, found: Violations) -> None:
        query = "SELECT ID, NAME, CITY FROM {table}"
        table = {key: (name, city) for key, name, city in self.crm.sql(query)}
        try:
            held = self.held()
        except AssertionError as error:
            found.expect("2 doubled", False, f"{self.name}: {error}")
            return
        living = {key: (e["title"], e.get("status")) for key, e in held.items() if not e["archived"]}
        found.expect("1 lost", table.keys() <= living.keys(), f"{self.name}: {table.keys() - living.keys()}")
        found.expect("oracle", living == table, f"{self.name}: {living} for {table}")
        known = self.ledger.records(self.name)
        keys = set(known.filter(known["hash"] != 0)["key"])
        found.expect("oracle", keys == table.keys(), f"{self.name}: the ledger knows {keys}")
        self.balanced(found)

    def close(self) -> None:
        self.crm.place.drop()
        self.crm.ledger.close()


class BothWays(Scene):
    """A table and its companies, edited on both sides."""

    kind = "twoway"
    faulty = (("/companies", "PUT"), ("/companies", "GET"), ("/customfields", "GET"))
    FIELDS: ClassVar = {"NAME": "name", "CITY": "city"}

    def __init__(self, stage: Stage, draw: Random, folder: Path, number: int) -> None:
        super().__init__(stage, draw, folder, number)
        self.pair = Pair(Place(stage.session, stage.planhat, stage.direct, folder))
        self.ledger = self.pair.ledger
        self.on_conflict = draw.choice(["snowflake", "planhat"])
        self.edits: dict[tuple[str, str], list[tuple[str, str]]] = {}  # of a field: side and value, in order
        self.values = iter(range(1, 10_000))

    @property
    def facts(self) -> dict[str, Any]:
        return self.pair.facts(name=self.name, on_conflict=self.on_conflict)

    def prepare(self) -> None:
        self.pair.accounts()
        self.grow(6)

    def grow(self, rows: int) -> None:
        """More rows in the table."""
        new = [(f"{self.name}-{next(self.values)}", self.value("s"), self.value("s")) for _ in range(rows)]
        self.pair.add(*new)
        for key, *values in new:
            for column, value in zip(self.FIELDS, values, strict=True):
                self.edits[key, column] = [("snowflake", value)]

    def value(self, side: str) -> str:
        return f"{side}{next(self.values)}"

    def change(self) -> None:
        keys = sorted({key for key, _ in self.edits})
        held = self.pair.held()
        for _ in range(self.draw.randrange(1, 5)):
            key, column = self.draw.choice(keys), self.draw.choice(list(self.FIELDS))
            if self.draw.random() < 0.5 and key in held:
                value, side = self.value("p"), "planhat"
                self.pair.edit(key, **{self.FIELDS[column]: value})
            else:
                value, side = self.value("s"), "snowflake"
                self.pair.sql(f"UPDATE {{table}} SET {column} = '{value}' WHERE ID = '{key}'")  # noqa: S608
            self.edits[key, column].append((side, value))
        if self.draw.random() < 0.3:
            self.grow(1)

    def end(self) -> None:
        """Nothing waits."""

    def midway(self, found: Violations) -> None:
        try:
            absent = set(self.certain()) - set(self.pair.held())
        except AssertionError as error:
            found.expect("2 doubled", False, f"{self.name}: {error}")
            return
        found.expect("3 ahead", not absent, f"{self.name}: settled but absent {absent}")

    def finished(self, found: Violations) -> None:
        try:
            rows, records = self.pair.rows(), self.pair.fields(*self.FIELDS.values())
        except AssertionError as error:
            found.expect("2 doubled", False, f"{self.name}: {error}")
            return
        found.expect("1 lost", rows.keys() <= records.keys(), f"{self.name}: {rows.keys() - records.keys()}")
        lost = {
            (each.row, value)
            for each in self.ledger.conflicts(self.name)
            for value in (each.snowflake, each.planhat)
        }
        for (key, column), edits in self.edits.items():
            at = list(self.FIELDS).index(column)
            here, there = rows[key][at], records.get(key, (None, None))[at]
            said = f"{self.name}: {key}.{column} is {here} and {there} after {edits} ({self.on_conflict})"
            found.expect("oracle", here == there, said)
            last = dict(edits)  # of each side
            found.expect("8 latest", here in last.values(), said)
            final = edits[-1][1]  # may only lose to a conflict, and is kept then
            found.expect("1 lost", here == final or (key, final) in lost, said)
        self.balanced(found)

    def close(self) -> None:
        self.pair.place.drop()
        self.pair.ledger.close()
