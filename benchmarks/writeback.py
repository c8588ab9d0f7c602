"""Records that people changed in Planhat, all at once, back into a table of the local Snowflake.

ours     both sides read, every field compared with what both agreed on, conflicts, ledger, one guarded MERGE a piece
naive    requests, all pages, a temporary table by executemany, one UPDATE; whatever the rows held is overwritten
singly   the same with an UPDATE a row by executemany, of few rows, as each of them is a request

Both servers are those of the sandbox, in processes of their own, which are not counted.
"""

from __future__ import annotations

import atexit
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

from benchmarks.data import external_id
from benchmarks.harness import Bench, Line, Place, Work

ROWS = (10_000, 100_000)
SINGLY = 500
ITEMS = 5_000
STRAIGHT, FLAT = 1.5, 2.0
_USER, _TABLE = "BENCH", "CRM.PUBLIC.ACCOUNTS"
FIELDS = {"NAME": "name", "PHASE": "phase", "CITY": "city", "WEB": "web", "COUNTRY": "country"}
SPEC = {
    "name": "accounts",
    "table": _TABLE,
    "model": "company",
    "key": {"column": "ACCOUNT_ID", "field": "externalId"},
    "direction": "both",
    "every": "1h",
    "fields": [{"column": column, "field": name} for column, name in FIELDS.items()],
}


@dataclass(frozen=True)
class Sides:
    """A table and a tenant that hold the same companies."""

    session: Any
    planhat: Any  # the server
    account: Any  # of Planhat
    place: Place

    def put(self, city: str) -> None:
        """All companies of Planhat, in a city."""
        import polars as pl
        import requests

        for start in range(0, self.place.rows, ITEMS):
            body = BytesIO()
            companies(start, min(start + ITEMS, self.place.rows)).with_columns(
                pl.lit(city).alias("city")
            ).write_json(body)
            answer = requests.put(
                f"{self.planhat.api_url}/companies",
                data=body.getvalue(),
                headers=self.headers | {"Content-Type": "application/json"},
                timeout=180,
            )
            assert answer.ok, answer.text[:300]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.planhat.token}"}

    def fill(self) -> None:
        """Make the table as Planhat is."""
        import polars as pl

        from planhat_pipelines.snowflake.staging import staged
        from planhat_pipelines.snowflake.tables import Table

        cursor = self.session.cursor()
        cursor.execute(
            "CREATE TABLE CRM.PUBLIC.ACCOUNTS (ACCOUNT_ID VARCHAR, NAME VARCHAR, PHASE VARCHAR, CITY VARCHAR, "
            "WEB VARCHAR, COUNTRY VARCHAR) CHANGE_TRACKING = TRUE"
        )
        names = {"externalId": "ACCOUNT_ID"} | {name: column for column, name in FIELDS.items()}
        rows = companies(0, self.place.rows).with_columns(pl.lit("Lund").alias("city")).rename(names)
        with staged(self.session, Table(*_TABLE.split(".")), rows.select("ACCOUNT_ID", *FIELDS)) as stage:
            cursor.execute("INSERT INTO CRM.PUBLIC.ACCOUNTS SELECT * FROM " + stage)  # noqa: S608  (our own name)

    def written(self, city: str) -> int:
        """How many rows are in the city."""
        cursor = self.session.cursor()
        cursor.execute("SELECT COUNT(*) FROM CRM.PUBLIC.ACCOUNTS WHERE CITY = %s", (city,))
        return cursor.fetchone()[0]


def companies(start: int, end: int) -> Any:
    """Companies by number, without a city."""
    import polars as pl

    at = pl.int_range(start, end)
    number = at.cast(pl.String).str.zfill(len(external_id(0)) - 1)
    return pl.select(
        pl.format("A{}", number).alias("externalId"),
        pl.format("Åkerlund {} AB", number).alias("name"),
        pl.when(at % 2 == 0).then(pl.lit("Adoption")).otherwise(pl.lit("Growth")).alias("phase"),
        pl.format("https://www.customer{}.example", number).alias("web"),
        pl.when(at % 10 != 3).then(pl.lit("Sweden")).alias("country"),
    )


def opened(place: Place, stack: ExitStack) -> Sides:
    """Both servers, filled."""
    from planhat_pipelines.planhat.account import Account
    from planhat_pipelines.sandbox.planhat.server import PlanhatServer
    from planhat_pipelines.sandbox.snowflake.process import SnowflakeServer
    from planhat_pipelines.sandbox.snowflake.users import create_user, write_users
    from planhat_pipelines.snowflake.account import SnowflakeAccount

    users, password = place.file("users.json"), secrets.token_urlsafe()
    write_users(users, [create_user(_USER, password=password, role=_USER, warehouse="WH")])
    server = stack.enter_context(SnowflakeServer(users, create_missing=True))
    planhat = stack.enter_context(PlanhatServer(Path(place.folder) / "planhat"))
    session = stack.enter_context(
        SnowflakeAccount(
            "LOCAL",
            _USER,
            password=password,
            database="CRM",
            schema="PUBLIC",
            host=server.host,
            port=server.port,
            protocol="http",
        ).connection()
    )
    account = Account(planhat.token, planhat.tenant, planhat.api_url, planhat.analytics_url)
    sides = Sides(session, planhat, account, place)
    sides.put("Lund")
    sides.fill()
    return sides


