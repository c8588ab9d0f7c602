"""Drops to metrics, and to records."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from planhat_pipelines_tests.drops.dock import ENDS, Dock, csv, day, ndjson
from torture.scenes import Scene, Violations, unique
from torture.stage import Stage

DAYS = [f"2026-11-{number:02}" for number in range(1, 4)]


class Inbox(Scene):
    """Files come, and are overwritten while they are read; some cannot be read at all."""

    kind = "files"

    def __init__(self, stage: Stage, draw: Random, folder: Path, number: int) -> None:
        super().__init__(stage, draw, folder, number)
        self.dock = Dock(stage.s3, stage.planhat, stage.direct, folder)
        self.ledger = self.dock.ledger
        self.versions: dict[str, list[str]] = {}  # MD5 of what was put under a name, in order
        self.contents: dict[str, Any] = {}  # rows by MD5; None where there are none to be read
        self.sizes: dict[str, int] = {}
        self.values: set[float] = set()

    def prepare(self) -> None:
        self.dock.companies("c-1", "c-2")
        self.change()

    def change(self) -> None:
        for _ in range(self.draw.randrange(1, 3)):
            if self.draw.random() < 0.1:
                self.put(
                    f"{self.draw.choice('xy')}.csv", b"\x00\x01 no table " + self.draw.randbytes(9), None
                )
            else:
                self.drop()

    def drop(self) -> None:
        """One more readable file."""
        raise NotImplementedError

    def put(self, name: str, content: str | bytes, rows: Any) -> None:
        """Put a file into the inbox and remember what is in it."""
        body = content.encode() if isinstance(content, str) else content
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        self.contents[etag], self.sizes[etag] = rows, len(rows or ())
        self.versions.setdefault(name, []).append(etag)
        self.dock.drop(name, body)

    def fresh(self) -> float:
        """A value that no other row has."""
        value = unique(self.draw, self.values)
        self.values.add(value)
        return value

    def end(self) -> None:
        self.dock.companies("c-late")

    def trail(self) -> list[dict[str, Any]]:
        """The audit trail with the MD5 of each drop."""
        return [{**each, "md5": each["etag"].strip('"')} for each in self.dock.trail(self.name)]

    def midway(self, found: Violations) -> None:
        keys = set(self.dock.keys())
        for each in self.trail():
            archive = (each["archive"] or "").removeprefix(self.dock.root)
            if each["state"] in ("archived", "done"):
                found.expect("4 order", archive in keys, f"{self.name}: {each['key']} has no archive")
                body = self.dock.content(each["archive"]) if archive in keys else b""
                digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
                found.expect("4 order", digest == each["md5"], f"{self.name}: {archive} has other bytes")
        written = {each["md5"] for each in self.trail() if each["state"] in ("archived", "done")}
        for name, versions in self.versions.items():
            there = f"in/{name}" in keys or versions[-1] in written
            found.expect("5 places", there, f"{self.name}: {name} was removed before it was archived")

    def finished(self, found: Violations) -> None:
        try:
            self.dock.settled(self.facts)
        except AssertionError as error:
            found.expect("5 places", False, f"{self.name}: {error}")
        keys = self.dock.keys()
        done = {each["md5"]: each for each in self.trail() if each["state"] == "done"}
        for name, versions in self.versions.items():
            found.expect("1 lost", versions[-1] in done, f"{self.name}: {name} was never imported")
            found.expect("5 places", f"in/{name}" not in keys, f"{self.name}: {name} is left")
        for md5, each in done.items():
            failed = each["archive"].startswith(f"{self.dock.root}failed/")
            wrong = failed != (self.contents[md5] is None)
            said = f"{self.name}: {each['key']} is in {each['archive']}: {each['report']}"
            found.expect("5 places", not wrong, said)
            if not failed:
                total = sum(each["counts"].get(end, 0) for end in ENDS)
                said = f"{self.name}: {each['key']} has {self.sizes[md5]} rows, {each['counts']}"
                found.expect("6 counts", total == self.sizes[md5], said)
        self.balanced(found)
        self.values_of([md5 for md5 in done if self.contents[md5] is not None], found)

    def values_of(self, done: list[str], found: Violations) -> None:
        """Planhat holds what was in these drops."""
        raise NotImplementedError

    def close(self) -> None:
        self.dock.ledger.close()


class DropMetrics(Inbox):
    """Logs, summed up by company and day."""

    faulty = (("/dimensiondata/*", "POST"), ("/metrics/*", "GET"), ("/companies*", "GET"))

    @property
    def facts(self) -> dict[str, Any]:
        return self.dock.facts(name=self.name)

    def drop(self) -> None:
        rows: list[tuple[str, str, Any]] = []
        for _ in range(self.draw.randrange(1, 9)):
            who = self.draw.choice(["c-1", "c-1", "c-2", "c-2", "c-late", "c-never"])
            when = "never" if self.draw.random() < 0.1 else self.draw.choice(DAYS)
            rows.append((who, when, self.fresh()))
        name = self.draw.choice(["a", "b", "c"])
        if self.draw.random() < 0.5:
            self.put(f"{name}.csv", csv("customer,at,minutes", rows), rows)
        else:
            lines = ({"customer": who, "at": when, "minutes": value} for who, when, value in rows)
            self.put(f"{name}.ndjson", ndjson(lines), rows)

    def values_of(self, done: list[str], found: Violations) -> None:
        wanted: Counter[Any] = Counter()
        for md5 in done:
            sums: dict[tuple[str, str], float] = {}
            for who, when, value in self.contents[md5]:
                if when != "never" and who != "c-never":
                    sums[who, when] = sums.get((who, when), 0.0) + value
            wanted.update(("minutes", who, day(when), value) for (who, when), value in sums.items())
        held = {key: count for key, count in self.dock.points().items() if key[0] == "minutes"}
        found.same(self.name, Counter(held), wanted)


class DropRecords(Inbox):
    """Lists of people, of which the later one counts."""

    faulty = (("/endusers", "PUT"), ("/endusers", "GET"), ("/companies*", "GET"), ("/customfields", "GET"))

    @property
    def facts(self) -> dict[str, Any]:
        return self.dock.people(name=self.name)

    def drop(self) -> None:
        rows: list[tuple[str, str, str, str]] = []
        for _ in range(self.draw.randrange(1, 9)):
            who = "" if self.draw.random() < 0.1 else f"p{self.draw.randrange(8)}"
            # a person belongs to one company
            company = {"p6": "c-late", "p7": "c-never"}.get(who, "c-1")
            rows.append((who, company, f"{who or 'nobody'}@x.io", f"v{self.fresh():.0f}"))
        self.put(f"{self.draw.choice('abc')}.csv", csv("id,account,email,first", rows), rows)

    def values_of(self, done: list[str], found: Violations) -> None:
        modified = {each["md5"]: each["modified"] for each in self.trail()}
        newest: dict[str, tuple[Any, set[str]]] = {}  # when a person was dropped last, and with which values
        for md5 in done:
            of_drop = {who: value for who, company, _, value in self.contents[md5] if company != "c-never"}
            of_drop.pop("", None)
            for who, value in of_drop.items():
                at, values = newest.get(who, (modified[md5], set[str]()))
                if modified[md5] > at:
                    at, values = modified[md5], set[str]()
                if modified[md5] == at:
                    values.add(value)
                newest[who] = at, values
        try:
            records = self.dock.records("enduser", "firstName")
        except AssertionError as error:
            found.expect("2 doubled", False, f"{self.name}: {error}")
            return
        held = {who: value for who, (value,) in records.items() if who.startswith("p")}
        found.expect("1 lost", newest.keys() <= held.keys(), f"{self.name}: {newest.keys() - held.keys()}")
        found.expect("oracle", held.keys() <= newest.keys(), f"{self.name}: {held.keys() - newest.keys()}")
        for who, value in held.items():
            values = newest.get(who, (None, set()))[1]
            found.expect("8 latest", value in values, f"{self.name}: {who} is {value}, not of {values}")
