"""One Snowflake and one Planhat to run syncs between, and short words for what tests do with them."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from planhat_pipelines.engine.environment import planhat_account, snowflake_account
from planhat_pipelines.engine.report import Report
from planhat_pipelines.engine.syncs.usage import usage_source, usage_sync
from planhat_pipelines.ledger import Ledger
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.transport import Patience
from planhat_pipelines.sandbox.planhat.server import PlanhatServer
from planhat_pipelines.snowflake.usage import UsageTable
from planhat_pipelines.spec.usage import UsageSpec

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

HASTE = Patience(connect=5, read=0.4, attempts=3, first_wait=0.01, throttled_wait=0.01, longest_wait=0.05)
DATABASE = "E2E"
_numbers = itertools.count(1)

Point = tuple[str, str, str, int, float]  # metric, model, external id, day since 1970, value


class Place:
    """A test's table, tenant and ledger. Planhat is empty at the start, the table has a name of its own."""

    def __init__(
        self,
        session: SnowflakeConnection,
        planhat: PlanhatServer,
        environment: Mapping[str, str],
        folder: Path,
    ) -> None:
        self.session, self.planhat = session, planhat
        self.ledger_file = folder / "ledger.db"
        self.environment = {**environment, "PLANHAT_LEDGER_URL": f"sqlite:///{self.ledger_file}"}
        self.table = f"{DATABASE}.PUBLIC.T{next(_numbers)}"
        self.log: list[str] = []
        self.ledger = Ledger.open(self.environment["PLANHAT_LEDGER_URL"])
        planhat.admin("POST", "reset")

    # -- Snowflake

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement; `{table}` is the test's table."""
        with self.session.cursor() as cursor:
            return list(cursor.execute(statement.replace("{table}", self.table)).fetchall())

    def seats(self, rows: Sequence[tuple[Any, ...]] = (), table: str = "") -> None:
        """The usual usage table, made anew: ROW_ID, ACCOUNT_ID, DAY, SEATS."""
        name = table or self.table
        self.sql(
            f"CREATE OR REPLACE TABLE {name} (ROW_ID NUMBER(38,0), ACCOUNT_ID VARCHAR, DAY DATE, SEATS FLOAT)"
        )
        self.add(rows, name)

    def add(self, rows: Sequence[tuple[Any, ...]], table: str = "") -> None:
        """Insert rows of numbers, dates, texts and None."""
        if rows:
            values = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
            self.sql(f"INSERT INTO {table or self.table} VALUES {values}")

    def drop(self) -> None:
        """Forget the table."""
        self.sql("DROP TABLE IF EXISTS {table}")

    # -- Planhat

    def put(self, path: str, *records: dict[str, Any]) -> list[str]:
        """Upsert records as another program would; gives their `_id`s."""
        answer = requests.put(
            f"{self.planhat.api_url}/{path}",
            json=list(records),
            headers={"Authorization": f"Bearer {self.planhat.token}"},
            timeout=20,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["upsertedIds"]

    def companies(self, *externals: str) -> list[str]:
        """Companies by external id."""
        return self.put("companies", *({"name": f"Name of {each}", "externalId": each} for each in externals))

    def fault(self, kind: str, **facts: Any) -> None:
        """Spoil requests to the analytics host, unless told otherwise."""
        path = "/analytics/bulk/*" if facts.pop("activities", False) else "/dimensiondata/*"
        self.planhat.admin("POST", "faults", {"kind": kind, "path": path, "method": "POST", **facts})

    def calm(self) -> None:
        """No more faults."""
        self.planhat.admin("DELETE", "faults")

    def wait_for(self, path: str, test: Callable[[Any], Any], seconds: float = 15) -> None:
        """Look at the admin view until `test` holds."""
        end = time.monotonic() + seconds
        while not test(self.planhat.admin("GET", path)):
            if time.monotonic() > end:
                raise TimeoutError(f"{path} did not become as expected within {seconds} s")
            time.sleep(0.05)

    def points(self) -> Counter[Point]:
        """Every point that Planhat holds, and how often."""
        rows = self.planhat.admin("GET", "points/digest", full=1)["points"]
        return Counter({(*key, float(value)): count for *key, value, count in rows})

    def activities(self) -> Counter[tuple[str, str]]:
        """Every activity that Planhat holds, by who and what, and how often."""
        held = self.planhat.admin("GET", "activities", limit=10_000)
        return Counter(
            (one["activity"].get("externalId") or one["activity"].get("email"), one["activity"]["action"])
            for one in held
        )

    def nothing_was_dropped(self) -> bool:
        """Planhat threw nothing away in silence."""
        return self.planhat.admin("GET", "dropped")["total"] == 0

    # -- syncs

    def facts(self, **changes: Any) -> dict[str, Any]:
        """What a user writes for the usual sync of seats to a metric, unless told otherwise."""
        usual: dict[str, Any] = {
            "name": "seats",
            "table": self.table,
            "incrementing_key": "ROW_ID",
            "overlap": 100,
            "every": "5m",
        }
        if "activities" not in changes:
            usual["metrics"] = {
                "target": {"model": "company", "column": "ACCOUNT_ID"},
                "date": "DAY",
                "values": [{"metric": "seats", "column": "SEATS"}],
            }
        return usual | changes

    def activity_facts(self, **changes: Any) -> dict[str, Any]:
        """A sync of the same table to activities: the account is the user, the seats are the action."""
        usual = {"enduser": {"column": "ACCOUNT_ID"}, "action": "SEATS", "date": "DAY", "on_doubt": "hold"}
        return self.facts(activities=usual | changes)

    def spec(self, **changes: Any) -> UsageSpec:
        """The usual sync, unless told otherwise."""
        return UsageSpec.model_validate(self.facts(**changes))

    def activities_spec(self, **changes: Any) -> UsageSpec:
        """The usual sync to activities, unless told otherwise."""
        return UsageSpec.model_validate(self.activity_facts(**changes))

    @contextmanager
    def client(self, patience: Patience = HASTE) -> Iterator[Planhat]:
        """A client in haste."""
        with Planhat(planhat_account(self.environment), patience=patience) as client:
            yield client

    def run(
        self, spec: UsageSpec | None = None, *, patience: float = 0.0, client: Patience = HASTE
    ) -> Report:
        """One run; the account of it balances, or it raises."""
        with self.client(client) as planhat:
            sync = usage_sync(spec or self.spec(), self.session, planhat, self.ledger, patience)
            report = sync.run(f"run{next(_numbers)}", self.log.append)
        assert report.rows_read == report.answered
        return report

    def source(self, spec: UsageSpec | None = None) -> UsageTable:
        """The table as a source."""
        return usage_source(spec or self.spec(), self.session)

    def cursor(self, sync: str = "seats") -> dict[str, Any] | None:
        """How far the sync has read."""
        return self.ledger.cursor(sync).value

    def changed(self, spec: UsageSpec | None = None) -> bool:
        """What a tick sees."""
        return self.source(spec).changed(self.cursor())


def day(text: str) -> int:
    """Days since 1970-01-01."""
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def oracle(rows: Sequence[tuple[Any, ...]], known: Callable[[str], bool] = lambda _: True) -> Counter[Point]:
    """The points that rows of the usual table stand for."""
    return Counter(
        ("seats", "Company", account, day(when), float(seats))
        for _, account, when, seats in rows
        if known(account)
    )


def literal(value: Any) -> str:
    """A value in a statement; a text that looks like a call goes in as it is."""
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"


def open_session(environment: Mapping[str, str]) -> Any:
    """A session as the product opens it."""
    return snowflake_account(environment).connection()
