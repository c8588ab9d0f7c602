"""What came of holding Planhat against the ledger. Keys and names of fields are in it, and no value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

LISTED = 100
"""Drifts that are named; all are counted."""

Kind = Literal["missing", "differs", "doubled"]


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that Planhat holds otherwise than it was sent. `key`: of the record, or the target of a point, an
    address hidden; `where`: the fields, or metric and day."""

    kind: Kind
    key: str
    where: str = ""


@dataclass
class Verified:
    """The account of one look.

    looked: what was looked at, in the order people read it, such as how many records. notes: what was left out, and
    why. drift: the first LISTED; `drifted` counts all. again: records that can be sent once more, `from_source` where
    their rows can be read again. months: of metrics, per
    metric and month how many points Planhat holds, and how many of them this ledger's syncs sent.
    """

    sync: str
    looked: dict[str, int] = field(default_factory=dict[str, int])
    drift: list[Drift] = field(default_factory=list[Drift])
    drifted: Counter[Kind] = field(default_factory=Counter[Kind])
    notes: list[str] = field(default_factory=list[str])
    again: list[str] = field(default_factory=list[str])
    from_source: bool = True
    months: list[tuple[str, str, int, int]] = field(default_factory=list[tuple[str, str, int, int]])
    cure: str = ""

    def add(self, kind: Kind, many: int, found: Iterable[tuple[str, str]]) -> None:
        """Count `many`, and list as many of them as there is room for."""
        self.drifted[kind] += many
        self.drift += [
            Drift(kind, *each) for each, _ in zip(found, range(LISTED - len(self.drift)), strict=False)
        ]

    @property
    def is_well(self) -> bool:
        """Whether all that was looked at is as it was sent."""
        return not self.drifted.total()

    def line(self) -> str:
        """All of it in a sentence or two."""
        looked = ", ".join(f"{count:,} {what}" for what, count in self.looked.items())
        found = ", ".join(f"{count:,} {kind}" for kind, count in self.drifted.items() if count)
        return f"{self.sync}: {looked}: {found or 'all as it was sent'}. {self.cure}".rstrip()
