"""Usage rows to user activities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from planhat_pipelines.mapping.columns import ROW, Cell, Found, instant, number, raw, text
from planhat_pipelines.mapping.targets import Mapped, TargetCell, first_problem, split


@dataclass(frozen=True, slots=True)
class ActivitiesMapping:
    """Compiled form of a sync's `activities:`; `action` is a cell or the same text for every row."""

    enduser: TargetCell
    action: Cell | str
    date: Cell
    timezone: str
    weight: Cell | None
    info: Mapping[str, Cell]

    def apply(self, rows: pl.DataFrame, targets: pl.DataFrame) -> Mapped:
        """`rows` from the source; `targets` as `known_targets` gives it for end users. `ready` has ROW,
        `target` (external id, may be null), `_id`, `companyId`, `action`, `date`, `weight`, `info`."""
        schema = rows.schema
        happened = instant(self.date, schema, self.timezone)
        weight = (
            number(self.weight, schema) if self.weight else Found(pl.lit(None, pl.Float64), pl.lit(False))
        )
        details = [raw(cell, schema)[0].alias(name) for name, cell in self.info.items()]
        read = rows.select(
            ROW,
            text(self.enduser.cell, schema).alias("key"),
            (pl.lit(self.action) if isinstance(self.action, str) else text(self.action, schema)).alias(
                "action"
            ),
            happened.expr.dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").alias("date"),
            happened.given.alias("dated"),
            weight.expr.alias("weight"),
            weight.given.alias("weighed"),
            (pl.struct(details) if details else pl.lit(None)).alias("info"),
        )
        problems = [
            (self.date.label, "is not a date and time", pl.col("dated") & pl.col("date").is_null()),
            (self.date.label, "is empty, so the activity has no time", pl.col("date").is_null()),
        ]
        if isinstance(self.action, Cell):
            empty = "is empty, so Planhat would not show the activity"
            problems.append((self.action.label, empty, pl.col("action").is_null()))
        if self.weight is not None:
            none = pl.col("weighed") & pl.col("weight").is_null()
            problems.append((self.weight.label, "is not a finite number", none))
        frame = read.with_columns(first_problem(problems).alias("problem")).drop("dated", "weighed")
        return split(
            frame,
            problems,
            self.enduser,
            targets,
            addressed_by={"target": "external id", "email": "e-mail address"},
        )
