"""Views over one table, seen through that table's history.

Snowflake tracks more kinds of views (inner joins, UNION ALL). Here a view may pick and compute columns of one table
and filter its rows; any other is refused with a text that says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp

from planhat_pipelines.sandbox.snowflake.errors import problem
from planhat_pipelines.sandbox.snowflake.names import TableName, quoted, table_name

NOT_SIMPLE = ("joins", "group", "distinct", "having", "qualify", "limit", "offset", "with_", "laterals")


@dataclass(frozen=True, slots=True)
class View:
    """A view's base table, its query and the names of its columns."""

    base: TableName
    query: exp.Select
    columns: list[str]

    def over(self, rows: str, base_columns: list[str]) -> str:
        """The view's query over a query on the base table's history, which also gives each row's identity."""
        query = self.query.copy()
        table = query.args["from_"].this
        source = sqlglot.parse_one(f"SELECT * FROM ({rows}) AS {quoted(table.alias_or_name)}", read="duckdb")
        table.replace(source.args["from_"].this)
        projections: list[exp.Expr] = []
        for projection in query.expressions:
            star = isinstance(projection, exp.Star)
            projections += [exp.column(name, quoted=True) for name in base_columns] if star else [projection]
        query.set("expressions", [exp.column("_ct_row"), *projections])
        listed = ", ".join(map(quoted, self.columns))
        digest = f"md5(row({listed})::VARCHAR) AS _ct_digest"
        named = ", ".join(["_ct_row", *map(quoted, self.columns)])
        return f"SELECT _ct_row, {digest}, {listed} FROM ({query.sql(dialect='duckdb')}) AS seen({named})"


def find_view(duck: Any, name: TableName) -> View | None:
    """The view of this name, or None when there is none.

    Raises:
        ProgrammingError: there is one, but it does more than select from and filter one table.
    """
    sql = "SELECT sql FROM duckdb_views() WHERE database_name = ? AND schema_name = ? AND view_name = ?"
    row = duck.execute(sql, list(name)).fetchone()
    if row is None:
        return None
    create = sqlglot.parse_one(row[0], read="duckdb")
    query = create.args.get("expression")
    if not isinstance(query, exp.Select) or not _is_simple(query):
        raise problem(
            2, "0A000", f"Unsupported feature: change tracking on view '{name}', which is not a simple one."
        )
    table: exp.Table = query.args["from_"].this
    columns = [described[0] for described in duck.execute(f"DESCRIBE {name.sql}").fetchall()]
    return View(table_name(table, name.database, name.schema), query, columns)


def _is_simple(query: exp.Select) -> bool:
    source = query.args.get("from_")
    if (
        source is None
        or not isinstance(source.this, exp.Table)
        or any(query.args.get(part) for part in NOT_SIMPLE)
    ):
        return False
    return query.find(exp.AggFunc, exp.Subquery, exp.Window) is None
