"""MERGE as DuckDB takes it on a table with triggers: candidates first, then one statement per WHEN.

DuckDB has a MERGE of its own but refuses it on tables with triggers. Each source row is joined with the target once;
the first WHEN that fits decides. A target row that several source rows would change, unless all delete it, is
Snowflake's error 100090, as which of them wins would be chance.
"""

from __future__ import annotations

from typing import cast

import sqlglot
from fakesnow.transforms.merge import operations
from sqlglot import Expr, exp

CANDIDATES = "_merge_candidates"
ROW, CLAUSE = "_MERGE_ROW", "_MERGE_CLAUSE"


def split(merge: exp.Merge) -> list[Expr]:
    """The statements of a MERGE in their order: candidates, deletes, updates and inserts, counts."""
    whens = _whens(merge)
    changes = [_change(merge, position, when) for position, when in enumerate(whens)]
    return [_candidates(merge, whens), *changes, _counts(merge)]


def ambiguous_rows(merge: exp.Merge) -> str | None:
    """The query that finds a target row changed by several source rows; None when no WHEN updates."""
    updating = [
        str(position)
        for position, when in enumerate(_whens(merge))
        if isinstance(when.args["then"], exp.Update)
    ]
    if not updating:
        return None
    return (
        f"SELECT {ROW} FROM {CANDIDATES} WHERE {ROW} IS NOT NULL GROUP BY {ROW} "
        f"HAVING count(*) > 1 AND bool_or({CLAUSE} IN ({', '.join(updating)})) LIMIT 1"
    )


def _whens(merge: exp.Merge) -> list[exp.When]:
    whens = merge.args["whens"]
    return cast("list[exp.When]", list(whens.expressions if isinstance(whens, Expr) else whens))


def _candidates(merge: exp.Merge, whens: list[exp.When]) -> Expr:
    target, source = _target(merge), merge.args["using"]
    row = f"{_sql(exp.to_identifier(target.alias_or_name, quoted=_quoted(target)))}.rowid"
    cases: list[str] = []
    for position, when in enumerate(whens):
        condition = when.args.get("condition")
        matched = f"{row} IS {'NOT ' if when.args.get('matched') else ''}NULL"
        cases.append(f"WHEN {matched}{f' AND ({_sql(condition)})' if condition else ''} THEN {position}")
    return _parsed(
        f"CREATE OR REPLACE TEMPORARY TABLE {CANDIDATES} AS SELECT * FROM ("
        f"SELECT {_source_name(source)}.*, {row} AS {ROW}, CASE {' '.join(cases)} END AS {CLAUSE} "
        f"FROM {_sql(source)} LEFT JOIN {_sql(target)} ON {_sql(merge.args['on'])}) WHERE {CLAUSE} IS NOT NULL"
    )


def _change(merge: exp.Merge, position: int, when: exp.When) -> Expr:
    target, then = _target(merge), when.args["then"]
    name = _sql(exp.to_identifier(target.alias_or_name, quoted=_quoted(target)))
    chosen = f"{CANDIDATES} AS {_source_name(merge.args['using'])}"
    mine = f"{_source_name(merge.args['using'])}.{CLAUSE} = {position}"
    same_row = f"{name}.rowid = {_source_name(merge.args['using'])}.{ROW} AND {mine}"
    if isinstance(then, exp.Update):
        sets = ", ".join(f"{_sql(pair.this.this)} = {_sql(pair.expression)}" for pair in then.expressions)
        return _parsed(f"UPDATE {_sql(target)} SET {sets} FROM {chosen} WHERE {same_row}")
    if isinstance(then, exp.Insert):
        columns = f"({', '.join(_sql(column.this) for column in then.this.expressions)})" if then.this else ""
        values = ", ".join(_sql(value) for value in then.expression.expressions)
        table = target.copy()
        table.set("alias", None)
        return _parsed(f"INSERT INTO {_sql(table)} {columns} SELECT {values} FROM {chosen} WHERE {mine}")
    return _parsed(f"DELETE FROM {_sql(target)} USING {chosen} WHERE {same_row}")


def _counts(merge: exp.Merge) -> Expr:
    counts = ", ".join(
        f'coalesce(count_if({CLAUSE} IN ({", ".join(map(str, clauses))})), 0) AS "number of rows {operation}"'
        for operation, clauses in operations(merge).items()
        if clauses
    )
    statement = _parsed(f"SELECT {counts} FROM {CANDIDATES}")
    statement.set("merge_counts", True)
    return statement


def _target(merge: exp.Merge) -> exp.Table:
    return cast(exp.Table, merge.this)


def _source_name(source: Expr) -> str:
    alias = source.args.get("alias")
    return _sql(alias.this if alias else source.this)


def _quoted(table: exp.Table) -> bool:
    alias = table.args.get("alias")
    return bool((alias.this if alias else table.this).args.get("quoted"))


def _sql(node: Expr) -> str:
    return node.sql(dialect="snowflake")


def _parsed(sql: str) -> Expr:
    return sqlglot.parse_one(sql, read="snowflake")
