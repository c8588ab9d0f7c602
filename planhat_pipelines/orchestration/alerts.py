"""Sensors that tell people: a sync fails, or works again; an asset is overdue, or too many of its rows are refused.

Each is told once when it begins and once when it ends. A sync that fails for long is told of a second time, when its
asset is overdue. No customer's value is in it.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from planhat_pipelines.engine.environment import alert_receivers
from planhat_pipelines.orchestration.schedules import SYNC_TAG

if TYPE_CHECKING:
    from dagster_shared.error import SerializableErrorInfo

    from planhat_pipelines.engine.alerts import Receivers

_FEW = 10  # refused rows that are no reason to wake anybody, whatever their share
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_UNTOLD = "nobody is told: set PLANHAT_ALERT_WEBHOOK or PLANHAT_ALERT_MAIL_TO"


class AlertReceivers(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Who is told when something is wrong; leave all out and set PLANHAT_ALERT_... variables."""

    webhook: str | None = Field(default=None, description="Of Slack, or of what takes its form.")
    mail_to: str | None = Field(default=None, description="Addresses with commas between.")
    mail_from: str | None = None
    smtp_host: str | None = None
    smtp_port: str | None = None
    smtp_user: str | None = None
    smtp_password: str | None = None
    smtp_security: str | None = Field(default=None, description="starttls, tls or none.")
    refused: str | None = Field(default=None, description="The share of refused rows that is too many; 0.05.")
    dagster_url: str | None = Field(default=None, description="Where these pages are, for links.")

    def receivers(self) -> "Receivers":
        """The receivers as the engine takes them."""
        given = {
            name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None
        }
        return alert_receivers(os.environ, **given)


@dataclass(frozen=True)
class Watched:
    """One asset that a sync makes, and after how many seconds it is overdue."""

    key: dg.AssetKey
    sync: str
    overdue: float


def alert_definitions(synced: dg.Definitions) -> dg.Definitions:
    """The sensors for these syncs, and their resource. They run where there is somebody to tell."""
    watched = [
        Watched(spec.key, each.op.tags[SYNC_TAG], _fail_seconds(spec))
        for each in synced.assets or ()
        if isinstance(each, dg.AssetsDefinition) and SYNC_TAG in each.op.tags
        for spec in each.specs
    ]
    told = any(os.environ.get(f"PLANHAT_ALERT_{name}") for name in ("WEBHOOK", "MAIL_TO"))
    status = dg.DefaultSensorStatus.RUNNING if told else dg.DefaultSensorStatus.STOPPED
    sensors = [*run_sensors(watched, status), state_sensor(watched, status)]
    return dg.Definitions(resources={"alerts": AlertReceivers()}, sensors=sensors)


def run_sensors(watched: Sequence[Watched], status: dg.DefaultSensorStatus) -> list[dg.SensorDefinition]:
    """When a sync's run fails, and when the next one succeeds."""

    @dg.run_failure_sensor(
        name="alert_failed", default_status=status, description="Tells of the first failed run of a sync."
    )
    def failed(context: dg.RunFailureSensorContext, alerts: AlertReceivers) -> dg.SkipReason | None:
        errors = [
            event.step_failure_data.error
            for event in context.get_step_failure_events()
            if event.step_failure_data.error
        ]
        why = _why(errors[0]) if errors else "the process ended"
        return _tell(context, alerts, dg.DagsterRunStatus.SUCCESS, "fails", why)

    @dg.run_status_sensor(
        name="alert_works_again",
        run_status=dg.DagsterRunStatus.SUCCESS,
        default_status=status,
        description="Tells of the first good run after a failed one.",
    )
    def works_again(context: dg.RunStatusSensorContext, alerts: AlertReceivers) -> dg.SkipReason | None:
        return _tell(context, alerts, dg.DagsterRunStatus.FAILURE, "works again", "the last run succeeded")

    def _tell(
        context: dg.RunStatusSensorContext,
        alerts: AlertReceivers,
        before: dg.DagsterRunStatus,
        what: str,
        why: str,
    ) -> dg.SkipReason | None:
        """Send it if the run before ended in `before`; a sync that fails at once fails for the first time."""
        from planhat_pipelines.engine.alerts import Alert, Line

        run, receivers = context.dagster_run, alerts.receivers()
        sync = run.tags.get(SYNC_TAG)
        if sync is None or not receivers:
            return dg.SkipReason("no run of a sync" if receivers else _UNTOLD)
        ended = context.instance.get_runs(dg.RunsFilter(tags={SYNC_TAG: sync}, statuses=_ENDED), limit=2)
        last = next((each.status for each in ended if each.run_id != run.run_id), dg.DagsterRunStatus.SUCCESS)
        if last != before:
            return dg.SkipReason(f"{sync}: the run before ended the same way")
        links = [
            Line(f"Asset {each.key.to_user_string()}", receivers.link("assets", *each.key.path))
            for each in watched
            if each.sync == sync
        ]
        first = Line(f"{why} (run {run.run_id[:8]})", receivers.link("runs", run.run_id))
        receivers.send(Alert(f"{sync} {what}", [first, *links]))
        return None

    return [failed, works_again]


