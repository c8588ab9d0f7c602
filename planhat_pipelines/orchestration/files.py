"""A files spec as Dagster definitions."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg

from planhat_pipelines.engine.lineage.lines import files_lines
from planhat_pipelines.orchestration import keys, show
from planhat_pipelines.orchestration.dryrun import SyncRun
from planhat_pipelines.orchestration.resources import LedgerDatabase, PlanhatTenant, S3SignIn
from planhat_pipelines.orchestration.syncs import ShownSync
from planhat_pipelines.spec.files import FilesSpec

if TYPE_CHECKING:
    from planhat_pipelines.engine.protocols import Source
    from planhat_pipelines.engine.run import Sync
    from planhat_pipelines.ledger import Ledger
    from planhat_pipelines.planhat.client import Planhat


def files_definitions(spec: FilesSpec) -> dg.Definitions:
    """All that Dagster knows of one files sync."""
    kind = spec.records.model if spec.records else "metrics" if spec.metrics else "activities"
    shown = ShownSync(
        spec,
        kind,
        keys.drops(spec.bucket, spec.prefix),
        f"s3://{spec.bucket}/{spec.prefix}",
        "s3",
        files_lines(spec),
        pool=f"planhat_{spec.records.model}" if spec.records else None,
    )

    @dg.multi_asset(**shown.asset_arguments())
    def run(
        context: dg.AssetExecutionContext,
        config: SyncRun,
        s3: S3SignIn,
        planhat: PlanhatTenant,
        ledger: LedgerDatabase,
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any] | dg.Output[None]]:
        from planhat_pipelines.engine.syncs.files import files_sync

        @contextmanager
        def opened(client: "Planhat", book: "Ledger") -> "Generator[Sync]":
            yield files_sync(
                spec,
                s3.account(),
                client,
                book,
                spool=s3.spool,
                patience=planhat.patience,
                log=context.log.info,
            )

        yield from shown.run(
            context,
            config,
            planhat,
            ledger,
            opened,
            lambda book: {"drops": show.drops_table(book.drops(spec.name, limit=20))},
        )

    @contextmanager
    def source(s3: S3SignIn, book: "Ledger") -> "Generator[Source]":
        from planhat_pipelines.engine.syncs.files import files_source

        yield files_source(spec, s3.account(), book, s3.spool)

    def arrived(s3: S3SignIn) -> list[str]:
        from planhat_pipelines.engine.syncs.files import layout
        from planhat_pipelines.files import S3Client, hints

        mine = layout(spec)
        return [
            hint.key
            for hint in hints(S3Client(s3.account()), spec.events or "")
            if hint.bucket == spec.bucket and mine.takes(hint.key)
        ]

    return shown.definitions(run, source, arrived if spec.events else None)
