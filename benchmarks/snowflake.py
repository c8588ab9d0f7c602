"""A table of the local Snowflake to acknowledged records, so with reading and with exact numbers as Decimal.

The connector fetches as from an account; what the local server itself takes is not counted.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.harness import Bench, Line, Place, Work, connected, sink
from benchmarks.records import SPEC

ROWS = 100_000
_USER = "BENCH"


def read(place: Place) -> Callable[[], int]:
    """The product's own records sync, as a schedule would run it the first time."""
    from planhat_pipelines.engine.syncs.records import records_sync
    from planhat_pipelines.sandbox.snowflake.process import SnowflakeServer
    from planhat_pipelines.sandbox.snowflake.users import create_user, write_users
    from planhat_pipelines.snowflake.account import SnowflakeAccount
    from planhat_pipelines.spec.records import RecordsSpec

    users, password = place.file("users.json"), secrets.token_urlsafe()
    write_users(users, [create_user(_USER, password=password, role=_USER, warehouse="WH")])
    server = SnowflakeServer(users, create_missing=True).start()
    account = SnowflakeAccount(
        "LOCAL",
        _USER,
        password=password,
        database="CRM",
        schema="PUBLIC",
        host=server.host,
        port=server.port,
        protocol="http",
    )

    def work() -> int:
        try:
            with account.connection() as session, connected(place, "ledger.db") as (book, planhat):
                report = records_sync(RecordsSpec.model_validate(SPEC), session, planhat, book).run("first")
        finally:
            server.stop()
        assert report.verdicts["created"] == place.rows, report.line()
        return place.rows

    try:
        with account.connection() as session:
            fill(session, place.file(f"accounts-{place.rows}.parquet"))
    except BaseException:
        server.stop()
        raise
    return work


def fill(session: object, file: Path) -> None:
    """The rows of `accounts` as the table ACCOUNTS."""
    import polars as pl

    rows = pl.read_parquet(file).with_columns(pl.col("SINCE").cast(pl.String)).rows()
    with session.cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute(
            "CREATE TABLE ACCOUNTS (ACCOUNT_ID VARCHAR, NAME VARCHAR, PHASE VARCHAR, COUNTRY VARCHAR, CITY VARCHAR, "
            "WEB VARCHAR, PHONE VARCHAR, ARR NUMBER(12,2), SINCE DATE, IS_REFERENCE BOOLEAN, SEATS NUMBER(38,0), "
            "INDUSTRY VARCHAR) CHANGE_TRACKING = TRUE"
        )
        insert = "INSERT INTO ACCOUNTS VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        for start in range(0, len(rows), 10_000):
            cursor.executemany(insert, rows[start : start + 10_000])


WORKS: dict[str, Work] = {"read": read}


def lines(bench: Bench) -> Iterator[Line]:
    """One line: from the account to Planhat."""
    bench.data("accounts", ROWS)
    with sink() as address:
        figures = bench.in_turn(__name__, ["read"], address, ROWS)["read"]
    yield Line("records from Snowflake: ours", figures)
