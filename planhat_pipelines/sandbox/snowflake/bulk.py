"""Inserts of many rows as one: their values go to DuckDB as a table, not through the parser row by row.

The connector sends executemany as one INSERT with very many tuples (pyformat) or as arrays of bound values (qmark).
Both become INSERT ... SELECT from a registered table of texts, which DuckDB casts to the columns' types.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow
import sqlglot
from sqlglot import TokenType

from planhat_pipelines.sandbox.snowflake.bindings import MARKS

ROWS = "_bulk_rows"
LONG = 4_000
"""Statements shorter than this many characters are left to the parser."""

pa: Any = pyarrow
HEAD = re.compile(r"\s*INSERT\s+INTO\s+[\w.$\"\s]+(?:\([^()']*\))?\s*VALUES\s*(?=\()", re.IGNORECASE)
VALUE = re.compile(
    r"\s*(?:'((?:[^'\\]|''|\\.)*)'|([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)|(NULL)|(TRUE|FALSE))\s*([,)])",
    re.IGNORECASE | re.DOTALL,
)
NEXT = re.compile(r"\s*(,\s*(?=\()|;?\s*\Z)")
ESCAPED = re.compile(r"''|\\(.)", re.DOTALL)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0"}


class Bulk(NamedTuple):
    """The statement to run and the table it reads under the name ROWS."""

    sql: str
    rows: Any


def from_literals(sql: str) -> Bulk | None:
    """A long INSERT whose values are all literals; None for any other statement."""
    head = HEAD.match(sql) if len(sql) > LONG else None
    if head is None:
        return None
    rows: list[list[str | None]] = []
    at = head.end()
    while at < len(sql):
        row: list[str | None] = []
        at += 1
        closed = False
        while not closed:
            found = VALUE.match(sql, at)
            if found is None:
                return None
            row.append(_text(found))
            closed, at = found[5] == ")", found.end()
        rows.append(row)
        after = NEXT.match(sql, at)
        if after is None or len(row) != len(rows[0]):
            return None
        at = after.end()
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    listed = ", ".join(_name(position) for position in range(len(columns)))
    return Bulk(f"{_without_values(sql, head)} SELECT {listed} FROM {ROWS}", _table(columns))


def from_bindings(sql: str, rows: list[Any]) -> Bulk | None:
    """An INSERT of one tuple, or of a SELECT without FROM, with a list of parameter sets; None for any other."""
    marks = [token.start for token in sqlglot.tokenize(sql, read="snowflake") if token.token_type in MARKS]
    pieces, at = list[str](), 0
    for position, mark in enumerate(marks):
        pieces += [sql[at:mark], f"{ROWS}.{_name(position)}"]
        at = mark + 1
    text = "".join([*pieces, sql[at:]]).rstrip().rstrip(";")
    head = HEAD.match(text)
    if head and _is_one_tuple(text, head.end()):
        text = f"{_without_values(text, head)} SELECT {text[head.end() + 1 : -1]}"
    elif head or not re.match(r"\s*INSERT\s+INTO\b.*\bSELECT\b", text, re.IGNORECASE | re.DOTALL):
        return None
    if re.search(r"\bFROM\b", text, re.IGNORECASE):
        return None
    return Bulk(f"{text} FROM {ROWS}", _table([_column(values) for values in zip(*rows, strict=True)]))


def _is_one_tuple(text: str, start: int) -> bool:
    """Whether the parenthesis that opens at `start` is closed by the last character, and not before."""
    depth = 0
    for token in sqlglot.tokenize(text[start:], read="snowflake"):
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(token.token_type, 0)
        if depth == 0:
            return start + token.end == len(text) - 1
    return False


def _without_values(sql: str, head: re.Match[str]) -> str:
    return re.sub(r"VALUES\s*\Z", "", sql[: head.end()], flags=re.IGNORECASE)


def _table(columns: list[Any]) -> Any:
    return pa.Table.from_arrays(columns, names=[_name(position) for position in range(len(columns))])


def _name(position: int) -> str:
    return f"C{position}"


def _text(found: re.Match[str]) -> str | None:
    string, number, null, boolean, _ = found.groups()
    if null:
        return None
    if string is None:
        return number or boolean
    return ESCAPED.sub(_unescaped, string) if "'" in string or "\\" in string else string


def _unescaped(found: re.Match[str]) -> str:
    return "'" if found[1] is None else ESCAPES.get(found[1], found[1])


def _column(values: tuple[Any, ...]) -> Any:
    if any(isinstance(value, (bytes, bytearray)) for value in values):
        return pa.array(values, pa.binary())
    return pa.array([_as_text(value) for value in values], pa.string())


def _as_text(value: Any) -> str | None:
    if value is None:
        return None
    return value.isoformat(sep=" ") if isinstance(value, datetime) else str(value)
