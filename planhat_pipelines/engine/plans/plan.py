"""What a run would do, as an account that people can read and that a later run can be held to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from planhat_pipelines.engine.syncs.contract import Missing
from planhat_pipelines.mapping.addresses import masked
from planhat_pipelines.mapping.columns import ROW

if TYPE_CHECKING:
    from planhat_pipelines.engine.protocols import Destination
    from planhat_pipelines.engine.report import Report
    from planhat_pipelines.mapping.targets import Mapped

SAMPLE = 10  # of each end, where a plan is printed
LISTED = 500  # and where it is reviewed
End = Literal["created", "changed", "archived", "submitted", "unchanged", "refused", "parked", "duplicate"]


@dataclass
class Plan:
    """How many rows would end how; of each end the first keys with their fields, or with what is in the way.

    created: rows that Planhat was never told of; a record that is there already is updated instead. submitted: rows
    that become `points`, by metric, or activities. parked: rows whose record does not exist yet. problem: why a run
    would stop before it sends anything. bodies: the first records that would be sent, as key and JSON, of `keys`.
    requests: a fingerprint of each request. drops: the files that a run would take, and what they hold.
    """

    counts: Counter[End] = field(default_factory=Counter[End])
    sample: dict[End, list[tuple[str, str]]] = field(default_factory=dict[End, list[tuple[str, str]]])
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])  # field, reason
    points: Counter[str] = field(default_factory=Counter[str])
    missing: list[Missing] = field(default_factory=list[Missing])
    problem: str | None = None
    warnings: list[str] = field(default_factory=list[str])
    drops: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    by_address: bool = False
    bodies: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]], repr=False)
    keys: list[pl.Series] = field(default_factory=list[pl.Series], repr=False)
    requests: list[str] = field(default_factory=list[str], repr=False)

    @property
    def is_well(self) -> bool:
        """Whether a run can go, and would refuse nothing."""
        return not (self.problem or self.missing or self.counts["refused"])

    @property
    def moves(self) -> bool:
        """Whether a run would change anything."""
        return self.counts.total() > self.counts["unchanged"]

    def add(self, end: End, rows: Iterable[tuple[str, str]], many: int) -> None:
        """Count `many` rows, and look at as many of them as are listed."""
        self.counts[end] += many
        kept = self.sample.setdefault(end, [])
        kept += islice(rows, LISTED - len(kept))

    def send(self, keys: pl.Series, bodies: pl.Series) -> None:
        """Note records on their way to Planhat."""
        self.keys.append(keys)
        left = LISTED - len(self.bodies)
        self.bodies += zip(keys.head(left), bodies.head(left), strict=True)

    def take(self, mapped: Mapped, destination: Destination) -> None:
        """Note rows on their way out."""
        self.by_address = destination.by_address
        shown = masked if self.by_address else str
        ready = mapped.ready
        if destination.purpose == "records" and ready.height:
            known = pl.col("told").is_not_null() if "told" in ready.columns else pl.lit(None, pl.Boolean)
            ends: tuple[tuple[End, pl.Expr], ...] = (
                ("created", ~known),
                ("changed", known),
                ("archived", known.is_null()),
            )
            for end, which in ends:
                rows = ready.filter(which)
                told = (
                    (shown(key), named_fields(body)) for key, body in rows.select("key", "body").iter_rows()
                )
                self.add(
                    end, ((key, "" if end == "archived" else fields) for key, fields in told), rows.height
                )
            self.send(ready["key"], ready["body"])
        elif ready.height and (points := destination.points(ready)) is not None:
            self.points.update(dict(points["dimension"].value_counts().iter_rows()))
        refused = (
            (row if key is None else shown(key), f"{field} {reason}".strip())
            for row, key, field, reason in mapped.refused.select(ROW, "key", "field", "reason").iter_rows()
        )
        self.add("refused", refused, mapped.refused.height)
        waiting = mapped.parked.select(ROW, "target").iter_rows()
        self.add(
            "parked",
            ((row, f"{destination.model} {target}") for row, target in waiting),
            mapped.parked.height,
        )
        self.add("unchanged", (), mapped.unchanged)

    def told_by(self, report: Report) -> None:
        """Take what the run itself keeps account of."""
        records = self.counts["created"] + self.counts["changed"] + self.counts["archived"]
        self.add("submitted", (), report.verdicts["submitted"] - records)
        self.add("duplicate", (), report.verdicts["duplicate"])
        self.counts["refused"] = report.verdicts["refused"]
        self.reasons, self.warnings = report.reasons, list(report.warnings)


def named_fields(body: str) -> str:
    """The names of the fields that a record brings, without their values."""
    record: dict[str, Any] = json.loads(body)
    custom: dict[str, Any] = record.pop("custom", {})
    return ", ".join([*record, *(f"custom.{name}" for name in custom)])
