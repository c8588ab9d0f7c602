"""Usage rows to metric points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from planhat_pipelines.mapping.aggregate import COUNTING, Aggregate
from planhat_pipelines.mapping.columns import ROW, Cell, Found, day, number, text
from planhat_pipelines.mapping.targets import Mapped, TargetCell, first_problem, split

_GIVEN = "__given "


@dataclass(frozen=True, slots=True)
class MetricsMapping:
    """Compiled form of a sync's `metrics:`; `values` are pairs of metric name and cell. `aggregates`: how a metric's
    values are summed up per target and day, for sources whose rows are not points yet."""

    target: TargetCell
    date: Cell
    timezone: str
    values: Sequence[tuple[str, Cell]]
    aggregates: Mapping[str, Aggregate] = field(default_factory=dict[str, Aggregate])

    def apply(self, rows: pl.DataFrame, targets: pl.DataFrame) -> Mapped:
        """`rows` from the source; `targets` as `known_targets` gives it. `ready` has ROW, `target` (external
        id), `day` (Int32, days since 1970-01-01) and one Float64 column for each metric, text
        where values are only counted."""
        schema = rows.schema
        date = day(self.date, schema, self.timezone)
        values = {name: self._value(name, cell, schema) for name, cell in self.values}
        read = rows.select(
            ROW,
            text(self.target.cell, schema).alias("key"),
            date.expr.cast(pl.Int32).alias("day"),
            date.given.alias(f"{_GIVEN}day"),
            *(value.expr.alias(name) for name, value in values.items()),
            *(value.given.alias(f"{_GIVEN}{name}") for name, value in values.items()),
        )
        problems = [
            (cell.label, "is not a finite number", pl.col(f"{_GIVEN}{name}") & pl.col(name).is_null())
            for name, cell in self.values
        ]
        problems += [
            (self.date.label, "is not a date", pl.col(f"{_GIVEN}day") & pl.col("day").is_null()),
            (self.date.label, "is empty, so the point has no day", pl.col("day").is_null()),
            (
                ", ".join(cell.label for _, cell in self.values),
                "has no value to send",
                pl.all_horizontal(pl.col(list(values)).is_null()),
            ),
        ]
        frame = read.with_columns(first_problem(problems).alias("problem")).select(
            pl.exclude(f"^{_GIVEN}.*$")
        )
        return split(frame, problems, self.target, targets, addressed_by={"target": "external id"})

    def _value(self, name: str, cell: Cell, schema: pl.Schema) -> Found:
        if self.aggregates.get(name) in COUNTING:
            return Found(text(cell, schema), pl.lit(False))
        return number(cell, schema)

    def points(self, ready: pl.DataFrame, model: str) -> pl.DataFrame:
        """The points of ready rows: ROW, dimension, model (Planhat's name of it), target, day, value; a row's
        points stand together, in the order of the rows."""
        names = [name for name, _ in self.values]
        long = ready.with_row_index("at").unpivot(
            names, index=["at", ROW, "target", "day"], variable_name="dimension"
        )
        kept = long.drop_nulls("value")
        ordered = kept.sort("at", maintain_order=True) if len(names) > 1 else kept
        return ordered.select(ROW, "dimension", pl.lit(model).alias("model"), "target", "day", "value")
