"""Two checks that look at what a run would only stumble over: the shape of both sides, and a source gone quiet."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from planhat_pipelines.orchestration.declared import scheduled_checks
from planhat_pipelines.orchestration.failures import permanent_errors_fail
from planhat_pipelines.orchestration.show import table
from planhat_pipelines.spec.files import FilesSpec

if TYPE_CHECKING:
    from planhat_pipelines.engine.checks.drift import Change, Shape
    from planhat_pipelines.spec.kinds import AnySpec

SHAPE = "shape_as_last_seen"
COMING = "rows_keep_coming"
_SEEN = "seen"
_ENDED = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}


def watch_checks(spec: "AnySpec", key: dg.AssetKey) -> list[dg.AssetChecksDefinition]:
    """Both checks for one sync."""
    return [_shape_check(spec, key), _coming_check(spec, key)]


def _shape_check(spec: "AnySpec", key: dg.AssetKey) -> dg.AssetChecksDefinition:
    sources = set[str]() if isinstance(spec, FilesSpec) else {"snowflake"}

    @dg.asset_check(
        asset=key,
        name=SHAPE,
        description=(
            "Columns of the source and custom fields of the model have not appeared, vanished or changed their type "
            "since this check last looked; and what the mapping uses is there and can be written."
        ),
        required_resource_keys={"ledger", "planhat", *sources},
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        from planhat_pipelines.engine.checks.drift import changes, shape

        resources: Any = context.resources
        with permanent_errors_fail(), ExitStack() as stack:
            ledger = stack.enter_context(resources.ledger.open())
            planhat = stack.enter_context(resources.planhat.client(ledger))
            session = stack.enter_context(resources.snowflake.connection()) if sources else None
            now = shape(spec, session, planhat)
        found = changes(spec, _last_seen(context.instance, dg.AssetCheckKey(key, SHAPE)), now)
        hit = [each for each in found if each.mapped]
        return dg.AssetCheckResult(
            passed=not found,
            severity=dg.AssetCheckSeverity.ERROR if hit else dg.AssetCheckSeverity.WARN,
            description=f"{len(found)} changes, {len(hit)} of them in what the mapping uses",
            metadata={**_table(found), _SEEN: dg.MetadataValue.json(cast("dict[str, Any]", now))},
        )

    return check


def _coming_check(spec: "AnySpec", key: dg.AssetKey) -> dg.AssetChecksDefinition:
    name = spec.name

    @dg.asset_check(
        asset=key,
        name=COMING,
        description="The source is not without rows for three times as long as it ever was, and for a day.",
        required_resource_keys={"ledger"},
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        from datetime import UTC, datetime

        from planhat_pipelines.engine.checks.silence import RUNS, silence

        resources: Any = context.resources
        with resources.ledger.open() as ledger:
            found = silence(ledger.runs(name, limit=RUNS), datetime.now(UTC))
        return dg.AssetCheckResult(
            passed=not found.is_unusual, severity=dg.AssetCheckSeverity.WARN, description=found.text
        )

    return check


def watch_daily(synced: dg.Definitions) -> dg.Definitions:
    """A job that runs these checks of all syncs, and its schedule."""
    what = "Look whether the shape of both sides changed, and whether rows keep coming, sync by sync."
    return scheduled_checks(synced, {SHAPE, COMING}, "watch_sources", "30 5 * * *", what)


def _last_seen(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> "Shape | None":
    """What the check saw when it last came to its end."""
    for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=1, status=_ENDED):
        event = record.event and record.event.dagster_event
        if event is not None:
            kept = event.asset_check_evaluation_data.metadata.get(_SEEN)
            return cast("Shape", kept.value) if kept is not None else None
    return None


def _table(found: "Iterable[Change]") -> Mapping[str, Any]:
    rows = [
        {"side": each.side, "name": each.name, "what": each.what, "mapped": "yes" if each.mapped else "no"}
        for each in found
    ]
    return {"changes": table(rows)} if rows else {}