def state_sensor(
    watched: Sequence[Watched], status: dg.DefaultSensorStatus, clock: Callable[[], float] = time.time
) -> dg.SensorDefinition:
    """When an asset becomes overdue, or too many of its rows are refused, and when that is over. What was told stands
    in the cursor, which moves only after it was told."""

    @dg.sensor(
        name="alert_state",
        minimum_interval_seconds=300,
        default_status=status,
        description="Tells of assets that are overdue and of syncs that refuse too many rows.",
    )
    def state(context: dg.SensorEvaluationContext, alerts: AlertReceivers) -> dg.SkipReason | dg.SensorResult:
        from planhat_pipelines.engine.alerts import Alert, Line

        receivers = alerts.receivers()
        if not receivers:
            return dg.SkipReason(_UNTOLD)
        told: dict[str, str] = json.loads(context.cursor or "{}")
        found = dict(_troubles(context.instance, watched, receivers.refused_share, clock()))
        begun = {place: text for place, text in found.items() if place not in told}
        over = {place: text for place, text in told.items() if place not in found}
        lines = [
            Line(text, receivers.link("assets", *_path(place)))
            for place, text in [*begun.items(), *((place, f"Over: {text}") for place, text in over.items())]
        ]
        if not lines:
            return dg.SkipReason(f"{len(found)} troubles, all told" if found else "all is well")
        title = _title(len(begun), len(over))
        receivers.send(Alert(title, lines))
        cursor = json.dumps({place: told.get(place, text) for place, text in found.items()})
        return dg.SensorResult(skip_reason=f"told: {title}", cursor=cursor)

    return state


def _troubles(
    instance: dg.DagsterInstance, watched: Iterable[Watched], share: float, now: float
) -> Iterable[tuple[str, str]]:
    """What is wrong, by asset and kind."""
    for each in watched:
        event = instance.get_latest_materialization_event(each.key)
        if event is None or event.asset_materialization is None:
            continue  # a sync that has never run is not overdue, but new
        name = each.key.to_user_string()
        if now - event.timestamp > each.overdue:
            hours = (now - event.timestamp) / 3600
            yield f"overdue {name}", f"{name} is overdue: no run came to its end for {hours:.1f} hours"
        rows, refused = (
            _figure(event.asset_materialization.metadata, key) for key in ("rows_read", "refused")
        )
        if rows and refused >= _FEW and refused / rows > share:
            yield (
                f"refused {name}",
                f"{name}: {refused:,} of {rows:,} rows refused, more than {share:.0%} "
                f"(planhat-pipelines rejections --sync {each.sync})",
            )


def _figure(metadata: Mapping[str, Any], name: str) -> int:
    return int(metadata[name].value) if name in metadata else 0


def _path(place: str) -> Sequence[str]:
    return dg.AssetKey.from_user_string(place.partition(" ")[2]).path


def _title(begun: int, over: int) -> str:
    parts = [f"{begun} new" if begun else "", f"{over} over" if over else ""]
    return f"Planhat syncs: {', '.join(filter(None, parts))}"


def _why(error: "SerializableErrorInfo") -> str:
    """Only failures that the project words itself are repeated; another error's text may hold a value."""
    while error.cause and str(error.cls_name).startswith("Dagster"):
        error = error.cause
    if error.cls_name == "Failure":
        return error.message.strip().partition("Failure: ")[2] or error.message.strip()
    return str(error.cls_name)


def _fail_seconds(spec: dg.AssetSpec) -> float:
    window: Any = getattr(spec.freshness_policy, "fail_window", None)
    return window.to_timedelta().total_seconds() if window is not None else float("inf")
