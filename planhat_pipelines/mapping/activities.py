"""Usage rows to user activities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from planhat_pipelines.mapping.columns import ROW, Cell, instant, number, raw, text
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
        happened, no_date = instant(self.date, schema, self.timezone)
        action = pl.lit(self.action) if isinstance(self.action, str) else text(self.action, schema)
        problems = [
            (self.date.label, "is not a date and time", no_date),
            (self.date.label, "is empty, so the activity has no time", happened.is_null()),
        ]
        if isinstance(self.action, Cell):
            problems.append(
                (self.action.label, "is empty, so Planhat would not show the activity", action.is_null())
            )
        weight = pl.lit(None, pl.Float64)
        if self.weight is not None:
            weight, no_weight = number(self.weight, schema)
            problems.append((self.weight.label, "is not a finite number", no_weight))
        details = [raw(cell, schema)[0].alias(name) for name, cell in self.info.items()]
        frame = rows.select(
            ROW,
            text(self.enduser.cell, schema).alias("key"),
            action.alias("action"),
            happened.dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").alias("date"),
            weight.alias("weight"),
            (pl.struct(details) if details else pl.lit(None)).alias("info"),
            first_problem(problems).alias("problem"),
        )
        return split(
            frame,
            problems,
            self.enduser,
            targets,
            addressed_by={"target": "external id", "email": "e-mail address"},
        )
