"""Frames to JSON bodies. The frame library writes the text; rows never become Python objects."""

from __future__ import annotations

import polars as pl


def metric_body(points: pl.DataFrame) -> bytes:
    """Points as Planhat takes them: dimensionId, value, externalId, model, date (Planhat, metrics).

    `points` has dimension, model, target, day (days since 1970-01-01), value.
    """
    return (
        points.select(
            pl.col("dimension").alias("dimensionId"),
            "value",
            pl.col("target").alias("externalId"),
            "model",
            pl.col("day").cast(pl.Date).alias("date"),
        )
        .write_json()
        .encode()
    )


def member(key: str, value: pl.Expr) -> pl.Expr:
    """`"key":value` as JSON text, null where the value is null."""
    alone = pl.struct(value.alias(key)).struct.json_encode()
    return pl.when(value.is_not_null()).then(alone.str.head(-1).str.tail(-1))


def objects(frame: pl.DataFrame, members: list[pl.Expr]) -> pl.Series:
    """One JSON object a row, made of those members that are not null."""
    inside = pl.concat_str(members, separator=",", ignore_nulls=True)
    return frame.select(pl.concat_str(pl.lit("{"), inside, pl.lit("}")).alias("json")).to_series()


def array(items: pl.Series) -> bytes:
    """A JSON array of ready JSON texts."""
    return b"[" + (items.str.join(",").item() or "").encode() + b"]"


def activity_body(ready: pl.DataFrame) -> bytes:
    """Activities as Planhat takes them (Planhat developers, user activities): the end user by external id,
    else by e-mail, with the company that tells equal ids apart."""
    members = [
        member("externalId", pl.col("target")),
        member("email", pl.when(pl.col("target").is_null()).then(pl.col("email"))),
        member("companyId", pl.col("companyId")),
        member("action", pl.col("action")),
        member("date", pl.col("date")),
        member("weight", pl.col("weight")),
    ]
    if isinstance(ready.schema["info"], pl.Struct):
        details = [member(name, pl.col("info").struct.field(name)) for name in ready["info"].struct.fields]
        inside = pl.concat_str(details, separator=",", ignore_nulls=True)
        members.append(pl.concat_str(pl.lit('"info":{'), inside, pl.lit("}")))
    return array(objects(ready, members))
