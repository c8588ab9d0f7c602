"""A records spec that goes to Planhat only, as Dagster definitions."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from planhat_pipelines.engine.lineage.lines import records_lines
from planhat_pipelines.orchestration import keys
from planhat_pipelines.orchestration.dryrun import SyncRun
from planhat_pipelines.orchestration.resources import LedgerDatabase, PlanhatTenant, SnowflakeSignIn
from planhat_pipelines.orchestration.syncs import ShownSync
from planhat_pipelines.snowflake.tables import Table
from planhat_pipelines.spec.base import table_parts
from planhat_pipelines.spec.records import RecordsSpec

if TYPE_CHECKING:
    from planhat_pipelines.engine.protocols import Source
    from planhat_pipelines.engine.run import Sync
    from planhat_pipelines.ledger import Ledger
    from planhat_pipelines.planhat.client import Planhat


class RecordsRun(SyncRun):
    """What one run may do differently from the schedule's."""

    full: bool = Field(
        default=False,
        description="Read everything, not only what changed, and compare it with what is known to be there.",
    )
    allow_many_changes: bool = Field(
        default=False, description="Let more changes through than the brake allows."
    )


def records_definitions(spec: RecordsSpec) -> dg.Definitions:
    """All that Dagster knows of one records sync."""
    table = Table(*table_parts(spec.table))
    shown = ShownSync(
        spec,
        spec.model,
        keys.snowflake_table(table),
        str(table),
        "snowflake",
        records_lines(spec),
        pool=f"planhat_{spec.model}",
    )

    @dg.multi_asset(**shown.asset_arguments())
    def run(
        context: dg.AssetExecutionContext,
        config: RecordsRun,
        snowflake: SnowflakeSignIn,
        planhat: PlanhatTenant,
        ledger: LedgerDatabase,
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any] | dg.Output[None]]:
        from planhat_pipelines.engine.syncs.records import records_sync

        @contextmanager
        def opened(client: "Planhat", book: "Ledger") -> "Generator[Sync]":
            with snowflake.connection() as session:
                yield records_sync(
                    spec,
                    session,
                    client,
                    book,
                    log=context.log.info,
                    full=config.full,
                    allow_many_changes=config.allow_many_changes,
                    lag=snowflake.commit_lag,
                )

        yield from shown.run(context, config, planhat, ledger, opened)

    @contextmanager
    def source(snowflake: SnowflakeSignIn, book: "Ledger") -> "Generator[Source]":
        from planhat_pipelines.engine.syncs.records import records_source

        with snowflake.connection() as session:
            yield records_source(spec, session)

    return shown.definitions(run, source)
