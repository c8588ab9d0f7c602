"""A records spec as Dagster definitions."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from pydantic import Field

from planhat_pipelines.engine.crm import records_lines, records_source, records_sync
from planhat_pipelines.orchestration.resources import LedgerDatabase, PlanhatTenant, SnowflakeSignIn
from planhat_pipelines.orchestration.syncs import SnowflakeSync
from planhat_pipelines.snowflake.tables import Table
from planhat_pipelines.spec.base import table_parts
from planhat_pipelines.spec.records import RecordsSpec


class RecordsRun(dg.Config):
    """What one run may do differently from the schedule's."""

    full: bool = Field(default=False, description="Read the whole table and compare it with what was sent.")
    allow_many_changes: bool = Field(
        default=False, description="Let more changes through than the brake allows."
    )


def records_definitions(spec: RecordsSpec) -> dg.Definitions:
    """All that Dagster knows of one records sync. Its pool lets one run at a time write a model."""
    table = Table(*table_parts(spec.table))
    sync = SnowflakeSync(spec, spec.model, table, records_lines(spec), pool=f"planhat_{spec.model}")

    @dg.multi_asset(**sync.asset_arguments())
    def run(
        context: dg.AssetExecutionContext,
        config: RecordsRun,
        snowflake: SnowflakeSignIn,
        planhat: PlanhatTenant,
        ledger: LedgerDatabase,
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]:
        yield from sync.execute(
            context,
            snowflake,
            planhat,
            ledger,
            lambda session, client, book: records_sync(
                spec,
                session,
                client,
                book,
                log=context.log.info,
                full=config.full,
                allow_many_changes=config.allow_many_changes,
            ),
        )

    return sync.definitions(run, lambda session: records_source(spec, session))
