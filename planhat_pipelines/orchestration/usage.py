"""A usage spec as Dagster definitions: the downstream asset, its checks, its job and its schedule."""

import hashlib
from collections.abc import Iterator
from typing import Any

import dagster as dg

from planhat_pipelines.engine.due import due
from planhat_pipelines.engine.report import Report
from planhat_pipelines.engine.usage import mapping_lines, source_table, usage_source, usage_sync
from planhat_pipelines.mapping.columns import MappingError
from planhat_pipelines.orchestration import keys, show
from planhat_pipelines.orchestration.failures import permanent_errors_fail
from planhat_pipelines.orchestration.resources import LedgerDatabase, PlanhatTenant, SnowflakeSignIn
from planhat_pipelines.orchestration.schedules import SYNC_TAG, sync_schedule
from planhat_pipelines.snowflake.errors import KeyColumnError, NotFound
from planhat_pipelines.spec.usage import UsageSpec

_UNFIT = (MappingError, NotFound, KeyColumnError)
_CHECKS = {
    "verdicts_balance": "Every row read has exactly one verdict.",
    "no_rejections": "No row was refused.",
    "nothing_held": "Planhat answered every request.",
    "source_as_mapped": "The table has the mapped columns and a sound key.",
}


def usage_definitions(spec: UsageSpec) -> dg.Definitions:
    """All that Dagster knows of one usage sync."""
    asset = _asset(spec)
    job = dg.define_asset_job(
        f"{spec.name}_job",
        selection=dg.AssetSelection.assets(asset),
        tags={SYNC_TAG: spec.name},
        description=f"Run the sync {spec.name} now.",
    )
    return dg.Definitions(assets=[asset], jobs=[job], schedules=[_schedule(spec, job.name)])


def asset_key(spec: UsageSpec) -> dg.AssetKey:
    """The key of the asset a spec makes."""
    return keys.planhat("metrics" if spec.metrics else "activities", spec.name)


def _asset(spec: UsageSpec) -> dg.AssetsDefinition:
    key, source = asset_key(spec), keys.snowflake_table(source_table(spec))
    lines, table = mapping_lines(spec), str(source_table(spec))

    @dg.multi_asset(
        name=f"{spec.name}_sync",
        specs=[
            dg.AssetSpec(
                key,
                deps=[source],
                description=spec.description or f"Usage rows of {table} as Planhat {key.path[1]}.",
                group_name="planhat",
                kinds={"planhat"},
                owners=list(spec.owners),
                tags=spec.tags,
                code_version=hashlib.blake2b(spec.model_dump_json().encode(), digest_size=8).hexdigest(),
                metadata={
                    "mapping": show.mapping_table(lines, table),
                    "dagster/column_schema": show.column_schema(lines, table),
                    "dagster/column_lineage": show.column_lineage(lines, source),
                    "cadence": f"{spec.every.at} ({spec.every.timezone})",
                },
            )
        ],
        check_specs=[
            dg.AssetCheckSpec(name, asset=key, description=promise) for name, promise in _CHECKS.items()
        ],
        retry_policy=dg.RetryPolicy(max_retries=1, delay=30, backoff=dg.Backoff.EXPONENTIAL),
        op_tags={SYNC_TAG: spec.name},
    )
    def sync(
        context: dg.AssetExecutionContext,
        snowflake: SnowflakeSignIn,
        planhat: PlanhatTenant,
        ledger: LedgerDatabase,
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]:
        with (
            permanent_errors_fail(),
            ledger.open() as book,
            snowflake.connection() as session,
            planhat.client(book) as client,
        ):
            try:
                report = usage_sync(spec, session, client, book, planhat.patience).run(
                    context.run_id, context.log.info
                )
            except _UNFIT as error:
                yield _check(key, "source_as_mapped", False, dg.AssetCheckSeverity.ERROR, problem=str(error))
                raise
        context.log_event(
            dg.AssetObservation(
                source, metadata={"rows_read": report.rows_read, "read_up_to": show.cursor(report.cursor_to)}
            )
        )
        yield dg.MaterializeResult(
            key, metadata=show.run_metadata(report), check_results=_checks(key, report)
        )

    return sync


def _checks(key: dg.AssetKey, report: Report) -> list[dg.AssetCheckResult]:
    warn, error = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR
    refused, held = report.verdicts["refused"], report.verdicts["held"]
    return [
        _check(
            key,
            "verdicts_balance",
            report.rows_read == report.answered,
            error,
            rows=report.rows_read,
            answered=report.answered,
        ),
        _check(key, "no_rejections", refused == 0, warn, refused=refused, rows=report.rows_read),
        _check(key, "nothing_held", held == 0, error, held=held),
        _check(key, "source_as_mapped", True, error),
    ]


def _check(
    key: dg.AssetKey, name: str, passed: bool, severity: dg.AssetCheckSeverity, **metadata: int | str
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=passed, asset_key=key, check_name=name, severity=severity, metadata=metadata
    )


def _schedule(spec: UsageSpec, job: str) -> dg.ScheduleDefinition:
    def look(snowflake: SnowflakeSignIn, ledger: LedgerDatabase) -> tuple[bool, str]:
        with ledger.open() as book, snowflake.connection() as session:
            found = due(spec.name, usage_source(spec, session), book)
            return found.run, found.why

    return sync_schedule(spec.name, spec.every, job, look)
