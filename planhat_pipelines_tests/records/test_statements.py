"""Every statement that syncs send to Snowflake is one that Snowflake's grammar takes, by two parsers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlglot
from sqlfluff.core import FluffConfig, Linter

from planhat_pipelines.engine.syncs.usage import usage_sync
from planhat_pipelines.mapping.addresses import hidden
from planhat_pipelines.snowflake.look import keys, signed_in
from planhat_pipelines.snowflake.tables import Table
from planhat_pipelines.spec.base import table_parts
from planhat_pipelines_tests.records.crm import Crm


class Cursor:
    """A cursor that writes down what goes over the wire, with its values in place."""

    def __init__(self, cursor: Any, said: list[str]) -> None:
        self._cursor, self._said = cursor, said

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_: object) -> None:
        self._cursor.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, sql: str, values: Any = None, **more: Any) -> Any:
        filled = sql % self._cursor.connection._process_params_pyformat(values) if values else sql
        self._said.append(filled)
        return self._cursor.execute(sql, values, **more)


class Session:
    """A session whose cursors write down what they say."""

    def __init__(self, session: Any) -> None:
        self._session, self.said = session, list[str]()

    def cursor(self, *kind: Any) -> Cursor:
        return Cursor(self._session.cursor(*kind), self.said)


@pytest.fixture
def statements(crm: Crm) -> list[str]:
    """All statements of runs of every kind of window, each shape once."""
    session = Session(crm.place.session)
    by_address = crm.spec(
        model="enduser",
        key={"column": "ID", "field": "email"},
        company={"column": "NAME"},
        fields=[{"column": "NAME", "field": "firstName"}],
    )
    odd = crm.spec(fields=[{"column": "NAME", "field": "name"}, {"column": 'odd "%" name', "field": "city"}])

    def table() -> None:
        crm.sql(
            'CREATE OR REPLACE TABLE {table} (ID VARCHAR, NAME VARCHAR, "odd ""%"" name" VARCHAR, '
            "AT TIMESTAMP_NTZ) CHANGE_TRACKING = TRUE"
        )
        crm.sql("INSERT INTO {table} SELECT 'it''s\\\\ me', 'A', 'B', '2026-01-01'::TIMESTAMP_NTZ")

    table()
    crm.run(odd, session=session)
    crm.sql("INSERT INTO {table} SELECT 'b', 'B', NULL, '2026-01-02'::TIMESTAMP_NTZ")
    crm.run(odd, session=session)
    table()
    crm.run(odd, session=session)
    later = crm.spec(name="later", changes="updated_at", updated_at="AT")
    later = later.model_copy(update={"fields": odd.fields})
    crm.run(later, session=session)
    crm.sql("INSERT INTO {table} SELECT 'c', 'C', NULL, '2026-01-03'::TIMESTAMP_NTZ")
    crm.run(later, session=session)
    with crm.place.client() as planhat:
        source: Any = crm.sync(odd, planhat, session=session).source
        assert [frame.height for frame in source.rows(["b", "c"])] == [1]
        assert [frame.height for frame in source.rows([])] == [0]
        crm.sql("INSERT INTO {table} SELECT NULL, 'N', NULL, NULL")
        source = crm.sync(by_address, planhat, session=session).source
        assert sum(frame.height for frame in source.next(None).pieces()) == 3
        assert [frame.height for frame in source.rows([hidden("c")])] == [1]
        usage(crm, session, lambda spec: usage_sync(spec, session, planhat, crm.ledger, 0.0))  # type: ignore[arg-type]
    where = Table(*table_parts(crm.table))
    columns = where.columns(session)  # type: ignore[arg-type]
    keys(session, where, columns["ROW_ID"])  # type: ignore[arg-type]
    signed_in(session)  # type: ignore[arg-type]
    shapes = {re.sub(r"'(?:[^'\\]|\\.|'')*'|\d+", "?", said): said for said in session.said}
    assert len(shapes) > 15
    return list(shapes.values())


def usage(crm: Crm, session: Any, sync: Callable[[Any], Any]) -> None:
    crm.place.companies("c-1")
    crm.place.seats([(1, "c-1", "2026-01-01", 5), (2, "new", "2026-01-01", 5)])
    sync(crm.place.spec()).run("usage 1")
    crm.place.add([(4, "c-1", "2026-01-02", 6)])
    crm.place.companies("new")
    sync(crm.place.spec()).run("usage 2")
    crm.place.add([(3, "c-1", "2026-01-03", 6)])
    sync(crm.place.spec()).run("usage 3")


def test_every_statement_parses_in_two_grammars_of_snowflake(statements: list[str]) -> None:
    linter = Linter(config=FluffConfig(overrides={"dialect": "snowflake"}))
    for statement in statements:
        assert len(sqlglot.parse(statement, dialect="snowflake")) == 1, statement
        parsed = linter.parse_string(statement)
        assert parsed.violations == [], (statement, parsed.violations)
        assert parsed.tree is not None
        assert "unparsable" not in parsed.tree.type_set(), statement
    said = "\n".join(statements)
    for needed in (" CHANGES(", " AT(TIMESTAMP", " END(TIMESTAMP", "DATEADD", "HAVING", "LAST_CHANGE_COMMIT"):
        assert needed in said


def test_the_second_grammar_would_notice_nonsense() -> None:
    linter = Linter(config=FluffConfig(overrides={"dialect": "snowflake"}))
    wrong = "SELECT * FROM a.b.c CHANGES(INFORMATION => NONSENSE) AT(TIMESTAMP => '2026'::TIMESTAMP_TZ)"
    assert linter.parse_string(wrong).violations
