"""A bucket's folder, a tenant and a ledger of one test, and short words for what tests do with them."""

from __future__ import annotations

import io
import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from csv import reader
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import requests

from planhat_pipelines.engine.drops.source import DropsSource
from planhat_pipelines.engine.environment import planhat_account, s3_account
from planhat_pipelines.engine.report import Report
from planhat_pipelines.engine.syncs.files import files_source, files_sync
from planhat_pipelines.ledger import Ledger
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.transport import Patience
from planhat_pipelines.sandbox.planhat.server import PlanhatServer
from planhat_pipelines.spec.files import FilesSpec

HASTE = Patience(connect=5, read=0.4, attempts=2, first_wait=0.01, throttled_wait=0.01, longest_wait=0.05)
ENDS = (
    "created",
    "updated",
    "unchanged",
    "submitted",
    "refused",
    "parked",
    "held",
    "duplicate",
    "recovered",
)
_numbers = itertools.count(1)

Point = tuple[str, str, int, float]  # metric, external id of the company, day since 1970, value


class Dock:
    """Everything of one test lies below a prefix of its own; Planhat is empty at the start."""

    def __init__(self, s3: Any, planhat: PlanhatServer, environment: Mapping[str, str], folder: Path) -> None:
        self.s3, self.planhat, self.folder = s3, planhat, folder
        self.root = f"test{next(_numbers)}/"
        self.spool = folder / "spool"
        self.environment = {
            **environment,
            "PLANHAT_LEDGER_URL": f"sqlite:///{folder / 'ledger.db'}",
            "PLANHAT_SPOOL_FOLDER": str(self.spool),
        }
        self.ledger = Ledger.open(self.environment["PLANHAT_LEDGER_URL"])
        self.log: list[str] = []
        planhat.admin("POST", "reset")

    # -- S3

    def drop(self, name: str, content: str | bytes) -> None:
        """Put a file into the inbox."""
        body = content.encode() if isinstance(content, str) else content
        self.s3.put_object(Bucket="drops", Key=f"{self.root}in/{name}", Body=body)

    def keys(self, folder: str = "") -> list[str]:
        """What lies below one of the test's folders (in, processed, failed, rejected), without the folder."""
        start = f"{self.root}{folder}"
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket="drops", Prefix=start)
        return [each["Key"][len(start) :] for page in pages for each in page.get("Contents", ())]

    def content(self, key: str) -> bytes:
        """The bytes under a key of the test."""
        return self.s3.get_object(Bucket="drops", Key=key)["Body"].read()

    def rejected(self, name: str) -> list[list[str]]:
        """The cells of the only file of refused rows of the drops of this name."""
        stem = name.partition(".")[0]
        (key,) = (key for key in self.keys("rejected/") if key.rpartition("/")[2].startswith(stem))
        return list(reader(io.StringIO(self.content(f"{self.root}rejected/{key}").decode())))

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

    def append(self, point: Point) -> None:
        """A point from another program."""
        metric, company, when, value = point
        at = (date(1970, 1, 1) + timedelta(when)).isoformat()
        body = [
            {"dimensionId": metric, "model": "Company", "externalId": company, "value": value, "date": at}
        ]
        url = f"{self.planhat.analytics_url}/dimensiondata/{self.planhat.tenant}"
        assert requests.post(url, json=body, timeout=20).status_code == 200

    def delete(self, path: str, identity: str) -> None:
        """A person deletes a record."""
        url = f"{self.planhat.api_url}/{path}/{identity}"
        headers = {"Authorization": f"Bearer {self.planhat.token}"}
        answer = requests.delete(url, headers=headers, timeout=20)
        assert answer.json()["deletedCount"] == 1

    def fault(self, kind: str, path: str = "/dimensiondata/*", method: str = "*", **facts: Any) -> None:
        """Spoil requests."""
        self.planhat.admin("POST", "faults", {"kind": kind, "path": path, "method": method, **facts})

    def calm(self) -> None:
        """No more faults."""
        self.planhat.admin("DELETE", "faults")

    def points(self) -> Counter[Point]:
        """Every point that Planhat holds, and how often."""
        rows = self.planhat.admin("GET", "points/digest", full=1)["points"]
        return Counter(
            {(metric, external, day, float(value)): count for metric, _, external, day, value, count in rows}
        )

    def records(self, model: str, *fields: str) -> dict[str, tuple[Any, ...]]:
        """Fields of every record by its external id, of which each has one of its own."""
        found = self.planhat.admin("GET", f"records/{model}", limit=10_000)
        rows = found["records"] if isinstance(found, dict) else found
        told = {row["externalId"]: tuple(row.get(field) for field in fields) for row in rows}
        assert len(told) == len(rows)
        return told

    def activities(self) -> Counter[tuple[str, str]]:
        """Every activity that Planhat holds, by who and what."""
        held = self.planhat.admin("GET", "activities", limit=10_000)
        return Counter((one["activity"]["externalId"], one["activity"]["action"]) for one in held)

    # -- syncs

    def facts(self, **changes: Any) -> dict[str, Any]:
        """What a user writes for the usual sync of minutes to a metric, unless told otherwise."""
        usual: dict[str, Any] = {
            "name": "devices",
            "bucket": "drops",
            "prefix": f"{self.root}in/",
            "every": "5m",
            "settle_seconds": 0,
            **{place: f"{self.root}{place}/" for place in ("processed", "failed", "rejected")},
        }
        if not changes.keys() & {"records", "activities"}:
            usual["metrics"] = metrics(("minutes", "minutes", "sum"))
        return usual | changes

    def people(self, **changes: Any) -> dict[str, Any]:
        """What a user writes for the usual sync of contacts, unless told otherwise."""
        records = {
            "model": "enduser",
            "key": {"column": "id", "field": "externalId"},
            "company": {"column": "account", "id": "external"},
            "fields": [{"column": "email", "field": "email"}, {"column": "first", "field": "firstName"}],
        }
        return self.facts(**{"name": "people", "records": records} | changes)

    @contextmanager
    def client(self) -> Iterator[Planhat]:
        """A client in haste."""
        with Planhat(planhat_account(self.environment), patience=HASTE) as client:
            yield client

    def source(self, facts: Mapping[str, Any] | None = None) -> DropsSource:
        """The drops as a source, without a claim."""
        spec = FilesSpec.model_validate(facts or self.facts())
        return files_source(spec, s3_account(self.environment), self.ledger, self.spool, self.log.append)

    def run(self, facts: Mapping[str, Any] | None = None) -> Report:
        """One run; the account of it balances, or it raises."""
        spec = FilesSpec.model_validate(facts or self.facts())
        with self.client() as planhat:
            sync = files_sync(
                spec,
                s3_account(self.environment),
                planhat,
                self.ledger,
                spool=self.spool,
                patience=0.0,
                log=self.log.append,
            )
            report = sync.run(f"run{next(_numbers)}", self.log.append)
        assert report.rows_read == report.answered
        return report

    def trail(self, sync: str | None = None) -> list[dict[str, Any]]:
        """The audit trail, the oldest drop first."""
        return [dict(each) for each in reversed(self.ledger.drops(sync))]

    def settled(self, *facts: Mapping[str, Any]) -> None:
        """What must hold after all work is done: nothing waits, nothing is under way, every drop lies in one place,
        every row of an imported one has one verdict, and nothing of it is left on disk."""
        for each in facts or (self.facts(),):
            name = each["name"]
            assert not self.source(each).changed(None)
            assert self.ledger.batches(name, "intended") == []
            assert self.ledger.open_window(name) is None
        places = [self.root + key for place in ("processed/", "failed/") for key in self._archived(place)]
        names = {each["name"] for each in facts or (self.facts(),)}
        drops = [each for each in self.trail() if each["state"] != "superseded" and each["sync"] in names]
        assert {each["state"] for each in drops} <= {"done"}
        assert sorted(places) == sorted(each["archive"] for each in drops)
        for each in drops:
            assert each["archive"].startswith(f"{self.root}{'failed' if each['report'] else 'processed'}/")
        left = [path for path in self.spool.rglob("*") if path.is_file()] if self.spool.exists() else []
        assert left == []

    def _archived(self, place: str) -> list[str]:
        """What was moved there: neither reports, nor what a run that was killed while it tried the store left."""
        keys = (key for key in self.keys(place) if not key.startswith(".probe/"))
        return [f"{place}{key}" for key in keys if not key.endswith(".error.json")]


