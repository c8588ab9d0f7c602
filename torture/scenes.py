"""What a scene is: one sync with a source that changes, an oracle, and what must hold of it at any moment."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from planhat_pipelines.ledger import Ledger
from torture.stage import Stage

NAMES = {
    "1 lost": "every row that was accepted is in Planhat, with its last value",
    "2 doubled": "nothing is in Planhat twice, and nothing that was refused is there",
    "3 ahead": "what is settled, or behind the cursor, is in Planhat",
    "4 order": "imported, then archived with the same bytes, then removed from the inbox",
    "5 places": "each drop lies in one of processed/ and failed/, and none was removed unread",
    "6 counts": "the verdicts of every run and of every drop add up to its rows",
    "7 budget": "calls and calls at once keep to the budget, over all processes",
    "8 latest": "of two values the later one stays",
    "9 secrets": "no token, password or key is in any output, ledger or report",
    "10 orphans": "no claim, no file and no open batch is left",
    "oracle": "Planhat and Snowflake hold what the source says, to the value",
    "typed": "a run ends well, by a kill, or with an error that says what to do",
    "quiet": "when all is well a run ends well, and the next one has nothing to do",
}


class Violations(Counter[str]):
    """How often each invariant was broken, and what was seen."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def expect(self, invariant: str, holds: bool, said: object = "") -> None:
        """Count it when it does not hold."""
        if not holds:
            self[next(name for name in NAMES if name == invariant)] += 1
            self.seen.append(f"{invariant}: {said}")

    def same(self, who: str, found: Counter[Any], wanted: Counter[Any]) -> None:
        """Two bags are equal: nothing is lost, nothing doubled, nothing is foreign."""
        self.expect("1 lost", not wanted - found, f"{who}: missing {dict(wanted - found)}")
        twice = {key: count for key, count in (found - wanted).items() if wanted[key]}
        self.expect("2 doubled", not twice, f"{who}: too often {twice}")
        self.expect("oracle", found == wanted, f"{who}: not wanted {dict(found - wanted)}")


class Scene(ABC):
    """One sync of one round."""

    kind: ClassVar[str]
    """How torture/runs.py makes the sync."""
    faulty: ClassVar[Sequence[tuple[str, str]]]
    """Paths and methods of Planhat's that its runs call."""

    def __init__(self, stage: Stage, draw: random.Random, folder: Path, number: int) -> None:
        self.stage, self.draw, self.folder = stage, draw, folder
        self.name = f"{type(self).__name__.lower()}{number}"
        self.ledger: Ledger

    @property
    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """The spec as a user writes it."""

    @abstractmethod
    def prepare(self) -> None:
        """What is there before the first run. Planhat is empty by then."""

    @abstractmethod
    def change(self) -> None:
        """Something happens to the source, perhaps while a run reads it."""

    @abstractmethod
    def end(self) -> None:
        """What rows waited for comes to be."""

    @abstractmethod
    def midway(self, found: Violations) -> None:
        """What must hold after a run died or failed."""

    @abstractmethod
    def finished(self, found: Violations) -> None:
        """What must hold when all is done."""

    @abstractmethod
    def close(self) -> None:
        """Forget the source."""

    def certain(self) -> list[str]:
        """Rows that the ledger says Planhat has."""
        open_ = {row for batch in self.ledger.batches(self.name, "intended") for row in batch.rows}
        rows = [row for batch in self.ledger.batches(self.name, "settled") for row in batch.rows]
        return [row for row in rows if row not in open_]

    def held_back(self) -> set[str]:
        """Rows of batches of which nobody can tell whether they arrived."""
        return {row for batch in self.ledger.batches(self.name, "held") for row in batch.rows}

    def balanced(self, found: Violations) -> None:
        """The account of every run that ended well adds up, and nothing is left open."""
        ends = ("created", "updated", "unchanged", "submitted", "refused", "parked", "held", "duplicate")
        for run in self.ledger.runs(self.name, limit=100):
            if run.state == "done":
                total = sum(run.counts.get(end, 0) for end in ends)
                found.expect("6 counts", run.counts["rows_read"] == total, f"{self.name}: {run.counts}")
            found.expect("10 orphans", run.state != "running", f"{self.name}: a run is still said to run")
        open_ = self.ledger.batches(self.name, "intended")
        found.expect("10 orphans", not open_, f"{self.name}: open batches {[each.purpose for each in open_]}")
        found.expect(
            "10 orphans", self.ledger.open_window(self.name) is None, f"{self.name}: a window is open"
        )


def unique(draw: random.Random, taken: Iterable[float]) -> float:
    """A value that was not there yet, so that each row's point can be told from all others."""
    seen = set(taken)
    while True:
        value = float(draw.randrange(1, 1_000_000))
        if value not in seen:
            return value
