"""Statements and functions of Snowflake's that fakesnow does not take, made into ones it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakesnow.transforms import SUCCESS_NOP
from sqlglot import Expr, exp

from planhat_pipelines.sandbox.snowflake import grants, policies
from planhat_pipelines.sandbox.snowflake.connection import Connection
from planhat_pipelines.sandbox.snowflake.errors import missing_object, problem
from planhat_pipelines.sandbox.snowflake.names import folded, quoted, table_name

OWN_PARAMETERS = {"AUTOCOMMIT", "QUOTED_IDENTIFIERS_IGNORE_CASE"}
"""Session parameters fakesnow acts upon; all others are kept as text and have no effect."""

KEY_CONSTRAINTS = (exp.PrimaryKeyColumnConstraint, exp.UniqueColumnConstraint, exp.Reference)
TABLE_KEYS = (exp.PrimaryKey, exp.ForeignKey, exp.UniqueColumnConstraint)


def prepared(expression: Expr, connection: Connection) -> Expr:
    """The statement with Snowflake's session functions answered and what fakesnow refuses taken care of."""
    if _is_start_transaction(expression):
        return exp.Transaction()
    if policies.change(expression, connection):
        return SUCCESS_NOP.copy()
    if isinstance(expression, exp.Use) and _use_role_or_warehouse(expression, connection):
        return SUCCESS_NOP.copy()
    if isinstance(expression, exp.Alter):
        if expression.args.get("kind") == "SESSION" and _alter_session(expression, connection):
            return SUCCESS_NOP.copy()
        if _adds_only_keys(expression):
            return SUCCESS_NOP.copy()
    if isinstance(expression, (exp.Grant, exp.Revoke)):
        grants.change(expression, connection)
        return SUCCESS_NOP.copy()
    if isinstance(expression, exp.Command) and (answer := grants.explained(expression, connection)):
        return answer
    if isinstance(expression, (exp.Put, exp.Copy)):
        _plain_stage(expression, connection)
    if isinstance(expression, exp.Create):
        drop_keys(expression)
    if isinstance(expression, exp.Show):
        _check_scope(expression, connection)
    return policies.answered(expression, connection).transform(_answered, connection)


def drop_keys(create: exp.Create) -> None:
    """Take primary, unique and foreign keys out of a CREATE TABLE: Snowflake does not enforce them, DuckDB does.

    Of a primary key NOT NULL stays, which Snowflake does enforce.
    """
    schema = create.this
    if not isinstance(schema, exp.Schema):
        return
    primary: set[str] = set()
    kept: list[Expr] = []
    for item in schema.expressions:
        if _is_table_key(item):
            primary |= {
                folded(name) for key in item.find_all(exp.PrimaryKey) for name in key.find_all(exp.Identifier)
            }
        else:
            kept.append(item)
    schema.set("expressions", kept)
    for column in kept:
        if isinstance(column, exp.ColumnDef):
            _drop_column_keys(column, folded(column.this) in primary)


def unqualify(expression: Expr, connection: Connection) -> None:
    """Name temporary tables without their schema, which is how DuckDB knows them."""
    creates = isinstance(expression, exp.Create) and expression.find(exp.TemporaryProperty)
    new = expression.find(exp.Table) if creates else None
    for table in expression.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier) or not table.args.get("db"):
            continue
        name = table_name(table, connection.database, connection.schema)
        if table is new or connection.temporary_tables.get(name.table) == name:
            table.set("db", None)
            table.set("catalog", None)


def mend_metadata(expression: Expr) -> None:
    """Keep fakesnow from noting a temporary table's comment and lengths, and from names that end its literals.

    It would write them to another database, and DuckDB allows one written database in a transaction.
    """
    lengths = expression.args.get("text_lengths")
    if isinstance(expression, exp.Create) and expression.find(exp.TemporaryProperty):
        expression.args.pop("table_comment", None)
        expression.args.pop("text_lengths", None)
    elif lengths:
        expression.args["text_lengths"] = [(name.replace("'", "''"), length) for name, length in lengths]


def _plain_stage(expression: exp.Put | exp.Copy, connection: Connection) -> None:
    """Name a stage without the quotes around it, and that of a temporary table where DuckDB has the table."""
    here = f"@{quoted(connection.database or '')}.{quoted(connection.schema or '')}"
    for stage in list(expression.find_all(exp.Var, exp.Literal)):
        name = stage.name.strip("'")
        owner = name.rpartition(".%")[2]
        if name.startswith("@"):
            stage.replace(exp.Var(this=f"{here}.%{owner}" if owner in connection.temporary_tables else name))


def _is_start_transaction(expression: Expr) -> bool:
    return (
        isinstance(expression, exp.Alias)
        and expression.alias.upper() == "TRANSACTION"
        and expression.this.name.upper() == "START"
    )


