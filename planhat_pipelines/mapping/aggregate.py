"""Rows to one value per target and day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import polars as pl

from planhat_pipelines.mapping.columns import ROW

Aggregate = Literal["sum", "count", "count_distinct", "min", "max", "mean", "last"]

COUNTING: tuple[Aggregate, ...] = ("count", "count_distinct")
"""Aggregates of what a cell says, not of its value as a number."""

ADDING: tuple[Aggregate, ...] = ("sum", "count")
"""Aggregates of which those of two files add up to that of both."""

WEIGHT = "__rows"
"""Column of aggregated rows: how many rows of the source each stands for."""

PLACES = "__places"
"""Column of aggregated rows: the ROWs of those rows, where somebody asks for them."""


def aggregated(
    rows: pl.LazyFrame, aggregates: Mapping[str, Aggregate], prefix: str, *, places: bool = False
) -> pl.DataFrame:
    """One row per `target` and `day`: ROW (`prefix:target:day`), WEIGHT and a Float64 column per metric.

    `rows` has ROW, `target`, `day` and the metrics, in the order of the source, which `last` goes by.
    """
    sums = [_summed(pl.col(name), how).cast(pl.Float64).alias(name) for name, how in aggregates.items()]
    groups = (
        rows.with_row_index("at")
        .group_by("target", "day")
        .agg(pl.len().alias(WEIGHT), *([pl.col(ROW).alias(PLACES)] if places else []), *sums)
    )
    place = pl.concat_str(pl.lit(prefix), "target", pl.col("day").cast(pl.String), separator=":")
    return groups.with_columns(place.alias(ROW)).sort("day", "target").collect(engine="streaming")


def _summed(value: pl.Expr, how: Aggregate) -> pl.Expr:
    given = value.drop_nulls()
    match how:
        case "sum":
            return pl.when(value.is_not_null().any()).then(value.sum())
        case "count":
            return given.len()
        case "count_distinct":
            return given.n_unique()
        case "min":
            return value.min()
        case "max":
            return value.max()
        case "mean":
            return value.mean()
        case "last":
            return value.sort_by("at").drop_nulls().last()
