"""Metrics as a destination: points that Planhat appends and never replaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import polars as pl

from planhat_pipelines.engine.protocols import Destination, Found, Parcel, Receipt
from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines.mapping.encode import metric_body
from planhat_pipelines.mapping.fingerprint import point_fingerprints
from planhat_pipelines.mapping.metrics import MetricsMapping
from planhat_pipelines.mapping.targets import Mapped, known_among, known_targets
from planhat_pipelines.planhat.catalogue import Model, model
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.lookups import points, targets

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from planhat_pipelines.ledger import Batch

POINTS_A_REQUEST = (
    50_000  # some 5 MB, of the 10 MB and about 50,000 items that the oldest documentation allows
)


@dataclass(frozen=True)
class MetricsDestination(Destination):
    """Rows to metric points of one model."""

    planhat: Planhat
    mapping: MetricsMapping
    purpose = "metrics"

    @property
    def on_doubt(self) -> Literal["ask", "resend", "hold"]:
        return "ask"

    @property
    def id_kind(self) -> str:
        return self.mapping.target.id_kind

    @property
    def model(self) -> str:
        return self.mapping.target.model

    @cached_property
    def _model(self) -> Model:
        return model(self.model)

    @cached_property
    def _records(self) -> pl.DataFrame:
        return targets(self.planhat, self._model)

    @cached_property
    def _targets(self) -> pl.DataFrame:
        return known_targets(self._records, self.mapping.target.id_kind)

    def map(self, rows: pl.DataFrame) -> Mapped:
        return self.mapping.apply(rows, self._targets)

    def points(self, ready: pl.DataFrame) -> pl.DataFrame:
        return self.mapping.points(ready, self._model.parent)

    def parcels(self, ready: pl.DataFrame) -> Iterator[Parcel]:
        rows_a_request = max(1, POINTS_A_REQUEST // len(self.mapping.values))
        for part in ready.iter_slices(rows_a_request):
            yield _parcel(self.points(part), part[ROW])

    def send(self, parcel: Parcel) -> Receipt:
        said = self.planhat.metrics(parcel.body)
        return Receipt({"submitted": len(parcel.rows)}, said=said)

    def found(self, batch: Batch, earlier: NDArray[np.uint64], ready: pl.DataFrame) -> Found:
        sent = tally(batch.points)
        there = tally(point_fingerprints(self._of_batch(batch))) if len(sent) else sent
        balance = (
            sent.join(there.rename({"n": "there"}), on="point", how="left")
            .join(tally(earlier).rename({"n": "earlier"}), on="point", how="left")
            .with_columns(
                arrived=(pl.col("there").fill_null(0) - pl.col("earlier").fill_null(0)).clip(0, pl.col("n"))
            )
        )
        points = self.points(ready)
        mine = (
            points.with_columns(point=pl.Series(point_fingerprints(points), dtype=pl.UInt64))
            .with_columns(nth=pl.int_range(pl.len()).over("point"))
            .join(balance, on="point", how="left", maintain_order="left")
        )
        changed = mine.filter((pl.col("nth") < pl.col("n")).not_().fill_null(True))[ROW]
        missing = mine.filter(pl.col("nth") >= pl.col("arrived"), ~pl.col(ROW).is_in(changed.implode()))
        unaccounted = (
            int(balance.select((pl.col("n") - pl.col("arrived")).sum()).item() or 0) - missing.height
        )
        gone = set(batch.rows).difference(ready[ROW]).union(changed) if unaccounted else set[str]()
        rows = missing[ROW].unique(maintain_order=True)
        return Found(
            points=balance.select(pl.col("point").repeat_by("arrived").explode())
            .to_series()
            .drop_nulls()
            .to_numpy(),
            missing=_parcel(missing, rows) if missing.height else None,
            unknown=sorted(gone),
        )

    def _of_batch(self, batch: Batch) -> pl.DataFrame:
        return self.read_back(batch.dimensions, batch.first_day or 0, batch.last_day or 0)

    def read_back(self, dimensions: Sequence[str], first: int, last: int) -> pl.DataFrame:
        """The points Planhat holds of these metrics between two days, with external ids as targets."""
        held = pl.concat([points(self.planhat, name, first, last) for name in dimensions])
        external = self._records.select(pl.col("_id").alias("target"), "externalId")
        return (
            held.filter(pl.col("model") == self._model.parent)
            .join(external, on="target", how="inner")
            .drop("target")
            .rename({"externalId": "target"})
        )

    def known(self, targets: Sequence[str]) -> set[str]:
        return known_among(targets, self._targets, self.id_kind)


def _parcel(points: pl.DataFrame, rows: pl.Series) -> Parcel:
    return Parcel(
        body=metric_body(points),
        items=points.height,
        rows=rows,
        points=point_fingerprints(points),
        dimensions=tuple(points["dimension"].unique().sort()),
        first_day=day_number(points["day"].min()),
        last_day=day_number(points["day"].max()),
        days=dict(points["day"].value_counts().iter_rows()),
    )


def day_number(value: object) -> int | None:
    """A day of a frame, as the ledger takes it."""
    return value if isinstance(value, int) else None


def tally(points: NDArray[np.uint64] | None) -> pl.DataFrame:
    """How often each fingerprint comes, as `point` and `n`."""
    series = pl.Series("point", points if points is not None else [], dtype=pl.UInt64)
    return series.to_frame().group_by("point").agg(pl.len().cast(pl.Int64).alias("n"))
