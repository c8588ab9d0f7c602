"""What a run did, in counts that must balance."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import get_args

from planhat_pipelines.engine.protocols import JsonObject, Refusal, Verdict

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
SAMPLE = 20


class Unbalanced(Exception):
    """Rows were read that ended nowhere, or ended twice: a fault of the engine, never of the data."""


@dataclass
class Report:
    """The running account of one run."""

    sync: str
    run: str
    rows_read: int = 0
    recovered: int = 0  # rows that an earlier, broken run had answered already
    items_sent: int = 0
    requests: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter[Verdict])
    sample: list[Refusal] = field(default_factory=list[Refusal])
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])  # field, reason
    days: Counter[int] = field(default_factory=Counter[int])  # points sent by day, since 1970
    unreadable: list[str] = field(default_factory=list[str])  # what was set aside, with the reason
    warnings: list[str] = field(default_factory=list[str])  # what was done, and may not be what was meant
    cursor_from: JsonObject | None = None
    cursor_to: JsonObject | None = None
    started: float = field(default_factory=time.monotonic)

    def count(self, counts: Mapping[Verdict, int]) -> None:
        """Add verdicts of rows."""
        self.verdicts.update(counts)

    def refuse(self, refusals: Iterable[Refusal]) -> None:
        """Keep the first few for people to see, and the sums of all by reason. Does not count verdicts."""
        for refusal in refusals:
            self.reasons[refusal.field, refusal.reason] += 1
            if len(self.sample) < SAMPLE:
                self.sample.append(replace(refusal, key=refusal.shown, is_address=False))

    @property
    def seconds(self) -> float:
        """How long the run has been at work."""
        return time.monotonic() - self.started

    @property
    def counts(self) -> dict[str, int]:
        """All figures as the ledger and Dagster keep them."""
        verdicts = {verdict: self.verdicts[verdict] for verdict in VERDICTS}
        return {
            "rows_read": self.rows_read,
            **verdicts,
            "recovered": self.recovered,
            "items_sent": self.items_sent,
            "requests": self.requests,
        }

    @property
    def answered(self) -> int:
        """Rows that have a verdict."""
        return sum(self.verdicts.values())

    def balance(self) -> None:
        """Raise Unbalanced unless every row read has exactly one verdict."""
        if self.rows_read != self.answered:
            ends = ", ".join(f"{self.verdicts[verdict]} {verdict}" for verdict in VERDICTS)
            raise Unbalanced(
                f"{self.sync}: {self.rows_read} rows read but {self.answered} answered "
                f"({self.answered - self.rows_read:+d}): {ends}. The cursor has not moved; please report this."
            )

    def line(self) -> str:
        """One line for the log."""
        ends = ", ".join(
            f"{self.verdicts[verdict]:,} {verdict}" for verdict in VERDICTS if self.verdicts[verdict]
        )
        rate = self.rows_read / self.seconds if self.seconds else 0.0
        return f"{self.sync}: {self.rows_read:,} rows read, {ends or 'nothing to do'} ({rate:,.0f} rows a second)"
