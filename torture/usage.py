"""Usage rows to metrics, and to activities."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from planhat_pipelines_tests.e2e.place import Place, day
from torture.scenes import Scene, Violations
from torture.stage import Stage

DAYS = [f"2026-01-{number:02}" for number in range(1, 8)]
Row = tuple[int, str, str | None, float]


class Metrics(Scene):
    """A usage table to a metric. Rows come late and out of order, some are refused, some wait for a company."""

    kind = "usage"
    faulty = (("/dimensiondata/*", "POST"), ("/metrics/*", "GET"), ("/companies*", "GET"))

    def __init__(self, stage: Stage, draw: Random, folder: Path, number: int) -> None:
        super().__init__(stage, draw, folder, number)
        self.place = Place(stage.session, stage.planhat, stage.direct, folder)
        self.ledger = self.place.ledger
        self.rows: list[Row] = []
        self.keys = iter(range(1, 10_000))
        self.gaps: list[int] = []
        self.here, self.late, self.never = ("c-1", "c-2"), f"late-{self.name}", f"never-{self.name}"
        self.came = False
        self.before: list[Row] = []  # what was there before the last change
        self.passed, self.behind = (
            0,
            self.before,
        )  # the cursor, and what was there before the run that moved it

    @property
    def facts(self) -> dict[str, Any]:
        return self.place.facts(name=self.name)

    def prepare(self) -> None:
        self.place.companies(*self.here)
        self.place.seats()
        self.change()

    def change(self) -> None:
        self.before = list(self.rows)
        new: list[Row] = []
        for _ in range(self.draw.randrange(1, 9)):
            if self.gaps and self.draw.random() < 0.4:
                key = self.gaps.pop(self.draw.randrange(len(self.gaps)))
            else:
                key = next(self.keys)
                if self.draw.random() < 0.3:
                    self.gaps.append(key)  # its transaction commits later than that of the next one
                    key = next(self.keys)
            who = self.draw.choice([*self.here * 3, self.late, self.never])
            when = None if self.draw.random() < 0.1 else self.draw.choice(DAYS)
            new.append((key, who, when, float(self.draw.randrange(50))))  # some points are equal, rightly
        self.place.add(new)
        self.rows += new

    def end(self) -> None:
        self.place.companies(self.late)
        self.came = True

    def points(self) -> Counter[Any]:
        """What Planhat holds of this sync's rows."""
        return Counter({key: n for key, n in self.place.points().items() if key[0] == "seats"})

    def point(self, row: Row) -> Any:
        return ("seats", "Company", row[1], day(str(row[2])), row[3])

    def wanted(self, rows: list[Row]) -> Counter[Any]:
        """The points of rows that can go."""
        known = {*self.here, self.late} if self.came else set(self.here)
        return Counter(self.point(row) for row in rows if row[2] and row[1] in known)

    def midway(self, found: Violations) -> None:
        held, certain = self.points(), Counter(self.certain())
        settled = Counter(self.point(row) for row in self.rows if certain[str(row[0])])
        found.expect("3 ahead", not settled - held, f"{self.name}: settled but absent {settled - held}")
        twice = {key: n for key, n in held.items() if n > self.wanted(self.rows)[key]}
        found.expect("2 doubled", not twice, f"{self.name}: {twice}")
        cursor = self.ledger.cursor(self.name).value
        passed = int(cursor["key"]) if cursor else 0
        if passed != self.passed:
            self.passed, self.behind = passed, self.before
        left_out = self.held_back()
        due = [row for row in self.behind if row[0] <= passed and row[1] in self.here]
        absent = self.wanted([row for row in due if str(row[0]) not in left_out]) - held
        late = self.wanted([row for row in self.rows if row not in self.behind])
        found.expect("3 ahead", not absent - late, f"{self.name}: behind the cursor but absent {absent}")

    def finished(self, found: Violations) -> None:
        found.same(self.name, self.points(), self.wanted(self.rows))
        self.told(found)

    def told(self, found: Violations) -> None:
        """Refused and waiting rows are written down."""
        refused = {each.row for each in self.ledger.rejections(self.name)}
        bad = {str(row[0]) for row in self.rows if row[2] is None}
        found.expect("oracle", refused == bad, f"{self.name}: refused {refused}, wanted {bad}")
        parked = {each.row for each in self.ledger.parked(self.name)}
        waits = {str(row[0]) for row in self.rows if row[2] and row[1] == self.never}
        found.expect("oracle", parked == waits, f"{self.name}: parked {parked}, wanted {waits}")
        dropped = self.place.nothing_was_dropped()
        found.expect("1 lost", dropped, f"{self.name}: Planhat dropped something in silence")
        self.balanced(found)

    def close(self) -> None:
        self.place.drop()
        self.place.ledger.close()


class Activities(Metrics):
    """The same table to activities, of which each row is one of its own."""

    faulty = (("/analytics/bulk/*", "POST"), ("/endusers*", "GET"))

    def __init__(self, stage: Stage, draw: Random, folder: Path, number: int) -> None:
        super().__init__(stage, draw, folder, number)
        self.here, self.late, self.never = ("u-1", "u-2"), f"late-{self.name}", f"never-{self.name}"
        self.company = ""
        self.on_doubt = draw.choice(["hold", "resend"])

    @property
    def facts(self) -> dict[str, Any]:
        usual = {"enduser": {"column": "ACCOUNT_ID"}, "action": "ROW_ID", "date": "DAY"}
        return self.place.facts(name=self.name, activities={**usual, "on_doubt": self.on_doubt})

    def prepare(self) -> None:
        self.people(*self.here)
        self.place.seats()
        self.change()

    def people(self, *names: str) -> None:
        self.company = self.company or self.place.companies("c-activities")[0]
        people = ({"externalId": each, "companyId": self.company, "email": f"{each}@x.io"} for each in names)
        self.place.put("endusers", *people)

    def end(self) -> None:
        self.people(self.late)
        self.came = True

    def points(self) -> Counter[Any]:
        return self.place.activities()

    def point(self, row: Row) -> Any:
        return row[1], str(row[0])

    def midway(self, found: Violations) -> None:
        held, certain = self.points(), Counter(self.certain())
        settled = Counter(self.point(row) for row in self.rows if certain[str(row[0])])
        found.expect("3 ahead", not settled - held, f"{self.name}: settled but absent {settled - held}")

    def finished(self, found: Violations) -> None:
        held, wanted, lost = self.points(), self.wanted(self.rows), self.held_back()
        absent = {action for _, action in wanted - held}
        found.expect("1 lost", absent <= lost, f"{self.name}: missing {absent - lost}")
        strange = {key for key in held if key not in wanted}
        found.expect("oracle", not strange, f"{self.name}: not wanted {strange}")
        if self.on_doubt == "hold":
            found.expect("2 doubled", not held - wanted, f"{self.name}: {held - wanted}")
        self.told(found)