def metrics(*values: tuple[str, str, str], timezone: str = "UTC") -> dict[str, Any]:
    """`metrics:` of drops with the columns `customer` and `at`; values are metric, column and aggregate."""
    return {
        "target": {"model": "company", "column": "customer", "id": "external"},
        "date": {"column": "at", "timezone": timezone},
        "values": [{"metric": metric, "column": column, "aggregate": how} for metric, column, how in values],
    }


def csv(head: str, rows: Iterable[Sequence[Any]]) -> str:
    """A file with a comma between the cells."""
    return "\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n"


def ndjson(rows: Iterable[Mapping[str, Any]]) -> str:
    """One object a line."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def day(text: str) -> int:
    """Days since 1970-01-01."""
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def ends(drop: Mapping[str, Any]) -> dict[str, int]:
    """The verdicts of a drop's rows, those of none left out."""
    return {name: drop["counts"][name] for name in ENDS if drop["counts"].get(name)}


def next_second() -> None:
    """S3 tells time to the second: wait until what is written next is newer."""
    time.sleep(1.05 - time.time() % 1)


def wait_for(test: Callable[[], Any], seconds: float = 20) -> None:
    """Until `test` holds."""
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            raise TimeoutError(f"it did not become so within {seconds} s")
        time.sleep(0.05)
