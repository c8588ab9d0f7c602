"""Metrics of files: rows are summed up per target and day before they become points."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from planhat_pipelines.engine.metrics import MetricsDestination
from planhat_pipelines.engine.protocols import Parcel, Receipt
from planhat_pipelines.mapping.aggregate import PLACES, WEIGHT, aggregated
from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines.mapping.targets import Mapped

_PREFIX = 12  # digits of a drop's id, with which the places of its rows begin


@dataclass(frozen=True)
class AggregatedDestination(MetricsDestination):
    """Like metrics, for windows that hold all rows of a drop. Memory holds the groups, not the rows."""

    def gate(
        self,
        mapped: Iterator[Mapped],
        *,
        whole: bool = False,
        answered: pl.DataFrame | None = None,
        parked: bool = False,
    ) -> Iterator[Mapped]:
        with tempfile.TemporaryDirectory(prefix="planhat-") as name:  # private to this user
            prefix, kept = "", list[Path]()
            for number, each in enumerate(mapped):
                if each.ready.height:
                    prefix = each.ready[ROW][0][:_PREFIX]
                    kept.append(Path(name) / f"{number:05}.parquet")
                    each.ready.drop("_id", "companyId", "email", strict=False).write_parquet(kept[-1])
                yield replace(each, ready=each.ready.clear())
            if not kept:
                return
            groups = aggregated(pl.scan_parquet(kept), self.mapping.aggregates, prefix, places=parked)
        told = groups.join(answered, on=ROW, how="semi") if answered is not None else groups.clear()
        nothing = Mapped.refusing(
            pl.DataFrame(schema=dict.fromkeys((ROW, "key", "field", "reason"), pl.String))
        )
        left = groups.join(told, on=ROW, how="anti", maintain_order="left")
        yield replace(nothing, ready=left, recovered=int(told[WEIGHT].sum()))

    def parcels(self, ready: pl.DataFrame) -> Iterator[Parcel]:
        start = 0
        for parcel in super().parcels(ready):
            rows = ready[start : start + len(parcel.rows)]
            start += len(parcel.rows)
            places = rows[PLACES].explode() if PLACES in rows.columns else None
            yield replace(parcel, weight=int(rows[WEIGHT].sum()), places=places)

    def send(self, parcel: Parcel) -> Receipt:
        receipt = super().send(parcel)
        return replace(receipt, counts={"submitted": parcel.weight or 0})
