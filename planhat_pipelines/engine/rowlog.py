"""The row log: what the ledger knows of runs, batches and rejections, brought to tables of Snowflake."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from planhat_pipelines.engine.environment import NotConfigured, snowflake_account
from planhat_pipelines.ledger import Ledger, LedgerError
from planhat_pipelines.mapping.addresses import hidden
from planhat_pipelines.snowflake.errors import SnowflakeError
from planhat_pipelines.snowflake.rowlog import BATCHES, REJECTIONS, RUNS, LogTable, RowLog
from planhat_pipelines.spec.base import table_parts

VARIABLE = "PLANHAT_ROW_LOG"
_ROUNDED = timedelta(milliseconds=1)


def log_rows(environment: Mapping[str, str], ledger: Ledger, sync: str, warn: Callable[[str], None]) -> None:
    """Bring to the row log what it lacks of the sync, if the environment names one. What is wrong is only warned of, as
    the sync itself is done; the next run brings the rest."""
    place = environment.get(VARIABLE)
    if not place:
        return
    try:
        database, schema = _parts(place)
        with snowflake_account(environment).connection() as session:
            bring(RowLog(session, database, schema), ledger, sync)
    except (LedgerError, NotConfigured, SnowflakeError) as error:
        warn(f"{sync}: the row log in {place} was not written; the next run brings what is missing. {error}")


def bring(log: RowLog, ledger: Ledger, sync: str) -> None:
    """Make the tables where they are missing, and merge what is newer than the log's latest run of the sync. Doing it
    again changes nothing. No value of a customer is in it, as none is in the ledger."""
    log.create()
    last = log.last_start(sync)
    since = datetime.fromisoformat(last).replace(tzinfo=UTC) - _ROUNDED if last else None
    runs, batches = ledger.history(sync, since)
    rejections = [
        {
            "SYNC": each.sync,
            "ROW_KEY": _key(each.row),
            "FIRST_SEEN": each.first_seen,
            "RECORD_KEY": _key(each.key),
            "STAGE": each.stage,
            "FIELD": each.field,
            "REASON": each.reason,
            "RUN": each.run,
            "LAST_SEEN": each.last_seen,
            "TIMES": each.times,
            "IS_OPEN": "true",
        }
        for each in ledger.rejections(sync)
    ]
    log.merge_rejections(sync, _frame(REJECTIONS, rejections))
    log.merge(BATCHES, _frame(BATCHES, map(_of_ledger, batches)))
    log.merge(
        RUNS, _frame(RUNS, map(_of_ledger, runs))
    )  # last: by it the next call knows how far this one came


def _of_ledger(row: dict[str, Any]) -> dict[str, Any]:
    """A run or a batch with the names of the log, its counts apart."""
    names = {name.upper(): value for name, value in row.items()}
    key = "BATCH" if "purpose" in row else "RUN"
    counts = {name.upper(): count for name, count in row["counts"].items()}
    return {**counts, **names, key: row["id"], "ERROR": row.get("message") or None}


def _frame(table: LogTable, rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(
        [[_text(row.get(name)) for name in table.columns] for row in rows],
        schema=dict.fromkeys(table.columns, pl.String),
        orient="row",
    )


def _key(key: str | None) -> str | None:
    """A key, or where it is an e-mail address what stands for it."""
    return hidden(key) if key and "@" in key else key


def _text(value: Any) -> str | None:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"
    return None if value is None else str(value)


def _parts(place: str) -> tuple[str, str]:
    try:
        database, schema, _ = table_parts(f"{place}.T")
    except ValueError:
        raise NotConfigured(f"{VARIABLE} is {place!r}; write it as DATABASE.SCHEMA.") from None
    return database, schema
