"""Match rows to the Planhat records they are about, and part them into ready, refused and parked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from planhat_pipelines.mapping.addresses import private
from planhat_pipelines.mapping.columns import ROW, Cell

TARGET_KEYS = {"planhat": "_id", "external": "externalId", "source": "sourceId", "email": "email"}


@dataclass(frozen=True, slots=True)
class Mapped:
    """What became of a frame of source rows. Every row is in exactly one of the four.

    ready: ROW and what the destination needs, in the order of the source.
    refused: ROW, `key` (the id the row names, as it is), `field`, `reason`.
    parked: ROW, `target` (the id that Planhat does not know yet, see `private`), and `key` (as private) where ROW
    is a place.
    unchanged: how many rows say what Planhat was told before.
    recovered: how many rows an earlier run had answered already.
    """

    ready: pl.DataFrame
    refused: pl.DataFrame
    parked: pl.DataFrame
    unchanged: int = 0
    recovered: int = 0

    @classmethod
    def refusing(cls, refused: pl.DataFrame) -> Mapped:
        """Rows that are refused, and nothing else."""
        return cls(_nothing(ROW), refused, _nothing(ROW, "target"))


@dataclass(frozen=True, slots=True)
class TargetCell:
    """The column that says which record a row is about, and which of Planhat's ids it holds."""

    cell: Cell
    model: str
    id_kind: str


def known_targets(records: pl.DataFrame, id_kind: str) -> pl.DataFrame:
    """What rows are matched against: `key` (the id that rows name), `target` (the external id, by which alone
    Planhat addresses metrics), `_id`, `companyId`, `email`, `again` (more than one record has the key, or the
    external id).

    `records` has `_id`, `externalId`, `sourceId`, `companyId` and `email`, all text.
    """
    key = pl.col(TARGET_KEYS[id_kind])
    shared = pl.col("externalId").is_not_null() & (pl.len().over("externalId") > 1)
    return (
        records.filter(key.is_not_null())
        .select(
            key.alias("key"),
            pl.col("externalId").alias("target"),
            "_id",
            "companyId",
            "email",
            (shared | (pl.len().over(key) > 1)).alias("again"),
        )
        .unique("key", keep="first", maintain_order=True)
    )


def known_among(keys: Sequence[str], targets: pl.DataFrame, id_kind: str) -> set[str]:
    """Which of these keys, as `private` gives them, `targets` (see `known_targets`) holds by now."""
    held = private(targets["key"], id_kind).alias("key").to_frame()
    return set(pl.Series("key", keys, dtype=pl.String).to_frame().join(held, on="key", how="semi")["key"])


def first_problem(problems: Sequence[tuple[str, str, pl.Expr]]) -> pl.Expr:
    """The place in `problems` (field, reason, whether a row has it) of the first one a row has, else null."""
    return pl.coalesce(
        *(pl.when(bad).then(pl.lit(at, pl.Int32)) for at, (_, _, bad) in enumerate(problems)),
        pl.lit(None, pl.Int32),
    )


def split(
    frame: pl.DataFrame,
    problems: Sequence[tuple[str, str, pl.Expr]],
    target: TargetCell,
    targets: pl.DataFrame,
    *,
    addressed_by: Mapping[str, str],
) -> Mapped:
    """Part rows into ready, refused and parked. `frame` has ROW, `key`, `problem` and the mapped columns;
    `addressed_by` names the ids, as people call them by their column in `targets`, of which Planhat needs one."""
    field, name = target.cell.label, target.model
    about_target = [
        (field, f"is empty, so the row names no {name}", pl.col("key").is_null()),
        (
            field,
            f"more than one {name} has this id, and Planhat cannot be told which is meant",
            pl.col("again").fill_null(False),
        ),
        (
            field,
            f"the {name} has no {' and no '.join(addressed_by.values())}, by which alone Planhat takes this",
            pl.col("_id").is_not_null() & pl.all_horizontal(pl.col(*addressed_by).is_null()),
        ),
    ]
    matched = frame.join(targets, on="key", how="left", maintain_order="left").with_columns(
        problem=pl.coalesce("problem", first_problem(about_target) + len(problems))
    )
    good = matched.filter(pl.col("problem").is_null())
    refused = matched.filter(pl.col("problem").is_not_null())
    parked = good.filter(pl.col("_id").is_null())
    return Mapped(
        ready=good.filter(pl.col("_id").is_not_null()).drop("problem", "key", "again"),
        refused=with_reasons(refused, [*problems, *about_target]),
        parked=parked.select(ROW, private(parked["key"], target.id_kind).alias("target")),
    )


def with_reasons(refused: pl.DataFrame, problems: Sequence[tuple[str, str, pl.Expr]]) -> pl.DataFrame:
    """ROW, `key`, `field` and `reason` of rows whose `problem` is a place in `problems`."""
    reasons = pl.DataFrame(
        [(at, field, reason) for at, (field, reason, _) in enumerate(problems)],
        schema={"problem": pl.Int32, "field": pl.String, "reason": pl.String},
        orient="row",
    )
    return refused.join(reasons, on="problem", how="left", maintain_order="left").select(
        ROW, "key", "field", "reason"
    )


def _nothing(*columns: str) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
