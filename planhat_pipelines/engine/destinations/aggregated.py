"""Metrics of files: rows are summed up per target and day before they become points."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from planhat_pipelines.engine.destinations.metrics import MetricsDestination, day_number
from planhat_pipelines.engine.drops.book import DIGITS
from planhat_pipelines.engine.drops.window import private_folder
from planhat_pipelines.engine.protocols import Found, Parcel, Receipt
from planhat_pipelines.mapping.aggregate import ADDING, PLACES, WEIGHT, aggregated
from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines.mapping.targets import Mapped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from planhat_pipelines.ledger import Batch, Ledger

_DROP = pl.col(ROW).str.head(DIGITS).alias("drop")
_GROUP = pl.col(ROW).str.slice(DIGITS + 1).alias("group")


@dataclass(frozen=True)
class AggregatedDestination(MetricsDestination):
    """Like metrics, for windows that hold all rows of a drop. Memory holds the groups, not the rows, which lie in
    `scratch` for a moment. The rows of a parcel are the names of its groups; where rows were parked, their places
    too, as they wait under these."""

    scratch: Path
    sync: str
    ledger: Ledger
    _warnings: list[str] = field(default_factory=list[str])

    @property
    def warnings(self) -> Sequence[str]:
        return self._warnings

    def gate(
        self,
        mapped: Iterator[Mapped],
        *,
        whole: bool = False,
        answered: pl.DataFrame | None = None,
        parked: bool = False,
    ) -> Iterator[Mapped]:
        private_folder(self.scratch)
        unused = ("_id", "companyId", "email", *(() if parked else (ROW,)))
        with tempfile.TemporaryDirectory(dir=self.scratch) as name:
            kept: dict[str, list[Path]] = {}
            for number, each in enumerate(mapped):
                if each.ready.height:
                    path = Path(name) / f"{number:05}.parquet"
                    kept.setdefault(each.ready[ROW][0][:DIGITS], []).append(path)
                    each.ready.drop(unused, strict=False).write_parquet(path)
                yield replace(each, ready=each.ready.clear())
            if not kept:
                return
            groups = pl.concat(
                aggregated(pl.scan_parquet(paths), self.mapping.aggregates, drop, places=parked)
                for drop, paths in kept.items()
            )
        self._warn(groups)
        told = groups.join(answered, on=ROW, how="semi") if answered is not None else groups.clear()
        nothing = Mapped.refusing(
            pl.DataFrame(schema=dict.fromkeys((ROW, "key", "field", "reason"), pl.String))
        )
        left = groups.join(told, on=ROW, how="anti", maintain_order="left")
        yield replace(nothing, ready=left, recovered=int(told[WEIGHT].sum()))

    def _warn(self, groups: pl.DataFrame) -> None:
        """Tell where a point is added to one that came out of another file, and the two do not add up. The groups of
        one drop are told apart from those of others by how their names begin."""
        metrics = [f"{name} ({how})" for name, how in self.mapping.aggregates.items() if how not in ADDING]
        if not metrics or not groups.height:
            return
        first, last = day_number(groups["day"].min()) or 0, day_number(groups["day"].max()) or 0
        mine = groups.select(_DROP, _GROUP)
        known = list(self.mapping.aggregates)
        sent = [
            pl.DataFrame({ROW: rows}, schema={ROW: pl.String})
            .select(_DROP, _GROUP)
            .join(mine, on="group", how="semi")
            for rows in self.ledger.rows_of_points(self.sync, known, first, last)
        ]
        drops = pl.concat([mine, *sent]).group_by("group").agg(pl.col("drop").n_unique())
        added = drops.filter(pl.col("drop") > 1).height
        if added:
            days = f"{date(1970, 1, 1) + timedelta(first)} to {date(1970, 1, 1) + timedelta(last)}"
            self._warnings.append(
                f"{', '.join(metrics)}: {added:,} points of {days} come on top of points of the same target and day "
                f"from another file, and do not add up with them. Let each file hold whole days."
            )

    def parcels(self, ready: pl.DataFrame) -> Iterator[Parcel]:
        start = 0
        for parcel in super().parcels(ready):
            groups = ready[start : start + len(parcel.rows)]
            start += len(parcel.rows)
            waited = groups[PLACES].explode() if PLACES in groups.columns else parcel.rows.clear()
            rows = pl.concat([parcel.rows, waited.rename(ROW)])
            yield replace(parcel, weight=int(groups[WEIGHT].sum()), rows=rows)

    def send(self, parcel: Parcel) -> Receipt:
        receipt = super().send(parcel)
        return replace(receipt, counts={"submitted": parcel.weight or 0})

    def found(self, batch: Batch, earlier: NDArray[np.uint64], ready: pl.DataFrame) -> Found:
        found = super().found(batch, earlier, ready)
        missing = found.missing
        if missing:
            weight = ready.filter(pl.col(ROW).is_in(missing.rows.implode()))[WEIGHT].sum()
            missing = replace(missing, weight=int(weight))
        groups = [row for row in found.unknown if ":" in row[DIGITS + 1 :]]
        return replace(found, missing=missing, unknown=groups)
