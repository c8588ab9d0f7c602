"""A CRM table and the records it becomes: short words for tests of records syncs."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import requests

from planhat_pipelines.engine.report import Report
from planhat_pipelines.engine.run import Sync
from planhat_pipelines.engine.syncs.records import records_sync
from planhat_pipelines.planhat.catalogue import model
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.transport import Patience
from planhat_pipelines.snowflake.records import RecordsTable
from planhat_pipelines.spec.records import RecordsSpec
from planhat_pipelines_tests.e2e.place import HASTE, Place, literal

USUAL = [{"column": "NAME", "field": "name"}, {"column": "CITY", "field": "city"}]
_runs = itertools.count(1)

Record = dict[str, Any]


class Crm:
    """The test's place, seen as a table of accounts (ID, NAME, CITY, NOTE) that becomes companies."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.sql, self.table, self.ledger, self.log = place.sql, place.table, place.ledger, place.log

    def accounts(self, *rows: Sequence[Any], tracked: bool = True) -> None:
        """The usual table, made anew. NOTE is mapped by nobody."""
        tracking = " CHANGE_TRACKING = TRUE" if tracked else ""
        self.sql(
            "CREATE OR REPLACE TABLE {table} (ID VARCHAR, NAME VARCHAR, CITY VARCHAR, NOTE VARCHAR)"
            + tracking
        )
        self.add(*rows)

    def add(self, *rows: Sequence[Any]) -> None:
        """Insert accounts; columns that are left out are null."""
        self.place.add([(*row, *[None] * (4 - len(row))) for row in rows])

    def table_of(self, columns: str, *rows: Sequence[Any], tracked: bool = True) -> None:
        """Any table, made anew. A value that is a tuple of one text goes in as the SQL it is."""
        tracking = " CHANGE_TRACKING = TRUE" if tracked else ""
        self.sql(f"CREATE OR REPLACE TABLE {{table}} ({columns}){tracking}")
        if rows:
            self.sql("INSERT INTO {table} " + " UNION ALL ".join(f"SELECT {_listed(row)}" for row in rows))

    def spec(self, **changes: Any) -> RecordsSpec:
        """The usual sync, unless told otherwise."""
        return RecordsSpec.model_validate(self.facts(**changes))

    def facts(self, **changes: Any) -> dict[str, Any]:
        """What a user writes for it."""
        usual: dict[str, Any] = {
            "name": "accounts",
            "table": self.table,
            "model": "company",
            "key": {"column": "ID", "field": "externalId"},
            "every": "1h",
            "fields": USUAL,
        }
        return usual | changes

    def sync(
        self, spec: RecordsSpec, planhat: Planhat, *, lag: float = 0.0, session: Any = None, **how: bool
    ) -> Sync:
        """A run of it, ready, that waits for no late commit."""
        sync = records_sync(
            spec, session or self.place.session, planhat, self.ledger, log=self.log.append, **how
        )
        assert isinstance(sync.source, RecordsTable)
        sync.source.lag = lag
        return sync

    def run(
        self, spec: RecordsSpec | None = None, *, client: Patience = HASTE, session: Any = None, **how: bool
    ) -> Report:
        """One run; the account of it balances, or it raises."""
        with self.place.client(client) as planhat:
            sync = self.sync(spec or self.spec(), planhat, session=session, **how)
            report = sync.run(f"records{next(_runs)}", self.log.append)
        assert report.rows_read == report.answered
        return report

    # -- Planhat

    def held(self, name: str = "company", key: str = "externalId") -> dict[str, Record]:
        """Every record of a model by its key, as Planhat holds it, archived ones too."""
        found = self.place.planhat.admin("GET", f"records/{name}", limit=10_000)["records"]
        assert len({each.get(key) for each in found}) == len(found), "a record is doubled"
        return {each.get(key): each for each in found}

    def names(self) -> dict[str, Any]:
        """The names of all companies, by external id."""
        return {key: each["name"] for key, each in self.held().items()}

    def custom(self, name: str, kind: str = "text", parent: str = "Company", **facts: Any) -> None:
        """Define a custom field."""
        self.call(
            "POST", "customfields", {"name": name, "type": kind, "parent": parent, "isHidden": False, **facts}
        )

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """A call of another program."""
        answer = requests.request(
            method,
            f"{self.place.planhat.api_url}/{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.place.planhat.token}"},
            timeout=20,
        )
        assert answer.ok, answer.text
        return answer.json()

    def fault(self, kind: str, name: str = "company", **facts: Any) -> None:
        """Spoil bulk upserts of a model."""
        self.place.planhat.admin(
            "POST", "faults", {"kind": kind, "path": f"/{model(name).path}", "method": "PUT", **facts}
        )

    def sent(self) -> int:
        """How many bulk upserts Planhat was asked for since the last call."""
        log = self.place.planhat.admin("GET", "log", limit=10_000)
        self.place.planhat.admin("DELETE", "log")
        return sum(entry["method"] == "PUT" for entry in log)


def verdicts(**counts: int) -> Counter[Any]:
    """Verdicts as a report counts them."""
    return Counter(counts)


def variant(value: Any) -> tuple[str]:
    """A VARIANT, as SQL."""
    text = json.dumps(value, ensure_ascii=False).replace("\\", "\\\\").replace("'", "''")
    return (f"PARSE_JSON('{text}')",)


def _listed(row: Sequence[Any]) -> str:
    return ", ".join(each[0] if isinstance(each, tuple) else literal(each) for each in row)


def of(report: Report) -> dict[str, int]:
    """The verdicts of a report that are not zero."""
    counts: Mapping[Any, int] = report.verdicts
    return {verdict: count for verdict, count in counts.items() if count}
