"""Metrics of files: rows are summed up per target and day before they become points."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from planhat_pipelines.engine.dropwindow import DIGITS, private_folder
from planhat_pipelines.engine.metrics import MetricsDestination
from planhat_pipelines.engine.protocols import Found, Parcel, Receipt
from planhat_pipelines.mapping.aggregate import PLACES, WEIGHT, aggregated
from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines.mapping.targets import Mapped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from planhat_pipelines.ledger import Batch


@dataclass(frozen=True)
class AggregatedDestination(MetricsDestination):
    """Like metrics, for windows that hold all rows of a drop. Memory holds the groups, not the rows, which lie in
    `scratch` for a moment. The rows of a parcel are the names of its groups; where rows were parked, their places
    too, as they wait under these."""

    scratch: Path

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
        told = groups.join(answered, on=ROW, how="semi") if answered is not None else groups.clear()
        nothing = Mapped.refusing(
            pl.DataFrame(schema=dict.fromkeys((ROW, "key", "field", "reason"), pl.String))
        )
        left = groups.join(told, on=ROW, how="anti", maintain_order="left")
        yield replace(nothing, ready=left, recovered=int(told[WEIGHT].sum()))

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
