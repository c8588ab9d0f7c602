"""Bound parameters: from the wire to Python values, and into a statement in place of its question marks."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import sqlglot
from fakesnow.converter import from_binding
from sqlglot import TokenType

from planhat_pipelines.sandbox.snowflake.errors import problem

MARKS = {TokenType.PLACEHOLDER, TokenType.QDCOLON}
"""A question mark by itself or before a cast, which sqlglot reads as one token `?::`."""


def bound_rows(bindings: dict[str, Any]) -> list[Any]:
    """The parameter sets of a request: none, one, or one per row of an array binding."""
    if not bindings:
        return [None]
    if not all(key.isdigit() for key in bindings):
        return [{name: _value(binding) for name, binding in bindings.items()}]
    columns = [bindings[str(position)] for position in range(1, len(bindings) + 1)]
    if not any(isinstance(column["value"], list) for column in columns):
        return [[_value(column) for column in columns]]
    return list(zip(*(_values(column) for column in columns), strict=True))


def with_literals(sql: str, values: list[Any]) -> str:
    """The statement with each question mark replaced by its value as a literal."""
    marks = [token.start for token in sqlglot.tokenize(sql, read="snowflake") if token.token_type in MARKS]
    if len(marks) != len(values):
        raise problem(
            2049, "42601", f"{len(marks)} bind variables in the statement, {len(values)} values given"
        )
    pieces: list[str] = []
    at = 0
    for mark, value in zip(marks, values, strict=True):
        pieces += [sql[at:mark], literal(value)]
        at = mark + 1
    return "".join([*pieces, sql[at:]])


def literal(value: Any) -> str:
    """A Python value as a literal of Snowflake's."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float, Decimal)):
        return str(value)
    if isinstance(value, datetime):
        kind = "TIMESTAMP_TZ" if value.tzinfo else "TIMESTAMP_NTZ"
        return f"'{value.isoformat(sep=' ')}'::{kind}"
    if isinstance(value, (date, time)):
        return f"'{value.isoformat()}'::{'DATE' if isinstance(value, date) else 'TIME'}"
    if isinstance(value, (bytes, bytearray)):
        return f"X'{value.hex()}'"
    text = str(value).replace("\\", "\\\\").replace("'", "''")
    return f"'{text}'"


def _values(column: dict[str, Any]) -> list[Any]:
    return [_value({**column, "value": item}) for item in column["value"]]


def _value(binding: dict[str, Any]) -> Any:
    if binding["value"] is None:
        return None
    if binding["type"] == "FIXED":
        return Decimal(binding["value"]) if "." in binding["value"] else int(binding["value"])
    if binding["type"] == "REAL":
        return float(binding["value"])
    return from_binding(binding)
