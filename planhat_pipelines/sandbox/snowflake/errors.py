"""DuckDB's errors as Snowflake's: code, SQL state and text of the error a real account gives for the same mistake.

Codes and states: Snowflake's error texts as the connector shows them. What has no counterpart becomes 000002
(unsupported feature), never an HTTP 500, since the connector would send the statement again.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import duckdb
from snowflake.connector import errors
from snowflake.connector.errors import ProgrammingError
from sqlglot.errors import SqlglotError


class SnowflakeError(ProgrammingError):
    """An error that is worded here already."""


class Rule(NamedTuple):
    """If `pattern` is found in DuckDB's text, this is Snowflake's error; `{0}` is the pattern's first group."""

    pattern: str
    errno: int
    sqlstate: str
    text: str


COMPILATION = "SQL compilation error:\n"
RULES = [
    Rule(
        r"(?:Table|View) with name \"?([^\"\n]+?)\"? does not exist",
        2003,
        "42S02",
        COMPILATION + "Object '{0}' does not exist or not authorized.",
    ),
    Rule(
        r"Schema with name \"?([^\"\n]+?)\"? does not exist",
        2003,
        "02000",
        COMPILATION + "Schema '{0}' does not exist or not authorized.",
    ),
    Rule(
        r"Catalog \"([^\"\n]+)\" does not exist",
        2003,
        "02000",
        COMPILATION + "Database '{0}' does not exist or not authorized.",
    ),
    Rule(
        r"with name \"?([^\"\n]+?)\"? already exists",
        2002,
        "42710",
        COMPILATION + "Object '{0}' already exists.",
    ),
    Rule(
        r"(?:Scalar|Aggregate|Table|Window)?\s*Function with name \"?([^\"\n]+?)\"? does not exist",
        2140,
        "42601",
        COMPILATION + "Unknown function {0}.",
    ),
    Rule(
        r"Referenced (?:update )?(?:column|table) \"?([^\"\n]+?)\"? not found",
        904,
        "42000",
        COMPILATION + "error line 1 at position 0\ninvalid identifier '{0}'",
    ),
    Rule(
        r"does not have a column (?:named|with name) \"([^\"\n]+)\"",
        904,
        "42000",
        COMPILATION + "error line 1 at position 0\ninvalid identifier '{0}'",
    ),
    Rule(
        r"Column with name \"?([^\"\n ]+?)\"? (?:does not exist|not found)",
        904,
        "42000",
        COMPILATION + "error line 1 at position 0\ninvalid identifier '{0}'",
    ),
    Rule(
        r"has (\d+) columns but \d+ values were supplied",
        2020,
        "21S01",
        COMPILATION + "Insert value list does not match column list expecting {0} columns",
    ),
    Rule(r"Duplicate struct entry name|Duplicate named argument", 100103, "22000", "Duplicate field key"),
    Rule(r"NOT NULL constraint failed: (\S+)", 100072, "22000", "NULL result in a non-nullable column {0}"),
    Rule(
        r"Could not convert string '(.*?)' to (?:U?INT|HUGEINT|DECIMAL|DOUBLE|FLOAT)",
        100038,
        "22018",
        "Numeric value '{0}' is not recognized",
    ),
    Rule(
        r"Could not convert string \"(.*?)\" to (?:DECIMAL|U?INT|DOUBLE)",
        100038,
        "22018",
        "Numeric value '{0}' is not recognized",
    ),
    Rule(
        r"Could not convert string '(.*?)' to BOOL", 100037, "22018", "Boolean value '{0}' is not recognized"
    ),
    Rule(r"invalid date field format: \"(.*?)\"", 100040, "22007", "Date '{0}' is not recognized"),
    Rule(r"invalid timestamp field format: \"(.*?)\"", 100035, "22007", "Timestamp '{0}' is not recognized"),
    Rule(r"Unknown TimeZone '(.*?)'", 100035, "22007", "Timestamp time zone '{0}' is not recognized"),
    Rule(
        r"Session variable '(.*?)' does not exist",
        2211,
        "02000",
        COMPILATION + "Session variable '{0}' does not exist",
    ),
    Rule(
        r"No catalog \+ schema named",
        2043,
        "02000",
        COMPILATION + "Object does not exist, or operation cannot be performed.",
    ),
    Rule(r"^INTERRUPT", 604, "57014", "SQL execution canceled"),
    Rule(r"Malformed JSON", 100069, "22P02", "Error parsing JSON"),
    Rule(r"division by zero", 100051, "22012", "Division by zero"),
    Rule(
        r"[Cc]onflict",
        625,
        "57014",
        "Statement was aborted: another transaction holds the lock on the same rows. Roll back and try again.",
    ),
    Rule(
        r"transaction is aborted",
        625,
        "57014",
        "The transaction was aborted by an earlier error. Roll it back before the next statement.",
    ),
]
BY_TYPE: list[tuple[type[duckdb.Error], int, str]] = [
    (duckdb.ParserException, 1003, "42000"),
    (duckdb.ConversionException, 100038, "22018"),
    (duckdb.OutOfRangeException, 100039, "22003"),
    (duckdb.ConstraintException, 100072, "22000"),
    (duckdb.CatalogException, 2003, "42S02"),
    (duckdb.BinderException, 1044, "42P13"),
    (duckdb.TransactionException, 625, "57014"),
    (duckdb.ConnectionException, 2012, "08003"),
]


def as_snowflake_error(error: BaseException) -> errors.Error:
    """The Snowflake error for whatever a statement raised."""
    cause = error.__cause__
    if isinstance(error, SnowflakeError):
        return error
    if isinstance(error, duckdb.Error):
        return _from_duckdb(error)
    if isinstance(cause, duckdb.Error):
        return _from_duckdb(cause)
    if isinstance(error, errors.Error):
        return error if error.errno not in (None, -1) else _by_rule(str(error.msg)) or error
    if isinstance(error, SqlglotError):
        return problem(1003, "42000", COMPILATION + _first_lines(str(error)))
    return problem(2, "0A000", f"Unsupported feature: {type(error).__name__}: {_first_lines(str(error))}")


def problem(errno: int, sqlstate: str, text: str) -> ProgrammingError:
    """A Snowflake error with this code, state and text."""
    return SnowflakeError(msg=text, errno=errno, sqlstate=sqlstate)


def missing_object(name: str) -> ProgrammingError:
    """The error for what is not there or not allowed; Snowflake does not tell which."""
    return problem(2003, "42S02", f"{COMPILATION}Object '{name}' does not exist or not authorized.")


def is_conflict(error: BaseException) -> bool:
    """Whether a statement lost against another transaction, so that running it again may succeed."""
    cause = error if isinstance(error, duckdb.Error) else error.__cause__
    return isinstance(cause, duckdb.TransactionException) and "onflict" in str(cause)


def _from_duckdb(error: duckdb.Error) -> ProgrammingError:
    text = str(error)
    if ruled := _by_rule(text):
        return ruled
    for kind, errno, sqlstate in BY_TYPE:
        if isinstance(error, kind):
            return problem(errno, sqlstate, _first_lines(text))
    return problem(2, "0A000", f"Unsupported feature: {_first_lines(text)}")


def _by_rule(text: str) -> ProgrammingError | None:
    for rule in RULES:
        if found := re.search(rule.pattern, text):
            return problem(rule.errno, rule.sqlstate, rule.text.format(*found.groups()))
    return None


def _first_lines(text: str) -> str:
    plain = text.replace("\x1b[4m", "").replace("\x1b[0m", "")
    return plain.split("\n\nLINE", 1)[0][:500]
