"""A sync that goes one way: one downstream asset, its checks, its job, its schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from planhat_pipelines.engine.due import Due, due
from planhat_pipelines.engine.lineage.lines import Line
from planhat_pipelines.orchestration import keys, openlineage, show
from planhat_pipelines.orchestration.declared import (
    CHECKS,
    SOURCE_AS_MAPPED,
    account_checked,
    checked,
    made_asset,
    op_arguments,
    row_logged,
    scheduled,
)
from planhat_pipelines.orchestration.dryrun import SyncRun, dry_run
from planhat_pipelines.orchestration.failures import misfits, permanent_errors_fail
from planhat_pipelines.orchestration.resources import LedgerDatabase, PlanhatTenant
from planhat_pipelines.orchestration.schedules import drop_sensor
from planhat_pipelines.orchestration.verify import holds_checks
from planhat_pipelines.orchestration.watch import watch_checks
from planhat_pipelines.spec.kinds import AnySpec

if TYPE_CHECKING:
    from planhat_pipelines.engine.plans.plan import Plan
    from planhat_pipelines.engine.protocols import Source
    from planhat_pipelines.engine.report import Report
    from planhat_pipelines.engine.run import Sync
    from planhat_pipelines.ledger import Ledger
    from planhat_pipelines.planhat.client import Planhat


@dataclass(frozen=True)
class ShownSync:
    """A declared sync with what Dagster shows of it.

    kind: metrics, activities or a model's name. source: the upstream asset, and its name as people know it.
    resource: the key of the resource that opens the source. pool: lets one run at a time write a model.
    """

    spec: AnySpec
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
        shown = made_asset(
            spec,
            self.key,
            self.source_key,
            "planhat",
            spec.description or f"Rows of {table} as Planhat {self.kind}.",
            {
                "mapping": show.mapping_table(self.lines, table),
                "dagster/column_schema": show.column_schema(self.lines, table),
                "dagster/column_lineage": show.column_lineage(self.lines, self.source_key),
            },
        )
        return op_arguments(spec, [shown], {self.key: CHECKS}, self.pool)

    def run(
        self,
        context: dg.AssetExecutionContext,
        config: SyncRun,
        planhat: PlanhatTenant,
        ledger: LedgerDatabase,
        opened: Callable[[Planhat, Ledger], AbstractContextManager[Sync]],
        more: Callable[[Ledger], Mapping[str, Any]] = lambda _: {},
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any] | dg.Output[None]]:
        """Run the sync and tell Dagster of it, or say what a run would do. `opened`: the sync over open connections;
        `more`: further metadata."""
        if config.dry_run:
            from planhat_pipelines.engine.plans.review import planned

            def plan(client: Planhat, book: Ledger) -> Plan:
                return planned(self.spec, client, lambda: opened(client, book))

            yield from dry_run(context, self.spec, [self.key], planhat, ledger, plan)
            return
        with (
            permanent_errors_fail(),
            openlineage.told(self.spec, context, planhat) as account,
            ledger.open() as book,
            row_logged(context, self.spec, book),
            planhat.client(book) as client,
        ):
            try:
                with opened(client, book) as sync:
                    report = sync.run(context.run.run_id, context.log.info)
                    account(report.counts)
                    shown = {**show.run_metadata(report, book.runs(self.spec.name)), **more(book)}
                    observed = show.source_metadata(sync.source, report)
            except misfits() as error:
                severity = dg.AssetCheckSeverity.ERROR
                yield checked(self.key, SOURCE_AS_MAPPED, False, severity, problem=str(error))
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
        name = self.spec.name

        def look(resources: Any, book: Ledger) -> Due:
            with source(getattr(resources, self.resource), book) as opened:
                return due(name, {"the source": opened.changed}, book)

        def sensors(job: str) -> Sequence[dg.SensorDefinition]:
            return [drop_sensor(name, job, arrived)] if arrived else []

        checks = [*holds_checks(self.spec, self.key), *watch_checks(self.spec, self.key)]
        return scheduled(self.spec, asset, {self.resource}, look, sensors, checks)

    def _checks(self, report: Report) -> list[dg.AssetCheckResult]:
        error = dg.AssetCheckSeverity.ERROR
        held, unreadable = report.verdicts["held"], len(report.unreadable)
        return [
            *account_checked(self.spec, self.key, report),
            checked(self.key, "nothing_held", held == 0, error, held=held),
            checked(self.key, "all_readable", unreadable == 0, error, unreadable=unreadable),
            checked(self.key, SOURCE_AS_MAPPED, True, error),
        ]
