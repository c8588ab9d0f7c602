"""People are told once when a sync begins to fail, falls behind or refuses too much, and once when that is over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from planhat_pipelines.engine.alerts import AlertNotSent
from planhat_pipelines.orchestration.alerts import AlertReceivers, Watched, alert_definitions, state_sensor
from planhat_pipelines.orchestration.schedules import SYNC_TAG
from planhat_pipelines_tests.orchestration.conftest import QUIET, Location
from planhat_pipelines_tests.receivers import Webhook, running

KEY = dg.AssetKey(["planhat", "metrics", "seats"])
SECRET = "Acme Ltd"


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    with running(Webhook()) as server:
        monkeypatch.setenv("PLANHAT_ALERT_WEBHOOK", server.url)
        monkeypatch.setenv("PLANHAT_DAGSTER_URL", "https://dagster.example")
        yield server


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def made(instance: dg.DagsterInstance, **figures: int) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(KEY, metadata=figures))


class State:
    """The sensor, with its cursor and a clock that can be set ahead."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        import time

        self.instance, self.ahead, self.cursor = instance, 0.0, None
        watched = [Watched(KEY, "seats", 1800)]
        stopped = dg.DefaultSensorStatus.STOPPED
        self.sensor = state_sensor(watched, stopped, lambda: time.time() + self.ahead)

    def tick(self) -> str | None:
        resources = {"alerts": AlertReceivers()}
        with dg.build_sensor_context(self.instance, cursor=self.cursor, resources=resources) as context:
            data = self.sensor.evaluate_tick(context)
        self.cursor = data.cursor
        return data.skip_message


def test_an_asset_that_is_overdue_is_told_of_once_and_once_when_it_is_not(
    instance: dg.DagsterInstance, webhook: Webhook
) -> None:
    state = State(instance)
    assert state.tick() == "all is well"  # it has never run
    made(instance, rows_read=5, refused=0)
    assert state.tick() == "all is well"
    state.ahead = 7200
    assert state.tick() == "told: Planhat syncs: 1 new"
    assert state.tick() == "1 troubles, all told"
    state.ahead = 0
    assert state.tick() == "told: Planhat syncs: 1 over"
    first, second = webhook.texts
    assert first == (
        "*Planhat syncs: 1 new*\n<https://dagster.example/assets/planhat/metrics/seats|"
        "planhat/metrics/seats is overdue: no run came to its end for 2.0 hours>"
    )
    assert second.startswith("*Planhat syncs: 1 over*\n")


@pytest.mark.parametrize(
    ("rows", "refused", "told"), [(1000, 60, True), (1000, 40, False), (20, 9, False), (20, 10, True)]
)
def test_too_many_refused_rows_are_told_of_by_their_share(
    instance: dg.DagsterInstance, webhook: Webhook, rows: int, refused: int, told: bool
) -> None:
    made(instance, rows_read=rows, refused=refused)
    state = State(instance)
    state.tick()
    assert len(webhook.got) == told
    if told:
        assert (
            f"{refused} of {rows:,} rows refused, more than 5% (planhat-pipelines rejections --sync seats)"
            in (webhook.texts[0])
        )


def test_what_could_not_be_told_is_told_at_the_next_tick(
    instance: dg.DagsterInstance, webhook: Webhook
) -> None:
    made(instance, rows_read=50, refused=50)
    state = State(instance)
    webhook.status = 500
    with pytest.raises(AlertNotSent):
        state.tick()
    webhook.status = 200
    assert state.tick() == "told: Planhat syncs: 1 new"
    assert state.tick() == "1 troubles, all told"


def test_without_a_receiver_a_tick_says_how_to_name_one(instance: dg.DagsterInstance) -> None:
    assert "set PLANHAT_ALERT_WEBHOOK" in (State(instance).tick() or "")


def job(error: Exception | None) -> dg.JobDefinition:
    @dg.op
    def seats_sync() -> None:
        if error:
            raise error

    @dg.job(name="seats_job", tags={SYNC_TAG: "seats"}, executor_def=dg.in_process_executor)
    def seats_job() -> None:
        seats_sync()

    return seats_job


def run(instance: dg.DagsterInstance, error: Exception | None, sensors: dict[str, Any]) -> str | None:
    """A run of the sync, and the tick of the sensor that looks at such runs."""
    done = job(error).execute_in_process(instance=instance, run_config=QUIET, raise_on_error=False)
    event = done.get_run_failure_event() if error else done.get_run_success_event()
    sensor = sensors["alert_failed" if error else "alert_works_again"]
    context = dg.build_run_status_sensor_context(
        sensor_name=sensor.name,
        dagster_event=event,
        dagster_instance=instance,
        dagster_run=done.dagster_run,
        resources={"alerts": AlertReceivers()},
    )
    skipped = sensor(context.for_run_failure() if error else context)
    return skipped.skip_message if skipped else None


def test_the_first_failure_is_told_with_its_cure_then_none_until_it_works_again(
    instance: dg.DagsterInstance, webhook: Webhook, location: Location
) -> None:
    found = alert_definitions(location.definitions)
    sensors = {sensor.name: sensor for sensor in found.sensors or ()}
    wrong = dg.Failure("NotFound: CRM.PUBLIC.SEATS has no column SEATS.", allow_retries=False)
    assert run(instance, None, sensors) == "seats: the run before ended the same way"
    assert run(instance, wrong, sensors) is None
    assert run(instance, wrong, sensors) == "seats: the run before ended the same way"
    assert run(instance, None, sensors) is None
    failed, works = webhook.texts
    assert failed.startswith("*seats fails*\n<https://dagster.example/runs/")
    assert "NotFound: CRM.PUBLIC.SEATS has no column SEATS. (run " in failed
    assert "<https://dagster.example/assets/planhat/metrics/seats|Asset planhat/metrics/seats>" in failed
    assert works.startswith("*seats works again*\n")


def test_the_text_of_an_error_that_is_not_ours_stays_in_dagster(
    instance: dg.DagsterInstance, webhook: Webhook, location: Location
) -> None:
    sensors = {sensor.name: sensor for sensor in alert_definitions(location.definitions).sensors or ()}
    assert run(instance, ValueError(f"could not read {SECRET}"), sensors) is None
    assert "|ValueError (run " in webhook.texts[0]
    assert SECRET not in webhook.texts[0]


def test_the_sensors_run_only_where_somebody_is_named(
    location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    def statuses() -> set[str]:
        return {each.default_status.value for each in alert_definitions(location.definitions).sensors or ()}  # type: ignore[union-attr]

    assert statuses() == {"STOPPED"}
    monkeypatch.setenv("PLANHAT_ALERT_MAIL_TO", "ann@example.com")
    assert statuses() == {"RUNNING"}