def _use_role_or_warehouse(use: exp.Use, connection: Connection) -> bool:
    kind = str(use.args.get("kind") or "").upper()
    name = use.this.this if isinstance(use.this, exp.Table) else None
    if not isinstance(name, exp.Identifier) or kind not in {"ROLE", "WAREHOUSE"}:
        return False
    setattr(connection, kind.lower(), folded(name))
    return True


def _check_scope(show: exp.Show, connection: Connection) -> None:
    """SHOW ... IN a database or schema that does not exist is an error, not an empty list."""
    scope, kind = show.args.get("scope"), show.args.get("scope_kind")
    if not isinstance(scope, exp.Table) or kind not in ("DATABASE", "SCHEMA"):
        return
    account = connection.account
    if kind == "DATABASE":
        found = account.has_database(folded(scope.this))
    else:
        name = table_name(scope, None, connection.database)
        found = account.has_schema(name.schema, name.table)
    if not found:
        raise problem(
            2043, "02000", "SQL compilation error:\nObject does not exist, or operation cannot be performed."
        )


def _alter_session(alter: exp.Alter, connection: Connection) -> bool:
    """Keep the parameters set or forget those unset; leave fakesnow its own ones."""
    items: dict[str, Any] = {}
    for item in alter.find_all(exp.SetItem):
        pair = item.this
        value = pair.expression if isinstance(pair, exp.EQ) else None
        items[(pair.this if value is not None else pair).name.upper()] = value and value.name
    if OWN_PARAMETERS & items.keys():
        return False
    for name, value in items.items():
        if value is None:
            connection.parameters.pop(name, None)
        else:
            connection.parameters[name] = value
    return True


def _adds_only_keys(alter: exp.Alter) -> bool:
    actions: list[Any] = alter.args.get("actions") or []
    return bool(actions) and all(
        isinstance(action, exp.AddConstraint) and all(_is_table_key(item) for item in action.expressions)
        for action in actions
    )


def _is_table_key(item: Expr) -> bool:
    return isinstance(item, TABLE_KEYS) or (
        isinstance(item, exp.Constraint) and any(isinstance(part, TABLE_KEYS) for part in item.expressions)
    )


def _drop_column_keys(column: exp.ColumnDef, primary: bool) -> None:
    constraints: list[Expr] = column.args.get("constraints") or []
    kinds = [constraint.args.get("kind") for constraint in constraints]
    primary = primary or any(isinstance(kind, exp.PrimaryKeyColumnConstraint) for kind in kinds)
    kept = [
        item for item, kind in zip(constraints, kinds, strict=True) if not isinstance(kind, KEY_CONSTRAINTS)
    ]
    if primary and not any(isinstance(kind, exp.NotNullColumnConstraint) for kind in kinds):
        kept.append(exp.ColumnConstraint(kind=exp.NotNullColumnConstraint()))
    column.set("constraints", kept)


def _answered(node: Expr, connection: Connection) -> Expr:
    """A session function as the literal it answers."""
    if isinstance(node, exp.Anonymous) and node.name.upper() == "SYSTEM$LAST_CHANGE_COMMIT_TIME":
        return exp.Literal.number(_last_change(node, connection))
    answer = ANSWERS.get(type(node)) or (isinstance(node, exp.Anonymous) and NAMED.get(node.name.upper()))
    if not answer:
        return node
    value = answer(connection)
    return exp.Null() if value is None else exp.Literal.string(str(value))


def _last_change(call: exp.Anonymous, connection: Connection) -> int:
    """A number that grows with each commit that changes the table named by the only argument."""
    argument = call.expressions[0].name if call.expressions else ""
    table = exp.to_table(argument, dialect="snowflake")
    name = table_name(table, connection.database, connection.schema)
    view = connection.account.tracker.view(name)
    facts = connection.account.registry.get(view.base if view else name)
    if facts is None:
        raise missing_object(str(name))
    return int(facts.changed.timestamp() * 1_000_000) * 1000


ANSWERS: dict[type[Expr], Callable[[Connection], Any]] = {
    exp.CurrentUser: lambda connection: connection.user,
    exp.CurrentRole: lambda connection: connection.role,
    exp.CurrentWarehouse: lambda connection: connection.warehouse,
    exp.CurrentDatabase: lambda connection: connection.database,
    exp.CurrentSchema: lambda connection: connection.schema,
    exp.CurrentSession: lambda connection: connection.session_id,
    exp.CurrentAccount: lambda _: "LOCAL",
    exp.CurrentRegion: lambda _: "LOCAL",
}
NAMED: dict[str, Callable[[Connection], Any]] = {
    "LAST_QUERY_ID": lambda connection: connection.last_query_id,
}
