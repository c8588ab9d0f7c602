"""The views behind SHOW TABLES and INFORMATION_SCHEMA, with true times, retention, change tracking and precisions."""

from __future__ import annotations

from sqlglot import Expr, exp

from planhat_pipelines.sandbox.snowflake.registry import FACTS

SHOW_TABLES = f"""
CREATE OR REPLACE VIEW _fs_global._fs_information_schema._known_show_tables AS
SELECT shown.* REPLACE (
    coalesce(facts.created, created_on) AS created_on,
    coalesce(sizes.estimated_size, 0)::BIGINT AS rows,
    coalesce(facts.retention_days, 1)::VARCHAR AS retention_time,
    CASE WHEN facts.tracked_since IS NULL THEN 'OFF' ELSE 'ON' END AS change_tracking)
FROM _fs_global._fs_information_schema._fs_show_tables shown
LEFT JOIN {FACTS} facts ON facts.database_name = shown.database_name
    AND facts.schema_name = shown.schema_name AND facts.table_name = shown.name
LEFT JOIN duckdb_tables() sizes ON sizes.database_name = shown.database_name
    AND sizes.schema_name = shown.schema_name AND sizes.table_name = shown.name
"""


SHOW_VIEWS = f"""
CREATE OR REPLACE VIEW _fs_global._fs_information_schema._known_show_views AS
SELECT shown.* REPLACE (
    coalesce(facts.created, created_on) AS created_on,
    CASE WHEN facts.tracked_since IS NULL THEN 'OFF' ELSE 'ON' END AS change_tracking)
FROM _fs_global._fs_information_schema._fs_show_views shown
LEFT JOIN {FACTS} facts ON facts.database_name = shown.database_name
    AND facts.schema_name = shown.schema_name AND facts.table_name = shown.name
"""


def information_schema_tables(database: str) -> str:
    """The statement that makes a database's own view."""
    return f"""
CREATE OR REPLACE VIEW {database}._fs_information_schema._known_tables AS
SELECT tables.* REPLACE (
    coalesce(facts.created, tables."CREATED") AS "CREATED",
    coalesce(greatest(facts.altered, facts.changed), tables."LAST_ALTERED") AS "LAST_ALTERED",
    coalesce(facts.altered, tables."LAST_DDL") AS "LAST_DDL",
    coalesce(facts.retention_days, 1) AS "RETENTION_TIME")
FROM {database}._fs_information_schema._fs_tables tables
LEFT JOIN {FACTS} facts ON facts.database_name = tables."TABLE_CATALOG"
    AND facts.schema_name = tables."TABLE_SCHEMA" AND facts.table_name = tables."TABLE_NAME"
UNION ALL BY NAME
SELECT database_name AS "TABLE_CATALOG", schema_name AS "TABLE_SCHEMA", view_name AS "TABLE_NAME",
    'SYSADMIN' AS "TABLE_OWNER", 'VIEW' AS "TABLE_TYPE", 'NO' AS "IS_INSERTABLE_INTO"
FROM duckdb_views()
WHERE database_name = '{database}' AND schema_name NOT IN ('main', '_fs_information_schema')
"""


def information_schema_columns(database: str) -> str:
    """The statement that makes a database's own view."""
    return f"""
CREATE OR REPLACE VIEW {database}._fs_information_schema._known_columns AS
SELECT columns.*,
    CASE WHEN starts_with("DATA_TYPE", 'TIMESTAMP') OR "DATA_TYPE" = 'TIME' THEN 9 END AS "DATETIME_PRECISION"
FROM {database}._fs_information_schema._fs_columns columns
"""


INSTEAD = {
    "_FS_SHOW_TABLES": "_known_show_tables",
    "_FS_SHOW_VIEWS": "_known_show_views",
    "_FS_TABLES": "_known_tables",
    "_FS_COLUMNS": "_known_columns",
}


def redirected(node: Expr) -> Expr:
    """One of fakesnow's views as the view here that knows more."""
    if isinstance(node, exp.Table) and (name := INSTEAD.get(node.name.upper())):
        node.set("this", exp.to_identifier(name))
    return node
