"""Definition statements (CREATE, ALTER, DROP), with the registry and the change tracking kept in step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import Expr, exp

from planhat_pipelines.sandbox.snowflake.account import Account
from planhat_pipelines.sandbox.snowflake.connection import Connection
from planhat_pipelines.sandbox.snowflake.errors import missing_object
from planhat_pipelines.sandbox.snowflake.names import TableName, folded, table_name
from planhat_pipelines.sandbox.snowflake.registry import Facts
from planhat_pipelines.sandbox.snowflake.tracking import HIDDEN_SCHEMA

Execute = Callable[[Expr], None]
DEFAULT_RETENTION_DAYS = 1


def is_definition(expression: Expr) -> bool:
    """Whether Snowflake commits the open transaction before this statement."""
    if isinstance(expression, exp.Alter):
        return expression.args.get("kind") != "SESSION"
    return isinstance(expression, (exp.Create, exp.Drop))


def run(expression: Expr, connection: Connection, execute: Execute) -> None:
    """Run a definition statement by `execute` and follow it up."""
    account = connection.account
    if isinstance(expression, exp.Create) and expression.kind == "TABLE":
        _create_table(expression, connection, execute)
    elif isinstance(expression, exp.Alter) and expression.args.get("kind") == "TABLE":
        _alter_table(expression, connection, execute)
    elif isinstance(expression, (exp.Create, exp.Alter)) and expression.args.get("kind") == "VIEW":
        _define_view(expression, connection, execute)
    elif isinstance(expression, exp.Drop) and expression.kind == "DATABASE":
        _drop_database(expression, connection, execute)
    elif isinstance(expression, exp.Drop) and expression.kind in ("TABLE", "VIEW", "SCHEMA"):
        dropped = _dropped(expression, connection)
        execute(expression)
        for name in dropped:
            _forget(account, name)
    else:
        execute(expression)


def table_properties(expression: Expr) -> dict[str, Any]:
    """The table properties a statement sets, by upper-case name; None for those it unsets."""
    found: dict[str, Any] = {}
    for item in expression.find_all(exp.Property):
        value = item.args.get("value")
        if isinstance(item.this, (exp.Var, exp.Identifier)) and isinstance(value, Expr):
            found[item.name.upper()] = value.this
    for unset in expression.find_all(exp.Set):
        if unset.args.get("unset"):
            found |= {item.name.upper(): None for item in unset.expressions}
    return found


def _create_table(create: exp.Create, connection: Connection, execute: Execute) -> None:
    account = connection.account
    table = create.find(exp.Table)
    if table is None:
        return execute(create)
    name = table_name(table, connection.database, connection.schema)
    properties = table_properties(create)
    _drop_own_properties(create)
    if create.find(exp.TemporaryProperty):
        execute(create)
        connection.temporary_tables[name.table] = name
        return None
    known = account.registry.get(name)
    execute(create)
    if known and create.args.get("exists"):
        return None
    if known:
        _forget(account, name)
    now = account.clock.now()
    account.registry.put(name, Facts(created=now, altered=now, changed=now))
    _set_properties(account, name, properties)
    return None


def _alter_table(alter: exp.Alter, connection: Connection, execute: Execute) -> None:
    account = connection.account
    name = table_name(alter.this, connection.database, connection.schema)
    known = account.registry.get(name)
    if properties := table_properties(alter):
        if known is None and not alter.args.get("exists"):
            raise missing_object(str(name))
        if known:
            _set_properties(account, name, properties)
        return execute(exp.select("'Statement executed successfully.' AS status"))
    if known and known.history:
        account.tracker.lift(name)
    new_name = _new_name(alter, name)
    try:
        execute(alter)
        if new_name:
            account.registry.rename(name, new_name)
            name = new_name
        elif known and known.history:
            execute(_on_history(alter, name, known.history))
    finally:
        account.tracker.set_back(name)
    account.registry.change(name, altered=account.clock.now())
    return None


def _drop_own_properties(definition: Expr) -> None:
    """What is kept here means nothing to DuckDB."""
    for item in list(definition.find_all(exp.Property)):
        if isinstance(item.this, (exp.Var, exp.Identifier)):
            item.pop()


def _define_view(definition: exp.Create | exp.Alter, connection: Connection, execute: Execute) -> None:
    account = connection.account
    table = definition.find(exp.Table)
    name = table_name(table, connection.database, connection.schema) if table else None
    properties = table_properties(definition)
    _drop_own_properties(definition)
    if isinstance(definition, exp.Create):
        execute(definition)
        if name and not definition.args.get("exists"):
            account.registry.forget(name)
    elif properties:
        execute(exp.select("'Statement executed successfully.' AS status"))
    else:
        execute(definition)
    if name and "CHANGE_TRACKING" in properties:
        account.tracker.track_view(name, bool(properties["CHANGE_TRACKING"]))


def _set_properties(account: Account, name: TableName, properties: dict[str, Any]) -> None:
    if "DATA_RETENTION_TIME_IN_DAYS" in properties:
        days = properties["DATA_RETENTION_TIME_IN_DAYS"]
        account.registry.change(name, retention_days=DEFAULT_RETENTION_DAYS if days is None else int(days))
    if "CHANGE_TRACKING" in properties:
        switch = account.tracker.switch_on if properties["CHANGE_TRACKING"] else account.tracker.switch_off
        switch(name)


def _new_name(alter: exp.Alter, name: TableName) -> TableName | None:
    """The table's name after a RENAME. DuckDB takes it unqualified only."""
    rename = alter.find(exp.AlterRename)
    if rename is None:
        return None
    new = table_name(rename.this, name.database, name.schema)
    rename.set("this", exp.Table(this=rename.this.this))
    return new


def _on_history(alter: exp.Alter, name: TableName, history: str) -> exp.Alter:
    same = alter.copy()
    same.set("this", exp.table_(history, db=HIDDEN_SCHEMA, catalog=name.database, quoted=True))
    return same


def _drop_database(drop: exp.Drop, connection: Connection, execute: Execute) -> None:
    account = connection.account
    database = folded(drop.args["tables"][0].this)
    if account.has_database(database):
        for name in account.registry.within(database):
            account.registry.forget(name)
        if connection.database == database:
            connection.use_none()
        account.drop_database(database)
    elif not drop.args.get("exists"):
        raise missing_object(database)
    execute(exp.select(f"'{database} successfully dropped.' AS status"))


def _dropped(drop: exp.Drop, connection: Connection) -> list[TableName]:
    """The permanent tables a DROP of a table or schema takes away."""
    registry = connection.account.registry
    gone: list[TableName] = []
    tables: list[Any] = drop.args.get("tables") or []
    for table in tables:
        if drop.kind == "SCHEMA":
            catalog = table.args.get("catalog")
            gone += registry.within(
                folded(catalog) if catalog else connection.database or "", folded(table.args["db"])
            )
        else:
            name = table_name(table, connection.database, connection.schema)
            if connection.temporary_tables.pop(name.table, None) is None:
                gone.append(name)
    return gone


def _forget(account: Account, name: TableName) -> None:
    facts = account.registry.get(name)
    account.registry.forget(name)
    if facts and facts.history and account.has_database(name.database):
        account.tracker.drop_history(name, facts.history)
