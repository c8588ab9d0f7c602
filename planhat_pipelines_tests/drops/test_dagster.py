"""A files sync as Dagster runs it: events of the bucket, ticks, and what a run shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import dagster as dg
import pytest
import sqlalchemy as sa

from planhat_pipelines.ledger import schema
from planhat_pipelines.orchestration.files import files_definitions
from planhat_pipelines.orchestration.resources import LedgerDatabase, PlanhatTenant, S3SignIn
from planhat_pipelines.orchestration.schedules import SYNC_TAG
from planhat_pipelines.spec.files import FilesSpec
from planhat_pipelines_tests.drops.dock import Dock, csv, day
from planhat_pipelines_tests.files.formats.old_workbook import OLD_WORKBOOK
from planhat_pipelines_tests.files.queue import event, local_sqs, message
from planhat_pipelines_tests.markdown import rows as rows_of

HEAD = "customer,at,minutes"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
RESOURCES: dict[str, Any] = {"s3": S3SignIn(), "planhat": PlanhatTenant(), "ledger": LedgerDatabase()}


class Deck:
    """The dock's syncs as definitions, and an instance of Dagster's."""

    def __init__(self, dock: Dock, instance: dg.DagsterInstance) -> None:
        self.dock, self.instance = dock, instance

    def definitions(self, facts: dict[str, Any]) -> dg.Definitions:
        """One sync, as a user writes it."""
        synced = files_definitions(FilesSpec.model_validate(facts))
        return dg.Definitions.merge(
            synced, dg.Definitions(resources=RESOURCES, executor=dg.in_process_executor)
        )

    def run(self, facts: dict[str, Any]) -> dict[str, Any]:
        """Run the sync's job; gives what the materialisation shows."""
        job = self.definitions(facts).resolve_job_def(f"{facts['name']}_job")
        result = job.execute_in_process(instance=self.instance, run_config=QUIET)
        (made,) = result.asset_materializations_for_node(f"{facts['name']}_sync")
        return {name: entry.value for name, entry in made.metadata.items()}

    def event_tick(self, facts: dict[str, Any]) -> tuple[bool, str]:
        """Whether the sensor starts a run, and why."""
        sensor = self.definitions(facts).resolve_sensor_def(f"{facts['name']}_sensor")
        with dg.build_sensor_context(self.instance, resources=RESOURCES) as context:
            return _told(sensor.evaluate_tick(context))

    def tick(self, facts: dict[str, Any]) -> tuple[bool, str]:
        """Whether the schedule starts a run, and why."""
        schedule = self.definitions(facts).resolve_schedule_def(f"{facts['name']}_schedule")
        with dg.build_schedule_context(self.instance, resources=RESOURCES) as context:
            return _told(schedule.evaluate_tick(context))


def _told(tick: Any) -> tuple[bool, str]:
    if tick.run_requests:
        return True, tick.run_requests[0].tags["planhat/why"]
    return False, tick.skip_message or ""


@pytest.fixture
def deck(dock: Dock, dagster: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Deck:
    for name, value in dock.environment.items():
        monkeypatch.setenv(name, value)
    return Deck(dock, dagster)


def test_an_event_of_a_new_file_starts_a_run_at_once_and_without_one_none_is_started(
    deck: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    dock = deck.dock
    with local_sqs() as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", endpoint)
        sqs = boto3.client(
            "sqs",
            endpoint_url=endpoint,
            region_name="eu-north-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        facts = dock.facts(events=url)
        none = (False, "no event tells of a new file")
        assert deck.event_tick(facts) == none
        sqs.send_message(QueueUrl=url, MessageBody=message(event(f"{dock.root}elsewhere/a.csv", "1")))
        assert deck.event_tick(facts) == none
        sqs.send_message(QueueUrl=url, MessageBody=message(event(f"{dock.root}in/new+log.csv", "2")))
        job = deck.definitions(facts).resolve_job_def("devices_job")
        alive = deck.instance.create_run_for_job(
            job, status=dg.DagsterRunStatus.STARTED, tags={SYNC_TAG: "devices"}
        )
        assert deck.event_tick(facts) == (False, f"run {alive.run_id[:8]} of devices is still at work")
        deck.instance.delete_run(alive.run_id)
        assert deck.event_tick(facts) == (True, f"1 new files, the first is '{dock.root}in/new log.csv'")
        assert deck.event_tick(facts) == none


def test_a_tick_notices_parked_rows_once_an_hour_and_new_files_at_once(deck: Deck) -> None:
    dock, facts = deck.dock, deck.dock.facts()
    dock.companies("c-1")
    assert deck.tick(facts)[0] is False
    dock.drop("a.csv", csv(HEAD, [("c-1", "2026-11-01", 1), ("c-9", "2026-11-01", 2)]))
    assert deck.tick(facts) == (True, "the source has changed")
    assert deck.run(facts)["parked"] == 1
    started, why = deck.tick(facts)
    assert (started, why.endswith("1 rows are parked")) == (False, True)
    dock.companies("c-9")
    long_ago = (datetime.now(UTC) - timedelta(minutes=61)).timestamp()
    with dock.ledger.database.write() as connection:
        connection.execute(sa.update(schema.parked).values(since=long_ago))
    assert deck.tick(facts) == (True, "1 parked rows are looked up again")
    assert deck.run(facts)["submitted"] == 1
    assert dock.points() == {
        ("minutes", who, day("2026-11-01"), float(at)): 1 for who, at in (("c-1", 1), ("c-9", 2))
    }
    assert deck.tick(facts)[0] is False


def test_accounts_of_an_old_workbook_become_companies_with_their_zeros(deck: Deck) -> None:
    dock = deck.dock
    records = {
        "model": "company",
        "key": {"column": "id", "field": "externalId"},
        "fields": [
            {"expression": "'Account ' || id", "field": "name"},
            {"column": "zip", "field": "zip"},
            {"column": "day", "field": "description"},
        ],
    }
    dock.drop("accounts.xls", OLD_WORKBOOK)
    facts = dock.facts(name="legacy", records=records)
    shown = deck.run(facts)
    assert (shown["rows_read"], shown["created"], shown["refused"]) == (2, 2, 0)
    (row,) = rows_of(shown["drops"])
    assert (row["state"], row["rows"]) == ("done", "2")
    assert dock.records("company", "name", "zip", "description") == {
        "007": ("Account 007", "01234", "2026-03-01"),
        "008": ("Account 008", None, None),
    }
    (archived,) = dock.keys("processed/")
    assert archived.endswith(".xls")
    assert dock.content(f"{dock.root}processed/{archived}") == OLD_WORKBOOK
    dock.settled(facts)
