"""What roles may do with tables: everything, until something is taken from a role with REVOKE.

An account starts from the other end, but a sandbox in which every table has to be granted first would be of little use.
Who may grant is not asked, roles inherit nothing from each other, and a restart gives everything back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

import sqlglot
from sqlglot import Expr, exp

from planhat_pipelines.sandbox.snowflake.connection import Connection
from planhat_pipelines.sandbox.snowflake.errors import problem
from planhat_pipelines.sandbox.snowflake.names import TableName, folded, table_name

ALL = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
CHANGES: dict[type[Expr], str] = {
    exp.Insert: "INSERT",
    exp.Update: "UPDATE",
    exp.Delete: "DELETE",
    exp.TruncateTable: "TRUNCATE",
    exp.Copy: "INSERT",
}
CALL = "EXPLAIN_PRIVILEGES"


class Privilege(NamedTuple):
    """What a statement needs on a table."""

    name: str
    table: TableName


def change(statement: exp.Grant | exp.Revoke, connection: Connection) -> None:
    """Give back or take away privileges on one table; grants on anything else mean nothing here."""
    table = statement.args.get("securable")
    if str(statement.args.get("kind") or "TABLE").upper() != "TABLE" or not isinstance(table, exp.Table):
        return
    name = table_name(table, connection.database, connection.schema)
    words = {str(item.this.name).upper() for item in statement.args["privileges"]}
    named = ALL if words & {"ALL", "ALL PRIVILEGES"} else words
    roles = {folded(item.this) for item in statement.args["principals"]}
    changed = {(role, Privilege(word, name)) for role in roles for word in named}
    revoked = connection.account.revoked
    if isinstance(statement, exp.Grant):
        revoked -= changed
    else:
        revoked |= changed


def check(statement: Expr, connection: Connection) -> None:
    """Raise Snowflake's error when the session's role lacks a privilege."""
    for missing in _missing(statement, connection):
        text = (
            f"SQL access control error:\nInsufficient privileges to operate on table '{missing.table.table}'."
        )
        raise problem(3001, "42501", text)


def explained(call: exp.Command, connection: Connection) -> Expr | None:
    """CALL EXPLAIN_PRIVILEGES(statement => ..., missing_only => TRUE) as a query for its answer, or None."""
    text = str(call.expression.name).strip() if call.expression else ""
    if not text.upper().startswith(CALL):
        return None
    function = sqlglot.parse_one(text, read="snowflake")
    given = {item.this.name.lower(): item.expression for item in function.find_all(exp.Kwarg)}
    statement = sqlglot.parse_one(given["statement"].name, read="snowflake")
    nodes = [
        {"privilege": name, "objectType": "TABLE", "objectName": str(table)}
        for name, table in _missing(statement, connection)
    ]
    answer = {"allOf": nodes} if nodes else {"authorized": True}
    return exp.select(exp.alias_(exp.Literal.string(json.dumps(answer)), CALL, quoted=True))


def _missing(statement: Expr, connection: Connection) -> Iterator[Privilege]:
    revoked = connection.account.revoked
    if revoked:
        needed = dict.fromkeys(_needed(statement, connection))
        yield from (each for each in needed if (connection.role or "", each) in revoked)


def _needed(statement: Expr, connection: Connection) -> Iterator[Privilege]:
    def name(table: exp.Table) -> TableName:
        return table_name(table, connection.database, connection.schema)

    target = statement.this.find(exp.Table) if isinstance(statement, (*CHANGES, exp.Merge)) else None
    for table in statement.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and (
            table is not target or isinstance(statement, exp.Merge)
        ):
            yield Privilege("SELECT", name(table))
    if target is None:
        return
    if isinstance(statement, exp.Merge):
        for when in statement.find_all(exp.When):
            then: Expr = when.args["then"]
            yield Privilege(CHANGES.get(type(then), "DELETE"), name(target))
    else:
        yield Privilege(CHANGES[type(statement)], name(target))
