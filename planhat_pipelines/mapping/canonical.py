"""Values of both sides in one form, so that they can be compared and written back.

Snowflake and Planhat write the same value differently: 10.50 and 10.5, a day and a midnight, NULL and "". A text in
canonical form stands for the value; two texts are equal when the narrower side cannot tell them apart, as a NUMBER
with two decimals that gives 10.57 has not changed a 10.567.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from planhat_pipelines.mapping.columns import day_of, instant_of
from planhat_pipelines.mapping.fingerprint import text_fingerprints
from planhat_pipelines.mapping.values import FALSE, TRUE, Value, ValueType, rewritten

Holds = Literal["text", "number", "boolean", "day", "time", "json"]
"""What a Snowflake column can hold."""

_NOTHING = "\0"
_NUMBERS = {
    "NUMBER",
    "DECIMAL",
    "NUMERIC",
    "FIXED",
    "INT",
    "INTEGER",
    "BIGINT",
    "SMALLINT",
    "TINYINT",
    "BYTEINT",
}
_FLOATS = {"FLOAT", "FLOAT4", "FLOAT8", "DOUBLE", "DOUBLE PRECISION", "REAL"}


def holds(column_type: str) -> Holds:
    """What a column of this type (INFORMATION_SCHEMA's name of it) holds."""
    if column_type in _NUMBERS | _FLOATS:
        return "number"
    if column_type.startswith("TIMESTAMP") or column_type == "DATETIME":
        return "time"
    named: dict[str, Holds] = {"BOOLEAN": "boolean", "DATE": "day"}
    named |= {"VARIANT": "json", "OBJECT": "json", "ARRAY": "json"}
    return named.get(column_type, "text")


@dataclass(frozen=True, slots=True)
class Form:
    """A field that is compared: its type in Planhat, and what its column holds. `scale`: decimals of the column, None
    where it has no limit. `timezone`: of days and times that carry none."""

    kind: ValueType
    holds: Holds
    scale: int | None = None
    timezone: str = "UTC"

    def of_value(self, value: Value) -> pl.Expr:
        """What the mapping made of a cell, as canonical text."""
        return self._canonical(value.expr.cast(pl.String))

    def of_planhat(self, text: pl.Expr) -> pl.Expr:
        """Planhat's value, which comes as text, as canonical text."""
        if self.kind in ("list", "json"):
            text = text.map_batches(lambda cells: rewritten(cells, self.kind), return_dtype=pl.String)
        return self._canonical(text)

    def _canonical(self, text: pl.Expr) -> pl.Expr:
        given = pl.when(text != "").then(text)
        match self.kind:
            case "day":
                return pl.coalesce(self._day(given, "UTC"), given)
            case "day_number":
                return pl.coalesce(given.cast(pl.Int32, strict=False).cast(pl.Date).cast(pl.String), given)
            case "date":
                return pl.coalesce(self._instant(given, "UTC"), given)
            case "boolean":
                return pl.coalesce(_boolean(given), given)
            case "list":
                return pl.when(given != "[]").then(given)
            case _:
                return given

    def comparable(self, canonical: pl.Expr) -> pl.Expr:
        """What is the same for all texts that the narrower side cannot tell apart."""
        if self.holds == "day" and self.kind != "day_number":
            return pl.coalesce(self._day(canonical, self.timezone), canonical)
        if self.holds == "boolean":
            return pl.coalesce(_boolean(canonical), canonical)
        if self.kind in ("number", "integer"):
            number = canonical.cast(pl.Float64, strict=False)
            number = number if self.scale is None else number.round(self.scale)
            return pl.coalesce((number + 0.0).cast(pl.String), canonical)  # -0.0 and 0.0 are one number
        if self.kind == "text" and self.holds == "json":  # Snowflake writes JSON as it likes
            return pl.coalesce(canonical.map_batches(_as_json, return_dtype=pl.String), canonical)
        if self.kind == "text" and self.holds == "number":
            return pl.coalesce(_plain(self._rounded(canonical)), canonical)
        if self.kind == "text" and self.holds == "time":
            return pl.coalesce(self._instant(canonical, self.timezone), canonical)
        return canonical

    def written(self, canonical: pl.Expr) -> pl.Expr:
        """The text that becomes the column's value."""
        if self.kind == "day_number" and self.holds == "number":
            days = canonical.str.to_date("%Y-%m-%d", strict=False).cast(pl.Int32)
            return pl.coalesce(days.cast(pl.String), canonical)
        if self.kind == "boolean" and self.holds == "number":
            return canonical.replace(["true", "false"], ["1", "0"])
        if self.holds == "day" and self.kind == "date":
            return pl.coalesce(self._day(canonical, self.timezone), canonical)
        return canonical

    def _rounded(self, text: pl.Expr) -> pl.Expr:
        """A number with no more decimals than the column has, to the last digit where there are no more of them."""
        number = text.cast(pl.Float64, strict=False)
        if self.scale is None:
            return number.cast(pl.String)
        fits = text.str.contains(rf"^-?[0-9]+(\.[0-9]{{1,{self.scale}}}0*)?$" if self.scale else "^-?[0-9]+$")
        return pl.when(fits).then(text).otherwise(number.round(self.scale).cast(pl.String))

    def _instant(self, text: pl.Expr, timezone: str) -> pl.Expr:
        found, _ = instant_of(text, pl.String(), timezone, "")
        return found.dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")

    def _day(self, text: pl.Expr, timezone: str) -> pl.Expr:
        found, _ = day_of(text, pl.String(), timezone, "")
        return found.cast(pl.String)


def fingerprints(comparable: pl.Series) -> pl.Series:
    """What the ledger keeps of a value: 64 bits, also of no value."""
    return text_fingerprints(comparable.fill_null(_NOTHING))


def _plain(number: pl.Expr) -> pl.Expr:
    """A number without zeros that say nothing."""
    short = (
        number.str.replace(r"^(-?)0+([0-9])", "$1$2")
        .str.replace(r"(\.[0-9]*?)0+$", "$1")
        .str.replace(r"\.$", "")
    )
    return short.replace("-0", "0")


def _as_json(cells: pl.Series) -> pl.Series:
    return rewritten(cells, "json")


def _boolean(text: pl.Expr) -> pl.Expr:
    folded = text.str.strip_chars().str.to_lowercase()
    return pl.when(folded.is_in(TRUE)).then(pl.lit("true")).when(folded.is_in(FALSE)).then(pl.lit("false"))
