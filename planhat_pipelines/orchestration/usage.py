"""A usage spec as Dagster definitions."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from planhat_pipelines.engine.usage import mapping_lines, source_table, usage_source, usage_sync
from planhat_pipelines.orchestration.resources import LedgerDatabase, PlanhatTenant, SnowflakeSignIn
from planhat_pipelines.orchestration.syncs import SnowflakeSync
from planhat_pipelines.spec.usage import UsageSpec


def usage_definitions(spec: UsageSpec) -> dg.Definitions:
    """All that Dagster knows of one usage sync."""
    kind = "metrics" if spec.metrics else "activities"
    sync = SnowflakeSync(spec, kind, source_table(spec), mapping_lines(spec))

    @dg.multi_asset(**sync.asset_arguments())
    def run(
        context: dg.AssetExecutionContext,
        snowflake: SnowflakeSignIn,
        planhat: PlanhatTenant,
        ledger: LedgerDatabase,
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]:
        yield from sync.execute(
            context,
            snowflake,
            planhat,
            ledger,
            lambda session, client, book: usage_sync(spec, session, client, book, planhat.patience),
        )

    return sync.definitions(run, lambda session: usage_source(spec, session))
