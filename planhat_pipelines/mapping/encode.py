"""Frames to JSON bodies. The frame library writes the text; rows never become Python objects."""

from __future__ import annotations

import json
from collections.abc import Sequence

import polars as pl

from planhat_pipelines.mapping.values import Value


def metric_body(points: pl.DataFrame) -> bytes:
    """Points as Planhat takes them: dimensionId, value, externalId, model, date (Planhat, metrics).

    `points` has dimension, model, target, day (days since 1970-01-01), value.
    """
    fields = (
        pl.col("dimension").alias("dimensionId"),
        pl.col("value"),
        pl.col("target").alias("externalId"),
        pl.col("model"),
        pl.col("day").cast(pl.Date).alias("date"),
    )
    # The same text as DataFrame.write_json, for less CPU.
    return array(points.select(pl.struct(fields).struct.json_encode()).to_series())


def member(key: str, value: pl.Expr) -> pl.Expr:
    """`"key":value` as JSON text, null where the value is null."""
    alone = pl.struct(value.alias(key)).struct.json_encode()
    return pl.when(value.is_not_null()).then(alone.str.head(-1).str.tail(-1))


def record_texts(
    frame: pl.DataFrame, top: Sequence[tuple[str, Value, bool]], custom: Sequence[tuple[str, Value, bool]]
) -> pl.Series:
    """One JSON object a row, as `body`: the members of `top`, and those of `custom` one level down.

    A member is a name, a value and whether a null is written (and so clears the field) or left out.
    """
    if custom and _at_once(custom):
        inner = pl.struct(value.expr.alias(name) for name, value, _ in custom)
        top, custom = [*top, ("custom", Value(inner, pl.lit(False)), True)], ()
    if _at_once(top) and not custom:
        whole = pl.struct(value.expr.alias(name) for name, value, _ in top)
        return frame.select(whole.struct.json_encode().alias("body")).to_series()
    parts = _members(top)
    if custom:
        parts += [pl.concat_str(pl.lit('"custom":{'), _joined(_members(custom)), pl.lit("}"))]
    return frame.select(pl.concat_str(pl.lit("{"), _joined(parts), pl.lit("}")).alias("body")).to_series()


def only_where(chosen: pl.Expr, value: Value) -> Value:
    """The value as JSON text in the chosen rows, where a null clears the field, and nothing at all in the others."""
    alone = value.expr
    if not value.is_json:
        alone = pl.struct(alone.alias("")).struct.json_encode().str.slice(len('{"":')).str.head(-1)
    return Value(pl.when(chosen).then(alone.fill_null("null")), value.bad, is_json=True)


def _at_once(fields: Sequence[tuple[str, Value, bool]]) -> bool:
    """Whether every member is there in every row and written by the frame library."""
    return all(clear and not value.is_json for _, value, clear in fields)


def _members(fields: Sequence[tuple[str, Value, bool]]) -> list[pl.Expr]:
    """The JSON members, each without the comma. All that can be written at once is."""
    plain = [value.expr.alias(name) for name, value, clear in fields if clear and not value.is_json]
    parts = [pl.struct(plain).struct.json_encode().str.head(-1).str.tail(-1)] if plain else []
    for name, value, clear in fields:
        if not value.is_json and not clear:
            parts.append(member(name, value.expr))
        elif value.is_json:
            label = json.dumps(name, ensure_ascii=False) + ":"
            parts.append(pl.concat_str(pl.lit(label), value.expr.fill_null("null") if clear else value.expr))
    return parts


def _joined(parts: Sequence[pl.Expr]) -> pl.Expr:
    return pl.concat_str(parts, separator=",", ignore_nulls=True)


def objects(frame: pl.DataFrame, members: list[pl.Expr]) -> pl.Series:
    """One JSON object a row, made of those members that are not null."""
    inside = pl.concat_str(members, separator=",", ignore_nulls=True)
    return frame.select(pl.concat_str(pl.lit("{"), inside, pl.lit("}")).alias("json")).to_series()


def array(items: pl.Series) -> bytes:
    """A JSON array of ready JSON texts."""
    return b"[%b]" % items.str.join(",").cast(pl.Binary).item()


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
