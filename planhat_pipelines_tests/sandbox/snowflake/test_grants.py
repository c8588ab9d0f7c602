"""What is revoked from a role fails as on an account, and Snowflake explains what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from snowflake.connector.errors import Error

NEEDS = {
    "SELECT * FROM {t}": "SELECT",
    "INSERT INTO {t} SELECT 1": "INSERT",
    "UPDATE {t} SET K = 2": "UPDATE",
    "DELETE FROM {t}": "DELETE",
    "MERGE INTO {t} AS t USING (SELECT 1 AS K) AS s ON t.K = s.K WHEN MATCHED THEN UPDATE SET K = 1": "UPDATE",
    "MERGE INTO {t} AS t USING (SELECT 1 AS K) AS s ON t.K = s.K WHEN NOT MATCHED THEN INSERT (K) VALUES (1)": "INSERT",
}


@pytest.fixture
def table(session: Any, database: str) -> Iterator[str]:
    name = f'{database}.PUBLIC."the table"'
    session.cursor().execute(f"CREATE OR REPLACE TABLE {name} (K INT)")
    yield name
    session.cursor().execute(f"GRANT ALL ON TABLE {name} TO ROLE LOADER_ROLE")


def explained(session: Any, statement: str) -> Any:
    escaped = statement.replace("'", "''")
    call = f"CALL EXPLAIN_PRIVILEGES(statement => '{escaped}', missing_only => TRUE)"
    return json.loads(session.cursor().execute(call).fetchone()[0])


@pytest.mark.parametrize(("statement", "privilege"), NEEDS.items())
def test_a_revoked_privilege_is_missed_and_explained_until_it_is_granted(
    session: Any, database: str, table: str, statement: str, privilege: str
) -> None:
    sql = statement.replace("{t}", table)
    assert explained(session, sql) == {"authorized": True}
    session.cursor().execute(f"REVOKE {privilege} ON TABLE {table} FROM ROLE LOADER_ROLE")
    session.cursor().execute(f"REVOKE ALL ON TABLE {table} FROM ROLE SOMEBODY_ELSE")
    missing = {"privilege": privilege, "objectType": "TABLE", "objectName": f"{database}.PUBLIC.the table"}
    assert explained(session, sql) == {"allOf": [missing]}
    with pytest.raises(Error) as caught:
        session.cursor().execute(sql)
    assert (caught.value.errno, caught.value.sqlstate) == (3001, "42501")
    session.cursor().execute(f"GRANT {privilege} ON TABLE {table} TO ROLE LOADER_ROLE")
    session.cursor().execute(sql)


def test_explaining_runs_nothing(session: Any, table: str) -> None:
    explained(session, f"INSERT INTO {table} SELECT 1")
    assert session.cursor().execute(f"SELECT COUNT(*) FROM {table}").fetchall() == [(0,)]
