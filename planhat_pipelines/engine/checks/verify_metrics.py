"""Does Planhat hold the metric points that the ledger says it was sent?

The ledger keeps a fingerprint of every point (metric, model, target, day, value) and no value, so no sums can be
compared. What can: all points that Planhat holds of some metrics and days, as fingerprints, with those that were sent
for them. Proven, for the batches that were looked at: each point arrived with its value, as often as it was sent, by
whichever sync of this ledger. Not proven: points of batches that were not looked at; that the source still says the
same; and who sent points that no sync of this ledger knows. A point that was sent less than `patience` seconds ago may
not show yet, so newer batches are left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from planhat_pipelines.engine.checks.verified import LISTED, Verified
from planhat_pipelines.engine.destinations.metrics import MetricsDestination, tally
from planhat_pipelines.ledger import Batch, Ledger
from planhat_pipelines.mapping.fingerprint import point_fingerprints
from planhat_pipelines.planhat.errors import OutOfCalls

_BATCHES = 50
_ROWS = 20_000  # that are read again to name missing points
_CURE = (
    "Planhat appends points, so none is sent again by itself. Points go with their company when it is deleted, and a "
    "point sent to a name that Planhat does not know is dropped: see whether the targets are still there."
)


@dataclass
class MetricsCheck:
    """One look at the points of one sync. `destination`: its client has a limit of calls. `rows`: rows of the source by
    key, to name what is missing; None where they cannot be read again."""

    sync: str
    destination: MetricsDestination
    ledger: Ledger
    rows: Callable[[Sequence[str]], Iterator[pl.DataFrame]] | None
    patience: float
    seed: int
    account: Verified = field(init=False)

    def look(self) -> Verified:
        """Read points back, as far as the calls go. Raises PlanhatError."""
        self.account = Verified(self.sync, {"points looked for": 0, "of the last batches": 0})
        left = self.ledger.some_batches(
            self.sync, "metrics", _BATCHES, time.time() - self.patience, self.seed
        )
        months: list[pl.DataFrame] = []
        try:
            while left:
                first = left[0]
                group = [each for each in left if _within(each, first)]
                months.append(self._look(first, group))
                left = [each for each in left if each not in group]
        except OutOfCalls:
            self.account.notes.append(
                f"The calls were used up with {len(left):,} batches left. Allow more calls to see more."
            )
        if months:
            self.account.months = _by_month(pl.concat(months))
        if not self.account.is_well:
            self.account.cure = _CURE
        return self.account

    def _look(self, around: Batch, group: Sequence[Batch]) -> pl.DataFrame:
        """Hold these batches, which lie in the metrics and days of one of them, against what Planhat has there."""
        first, last = around.first_day or 0, around.last_day or 0
        held = self.destination.read_back(around.dimensions, first, last)
        held = held.with_columns(point=pl.Series(point_fingerprints(held), dtype=pl.UInt64))
        sent = self.ledger.fingerprints(around.dimensions, first, last)
        mine = pl.concat([tally(each.points) for each in group]).group_by("point").agg(pl.col("n").sum())
        there = held.group_by("point").agg(
            pl.len().cast(pl.Int64).alias("there"), pl.first("dimension", "day", "target")
        )
        balance = (
            mine.join(tally(sent).rename({"n": "sent"}), on="point", how="left")
            .join(there, on="point", how="left")
            .with_columns(more=pl.col("there").fill_null(0) - pl.col("sent"))
        )
        self.account.looked["points looked for"] += int(mine["n"].sum())
        self.account.looked["of the last batches"] += len(group)
        doubled = balance.filter(pl.col("more") > 0).sort("dimension", "day", "target")
        self.account.add(
            "doubled",
            int(doubled["more"].sum()),
            (
                (target, _place(name, day))
                for name, day, target in doubled.select("dimension", "day", "target").rows()
            ),
        )
        missing = balance.filter(pl.col("more") < 0)
        if missing.height:
            self.account.add("missing", -int(missing["more"].sum()), self._named(missing["point"], group))
        known = pl.col("point").is_in(pl.Series(sent).implode())
        return held.select("dimension", "day", known.alias("known"))

    def _named(self, missing: pl.Series, group: Sequence[Batch]) -> Iterator[tuple[str, str]]:
        """Target, metric and day of missing points, from the rows that they came of; else what can be said of them."""
        read = found = 0
        for batch in group:
            points = batch.points
            if self.rows is None or points is None or read >= _ROWS or found >= LISTED:
                break
            if not pl.Series(points).is_in(missing.implode()).any():
                continue
            for rows in self.rows(batch.rows[: _ROWS - read]):
                read += rows.height
                for target, where in self._among(rows, missing):
                    found += 1
                    yield target, where
        if not found:
            one = group[0]
            yield "", f"{', '.join(one.dimensions)}, {_day(one.first_day or 0)} to {_day(one.last_day or 0)}"

    def _among(self, rows: pl.DataFrame, missing: pl.Series) -> Iterator[tuple[str, str]]:
        mapped = self.destination.map(rows)
        for target in mapped.parked["target"].unique(maintain_order=True):
            yield target, "no record has this id any more"
        if not mapped.ready.height:
            return
        points = self.destination.points(mapped.ready)
        gone = points.filter(pl.Series(point_fingerprints(points)).is_in(missing.implode()))
        for name, day, target in gone.select("dimension", "day", "target").rows():
            yield target, _place(name, day)


def _within(batch: Batch, other: Batch) -> bool:
    """Whether all points of a batch lie in the metrics and days of another one."""
    return (
        set(batch.dimensions) <= set(other.dimensions)
        and (other.first_day or 0) <= (batch.first_day or 0)
        and (batch.last_day or 0) <= (other.last_day or 0)
    )


def _by_month(held: pl.DataFrame) -> list[tuple[str, str, int, int]]:
    month = pl.col("day").cast(pl.Date).dt.strftime("%Y-%m").alias("month")
    by_month = (
        held.group_by(month, "dimension").agg(pl.len(), pl.col("known").sum()).sort("month", "dimension")
    )
    return [(str(when), str(name), int(many), int(known)) for when, name, many, known in by_month.rows()]


def _place(metric: str, day: int) -> str:
    return f"{metric}, {_day(day)}"


def _day(day: int) -> str:
    return str(pl.Series([day], dtype=pl.Int32).cast(pl.Date)[0])
