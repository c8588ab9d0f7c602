"""What every sync looks like in Dagster: one downstream asset, its checks, its job, its schedule."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import dagster as dg

from planhat_pipelines.engine.due import Due, due
from planhat_pipelines.engine.lines import Line
from planhat_pipelines.orchestration import keys, show
from planhat_pipelines.orchestration.failures import misfits, permanent_errors_fail
from planhat_pipelines.orchestration.resources import LedgerDatabase, PlanhatTenant
from planhat_pipelines.orchestration.schedules import SYNC_TAG, drop_sensor, freshness, sync_schedule
from planhat_pipelines.spec.cadence import Every

if TYPE_CHECKING:
    from planhat_pipelines.engine.protocols import Source
    from planhat_pipelines.engine.report import Report
    from planhat_pipelines.engine.run import Sync
    from planhat_pipelines.ledger import Ledger
    from planhat_pipelines.planhat.client import Planhat

_CHECKS = {
    "verdicts_balance": "Every row read has exactly one verdict.",
    "no_rejections": "No row was refused.",
    "nothing_held": "Planhat answered every request.",
    "all_readable": "Nothing had to be set aside as unreadable.",
    "source_as_mapped": "Table, key and mapping fit each other and the tenant.",
}


class Declared(Protocol):
    """What all specs of syncs have in common."""

    @property
    def name(self) -> str: ...
    @property
    def every(self) -> Every: ...
    @property
    def description(self) -> str | None: ...
    @property
    def owners(self) -> tuple[str, ...]: ...
    @property
    def tags(self) -> dict[str, str]: ...
    def model_dump_json(self) -> str: ...


@dataclass(frozen=True)
class ShownSync:
    """A declared sync with what Dagster shows of it.

    kind: metrics, activities or a model's name. source: the upstream asset, and its name as people know it.
    resource: the key of the resource that opens the source. pool: lets one run at a time write a model.
    """

    spec: Declared
    kind: str
    source_key: dg.AssetKey
    source_name: str
    resource: str
    lines: Sequence[Line]
    pool: str | None = None

    @property
    def key(self) -> dg.AssetKey:
        """The downstream asset."""
        return keys.planhat(self.kind, self.spec.name)

    def asset_arguments(self) -> Mapping[str, Any]:
        """Arguments of the `multi_asset` that runs the sync."""
        spec, table = self.spec, self.source_name
        shown = dg.AssetSpec(
            self.key,
            deps=[self.source_key],
            description=spec.description or f"Rows of {table} as Planhat {self.kind}.",
            group_name="planhat",
            kinds={"planhat"},
            owners=list(spec.owners),
            tags=spec.tags,
            freshness_policy=freshness(spec.every),
            code_version=hashlib.blake2b(spec.model_dump_json().encode(), digest_size=8).hexdigest(),
            metadata={
                "mapping": show.mapping_table(self.lines, table),
                "dagster/column_schema": show.column_schema(self.lines, table),
                "dagster/column_lineage": show.column_lineage(self.lines, self.source_key),
                "cadence": f"{spec.every.at} ({spec.every.timezone})",
            },
        )
        return {
            "name": f"{spec.name}_sync",
            "specs": [shown],
            "check_specs": [
                dg.AssetCheckSpec(name, asset=self.key, description=promise)
                for name, promise in _CHECKS.items()
            ],
            "retry_policy": dg.RetryPolicy(max_retries=1, delay=30, backoff=dg.Backoff.EXPONENTIAL),
            "op_tags": {SYNC_TAG: spec.name},
            "pool": self.pool,
        }

    def execute(
        self,
        context: dg.AssetExecutionContext,
        planhat: PlanhatTenant,
        ledger: LedgerDatabase,
        opened: Callable[[Planhat, Ledger], AbstractContextManager[Sync]],
        more: Callable[[Ledger], Mapping[str, Any]] = lambda _: {},
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]:
        """Run the sync and tell Dagster of it. `opened`: the sync over open connections; `more`: further metadata."""
        with permanent_errors_fail(), ledger.open() as book, planhat.client(book) as client:
            try:
                with opened(client, book) as sync:
                    report = sync.run(context.run.run_id, context.log.info)
                    shown = {**show.run_metadata(report), **more(book)}
                    observed = show.source_metadata(sync.source, report)
            except misfits() as error:
                yield self._check("source_as_mapped", False, dg.AssetCheckSeverity.ERROR, problem=str(error))
                raise
        context.log_event(dg.AssetObservation(self.source_key, metadata=observed))
        yield dg.MaterializeResult(self.key, metadata=shown, check_results=self._checks(report))

    def definitions(
        self,
        asset: dg.AssetsDefinition,
        source: Callable[[Any, Ledger], AbstractContextManager[Source]],
        arrived: Callable[[Any], list[str]] | None = None,
    ) -> dg.Definitions:
        """The asset with its job and its schedule, which asks whether a run is due. `source`: opened with the
        resource of the source. `arrived`: asks for events, where there are any."""
        spec = self.spec
        job = dg.define_asset_job(
            f"{spec.name}_job",
            selection=dg.AssetSelection.assets(asset),
            tags={SYNC_TAG: spec.name},
            description=f"Run the sync {spec.name} now.",
        )

        def look(resource: Any, book: Ledger) -> Due:
            with source(resource, book) as opened:
                return due(spec.name, opened, book)

        schedule = sync_schedule(spec.name, spec.every, job.name, self.key, self.resource, look)
        sensors = [drop_sensor(spec.name, job.name, arrived)] if arrived else []
        return dg.Definitions(assets=[asset], jobs=[job], schedules=[schedule], sensors=sensors)

    def _checks(self, report: Report) -> list[dg.AssetCheckResult]:
        warn, error = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR
        rows, answered = report.rows_read, report.answered
        refused, held = report.verdicts["refused"], report.verdicts["held"]
        return [
            self._check("verdicts_balance", rows == answered, error, rows=rows, answered=answered),
            self._check("no_rejections", refused == 0, warn, refused=refused, rows=rows),
            self._check("nothing_held", held == 0, error, held=held),
            self._check("all_readable", not report.unreadable, error, unreadable=len(report.unreadable)),
            self._check("source_as_mapped", True, error),
        ]

    def _check(
        self, name: str, passed: bool, severity: dg.AssetCheckSeverity, **metadata: int | str
    ) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(
            passed=passed, asset_key=self.key, check_name=name, severity=severity, metadata=metadata
        )