def work(place: Place, prepare: Callable[[Sides], object], do: Callable[[Sides], int]) -> Callable[[], int]:
    """`prepare`, then everybody moves, then `do` as what is measured."""
    stack = ExitStack()
    with stack:
        sides = opened(place, stack)
        prepare(sides)
        sides.put("Malmö")
        kept = stack.pop_all()

    atexit.register(kept.close)

    def measured() -> int:
        rows = do(sides)
        assert sides.written("Malmö") == rows
        return rows

    return measured


def ours(place: Place) -> Callable[[], int]:
    """The product's own run in both directions, when both sides were equal before."""
    return work(place, _sync, _sync)


def _sync(sides: Sides) -> int:
    from planhat_pipelines.engine.twoway.build import two_way_sync
    from planhat_pipelines.ledger import Budget, Ledger
    from planhat_pipelines.planhat.client import Planhat
    from planhat_pipelines.spec.records import RecordsSpec

    with Ledger.open(f"sqlite:///{sides.place.file('ledger.db')}") as book:
        budget = Budget(book, sides.planhat.api_url, rate=1e6, burst=10_000)
        with Planhat(sides.account, budget=budget) as planhat:
            spec = RecordsSpec.model_validate(SPEC)
            report = two_way_sync(spec, sides.session, planhat, book, allow_many_changes=True).run("run")
    assert not report.conflicts
    return report.back.verdicts["updated"]


def naive(place: Place) -> Callable[[], int]:
    """What one writes in an hour."""

    def write(cursor: Any, rows: list[tuple[Any, ...]]) -> None:
        cursor.execute("CREATE TEMPORARY TABLE CHANGED LIKE CRM.PUBLIC.ACCOUNTS")
        for start in range(0, len(rows), 10_000):
            cursor.executemany(
                "INSERT INTO CHANGED VALUES (%s, %s, %s, %s, %s, %s)", rows[start : start + 10_000]
            )
        cursor.execute(
            "UPDATE CRM.PUBLIC.ACCOUNTS AS t SET NAME = c.NAME, PHASE = c.PHASE, CITY = c.CITY, WEB = c.WEB, "
            "COUNTRY = c.COUNTRY FROM CHANGED AS c WHERE c.ACCOUNT_ID = t.ACCOUNT_ID"
        )

    return _script(place, write)


def singly(place: Place) -> Callable[[], int]:
    """What one writes in half an hour."""

    def write(cursor: Any, rows: list[tuple[Any, ...]]) -> None:
        cursor.executemany(
            "UPDATE CRM.PUBLIC.ACCOUNTS SET NAME = %s, PHASE = %s, CITY = %s, WEB = %s, COUNTRY = %s "
            "WHERE ACCOUNT_ID = %s",
            [(*rest, key) for key, *rest in rows],
        )

    return _script(replace(place, rows=min(place.rows, SINGLY)), write)


def _script(place: Place, write: Callable[[Any, list[tuple[Any, ...]]], None]) -> Callable[[], int]:
    import requests

    def run(sides: Sides) -> int:
        rows: list[tuple[Any, ...]] = []
        while True:
            page = requests.get(
                f"{sides.planhat.api_url}/companies",
                params={"limit": ITEMS, "offset": len(rows)},
                headers=sides.headers,
                timeout=180,
            ).json()
            rows += [(each["externalId"], *(each.get(name) for name in FIELDS.values())) for each in page]
            if len(page) < ITEMS:
                break
        with sides.session.cursor() as cursor:
            write(cursor, rows)
        return len(rows)

    return work(place, lambda _: None, run)


WORKS: dict[str, Work] = {"ours": ours, "naive": naive, "singly": singly}


def lines(bench: Bench) -> Iterator[Line]:
    """Both sizes, to see whether ten times the records are ten times the work."""
    once = replace(bench, runs=1)
    small: Line | None = None
    for rows in ROWS:
        works = ("ours", "naive", "singly") if rows == ROWS[0] else ("ours", "naive")
        found = {
            name: Line(f"write-back: {name}", figures)
            for name, figures in once.in_turn(__name__, works, "", rows).items()
        }
        ours, naive = found["ours"], found["naive"]
        times = naive.best.us / ours.best.us
        target, reached = "", None
        if small:
            grown, peak = ours.best.us / small.best.us, ours.best.peak_mb / small.best.peak_mb
            target = f"1 x naive; {grown:.2f} (1.5) x us, {peak:.2f} (2) x MB of {small.best.rows:,}"
            reached = times >= 1 and grown <= STRAIGHT and peak <= FLAT
        small = small or ours
        yield replace(ours, ratio=times, target=target, reached=reached)
        for name, line in found.items():
            if name != "ours":
                yield replace(line, ratio=naive.best.us / line.best.us)
