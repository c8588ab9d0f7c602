"""The row log holds each run, batch and rejection once, catches up, and never stands in the way of a sync."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlglot
from sqlfluff.core import FluffConfig, Linter

from planhat_pipelines.engine.rowlog import bring, log_rows
from planhat_pipelines.ledger import NewRejection
from planhat_pipelines.snowflake.rowlog import RowLog
from planhat_pipelines_tests.e2e.place import DATABASE, Place
from planhat_pipelines_tests.records.test_statements import Session

SCHEMA = "SYNC_LOG"
NAMES = ("RUNS", "BATCHES", "REJECTIONS")


@pytest.fixture
def log(place: Place) -> Iterator[RowLog]:
    place.sql(f"CREATE SCHEMA IF NOT EXISTS {DATABASE}.{SCHEMA}")
    place.sql(f"USE SCHEMA {DATABASE}.PUBLIC")  # which the CREATE has left
    yield RowLog(place.session, DATABASE, SCHEMA)
    for name in NAMES:
        place.sql(f"DROP TABLE IF EXISTS {DATABASE}.{SCHEMA}.PLANHAT_{name}")


def held(place: Place, name: str, columns: str) -> list[tuple[Any, ...]]:
    return place.sql(f"SELECT {columns} FROM {DATABASE}.{SCHEMA}.PLANHAT_{name} ORDER BY {columns}")


def test_it_catches_up_and_the_same_again_doubles_nothing(place: Place, log: RowLog) -> None:
    place.companies("c-1")
    place.seats([(1, "c-1", "2026-01-01", 5), (2, "c-1", None, 6)])
    place.run()
    place.add([(3, "c-1", "2026-01-03", 7), (4, "nobody", "2026-01-03", 7)])
    place.run()
    for _ in range(2):
        bring(log, place.ledger, "seats")
        counts = "STATE, ROWS_READ, SUBMITTED, REFUSED, PARKED, ERROR"
        assert held(place, "RUNS", counts) == [("done", 2, 1, 0, 1, None), ("done", 2, 1, 1, 0, None)]
        assert (
            held(place, "BATCHES", "SYNC, STATE, PURPOSE, ITEMS, SUBMITTED")
            == [("seats", "settled", "metrics", 1, 1)] * 2
        )
        assert held(place, "REJECTIONS", "ROW_KEY, STAGE, FIELD, TIMES, IS_OPEN") == [
            ("2", "map", "DAY", 1, True)
        ]
    ((began, logged),) = place.sql(f"SELECT MAX(STARTED_AT), MAX(RUN) FROM {DATABASE}.{SCHEMA}.PLANHAT_RUNS")
    latest = place.ledger.runs("seats")[0]
    assert abs((began - latest.started_at.replace(tzinfo=None)).total_seconds()) < 0.001
    assert logged == latest.id


def test_a_run_that_was_at_work_is_corrected_later_and_rejections_are_closed(
    place: Place, log: RowLog
) -> None:
    with place.ledger.claim("seats", "one") as claim:
        claim.reject(
            [NewRejection("1", "map", "is no number", "SEATS"), NewRejection("2", "map", "is empty")]
        )
        claim.reject([NewRejection("ann@example.com", "planhat", "is taken", "email", "ann@example.com")])
        bring(log, place.ledger, "seats")
        assert held(place, "RUNS", "STATE, ENDED_AT") == [("running", None)]
        claim.resolve(["1"])
    with place.ledger.claim("others", "one") as claim:
        claim.reject([NewRejection("1", "map", "is empty")])
    for sync in ("others", "seats"):
        bring(log, place.ledger, sync)
    assert held(place, "RUNS", "SYNC, STATE, ERROR") == [
        ("others", "failed", "ended without a result"),
        ("seats", "failed", "ended without a result"),
    ]
    found = held(place, "REJECTIONS", "SYNC, ROW_KEY, RECORD_KEY, IS_OPEN")
    assert [(sync, is_open) for sync, _, _, is_open in found] == [
        ("others", True),
        ("seats", False),
        ("seats", True),
        ("seats", True),
    ]
    assert "ann" not in repr(found)
    with place.ledger.claim("seats", "two") as claim:
        claim.resolve(["2", "ann@example.com"])
    bring(log, place.ledger, "seats")
    assert not any(open_ for (open_,) in held(place, "REJECTIONS", "IS_OPEN")[:-1])


def test_it_is_off_by_default_and_what_is_wrong_with_it_is_only_warned_of(place: Place, log: RowLog) -> None:
    said: list[str] = []
    log_rows(place.environment, place.ledger, "seats", said.append)
    assert said == []
    for setting, reason in (("NOWHERE.AT_ALL.X", "DATABASE.SCHEMA"), (f"{DATABASE}.NOT_THERE", "NOT_THERE")):
        log_rows({**place.environment, "PLANHAT_ROW_LOG": setting}, place.ledger, "seats", said.append)
        assert "was not written; the next run brings what is missing" in said[-1]
        assert reason in said[-1]
    log_rows(
        {**place.environment, "PLANHAT_ROW_LOG": f"{DATABASE}.{SCHEMA}"}, place.ledger, "seats", said.append
    )
    assert len(said) == 2
    assert held(place, "RUNS", "RUN") == []


def test_its_statements_parse_in_two_grammars_of_snowflake(place: Place, log: RowLog) -> None:
    session: Any = Session(place.session)
    with place.ledger.claim("seats", "one") as claim:
        claim.reject([NewRejection("1", "map", "is no number", "SEATS")])
        bring(RowLog(session, DATABASE, SCHEMA), place.ledger, "seats")
        claim.resolve(["1"])
    bring(RowLog(session, DATABASE, SCHEMA), place.ledger, "seats")
    linter = Linter(config=FluffConfig(overrides={"dialect": "snowflake"}))
    said = {each.split("PLANHAT_STAGE_")[0]: each for each in session.said if not each.startswith("PUT")}
    assert {each.split()[0] for each in said} >= {"CREATE", "MERGE", "SELECT", "UPDATE"}
    for statement in said.values():
        assert len(sqlglot.parse(statement, dialect="snowflake")) == 1, statement
        parsed = linter.parse_string(statement)
        assert parsed.violations == [], (statement, parsed.violations)
        assert parsed.tree is not None
        assert "unparsable" not in parsed.tree.type_set(), statement
