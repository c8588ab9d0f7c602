"""A usage spec as Dagster definitions."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg

from planhat_pipelines.engine.lineage.lines import usage_lines
from planhat_pipelines.orchestration import keys
from planhat_pipelines.orchestration.dryrun import SyncRun
from planhat_pipelines.orchestration.resources import LedgerDatabase, PlanhatTenant, SnowflakeSignIn
from planhat_pipelines.orchestration.syncs import ShownSync
from planhat_pipelines.snowflake.tables import Table
from planhat_pipelines.spec.base import table_parts
from planhat_pipelines.spec.usage import UsageSpec

if TYPE_CHECKING:
    from planhat_pipelines.engine.protocols import Source
    from planhat_pipelines.engine.run import Sync
    from planhat_pipelines.ledger import Ledger
    from planhat_pipelines.planhat.client import Planhat


def usage_definitions(spec: UsageSpec) -> dg.Definitions:
    """All that Dagster knows of one usage sync."""
    kind, table = "metrics" if spec.metrics else "activities", Table(*table_parts(spec.table))
    shown = ShownSync(spec, kind, keys.snowflake_table(table), str(table), "snowflake", usage_lines(spec))

    @dg.multi_asset(**shown.asset_arguments())
    def run(
        context: dg.AssetExecutionContext,
        config: SyncRun,
        snowflake: SnowflakeSignIn,
        planhat: PlanhatTenant,
        ledger: LedgerDatabase,
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any] | dg.Output[None]]:
        from planhat_pipelines.engine.syncs.usage import usage_sync

        @contextmanager
        def opened(client: "Planhat", book: "Ledger") -> "Generator[Sync]":
            with snowflake.connection() as session:
                yield usage_sync(spec, session, client, book, planhat.patience)

        yield from shown.run(context, config, planhat, ledger, opened)

    @contextmanager
    def source(snowflake: SnowflakeSignIn, book: "Ledger") -> "Generator[Source]":
        from planhat_pipelines.engine.syncs.usage import usage_source

        with snowflake.connection() as session:
            yield usage_source(spec, session)

    return shown.definitions(run, source)
