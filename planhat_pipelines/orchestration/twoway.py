"""A records spec that brings Planhat's changes back, as Dagster definitions: one op, and an asset on either side.

Where changes travel both ways, the records in Planhat come after the table, and what comes back to the table comes
after the records. A mirror only has the latter, after all records of its model.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from planhat_pipelines.engine.due import Due, due
from planhat_pipelines.engine.lineage.lines import Line, lines_back, records_lines
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
from planhat_pipelines.orchestration.dryrun import dry_run
from planhat_pipelines.orchestration.failures import misfits, permanent_errors_fail
from planhat_pipelines.orchestration.records import RecordsRun
from planhat_pipelines.orchestration.resources import LedgerDatabase, PlanhatTenant, SnowflakeSignIn
from planhat_pipelines.orchestration.watch import watch_checks
from planhat_pipelines.snowflake.tables import Table
from planhat_pipelines.spec.base import table_parts
from planhat_pipelines.spec.records import RecordsSpec

if TYPE_CHECKING:
    from planhat_pipelines.engine.twoway.report import TwoWayReport
    from planhat_pipelines.engine.twoway.sync import TwoWaySync
    from planhat_pipelines.ledger import Ledger, RunRecord
    from planhat_pipelines.planhat.client import Planhat

_ACCOUNT = {name: CHECKS[name] for name in ("verdicts_balance", "no_rejections")}
_MISFITS = {SOURCE_AS_MAPPED: CHECKS[SOURCE_AS_MAPPED]}
_SIDES = {
    "sides_agree": "Nothing that one side refused, in this run or an earlier one, keeps the two apart.",
    "no_conflicts": "No field had been changed on both sides.",
}


def two_way_definitions(spec: RecordsSpec) -> dg.Definitions:
    """All that Dagster knows of one records sync with `direction: both` or `to_snowflake`."""
    shown = ShownTwoWay(spec)

    @dg.multi_asset(**shown.asset_arguments())
    def run(
        context: dg.AssetExecutionContext,
        config: RecordsRun,
        snowflake: SnowflakeSignIn,
        planhat: PlanhatTenant,
        ledger: LedgerDatabase,
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any] | dg.Output[None]]:
        from planhat_pipelines.engine.twoway.build import two_way_sync

        if config.dry_run:
            yield from shown.dry_run(context, config, snowflake, planhat, ledger)
            return

        with (
            permanent_errors_fail(),
            openlineage.told(spec, context, planhat) as account,
            ledger.open() as book,
            row_logged(context, spec, book),
            planhat.client(book) as client,
        ):
            try:
                with snowflake.connection() as session:
                    sync = two_way_sync(
                        spec,
                        session,
                        client,
                        book,
                        log=context.log.info,
                        full=config.full,
                        allow_many_changes=config.allow_many_changes,
                        lag=snowflake.commit_lag,
                    )
                    report = sync.run(context.run.run_id, context.log.info)
                    account(report.counts)
                    context.log_event(shown.observed(sync, report))
            except misfits() as error:
                yield shown.misfit(error)
                raise
            yield from shown.made(report, len(book.rejections(spec.name)), book.runs(spec.name))

    def look(resources: Any, book: "Ledger") -> Due:
        from planhat_pipelines.engine.twoway.build import sides_changed

        with ExitStack() as stack:
            session = None if shown.is_mirror else stack.enter_context(resources.snowflake.connection())
            client = stack.enter_context(resources.planhat.client(book))
            return due(spec.name, sides_changed(spec, session, client), book)

    made = shown.back if shown.is_mirror else shown.in_planhat
    return scheduled(spec, run, {"snowflake", "planhat"}, look, checks=watch_checks(spec, made))


@dataclass(frozen=True)
class ShownTwoWay:
    """What Dagster shows of such a sync."""

    spec: RecordsSpec

    @property
    def is_mirror(self) -> bool:
        """Whether the table only takes what Planhat has."""
        return self.spec.direction == "to_snowflake"

    @property
    def table(self) -> Table:
        return Table(*table_parts(self.spec.table))

    @property
    def in_planhat(self) -> dg.AssetKey:
        """The records: those the sync makes, or all of a mirror's model."""
        spec = self.spec
        return keys.planhat_model(spec.model) if self.is_mirror else keys.planhat(spec.model, spec.name)

    @property
    def back(self) -> dg.AssetKey:
        """What comes back to the table."""
        return keys.from_planhat(self.table)

    def asset_arguments(self) -> Mapping[str, Any]:
        """Arguments of the `multi_asset` that runs the sync."""
        if self.is_mirror:
            return op_arguments(self.spec, [self._back()], {self.back: _ACCOUNT | _MISFITS})
        checks = {self.in_planhat: _ACCOUNT | _SIDES | _MISFITS, self.back: _ACCOUNT}
        pool = f"planhat_{self.spec.model}"
        return op_arguments(self.spec, [self._records(), self._back()], checks, pool)

    def _records(self) -> dg.AssetSpec:
        spec, source, lines = self.spec, keys.snowflake_table(self.table), records_lines(self.spec)
        sent = [line for line in lines if line.way != "to_snowflake"]
        return made_asset(
            spec,
            self.in_planhat,
            source,
            "planhat",
            spec.description or f"Rows of {self.table} as Planhat {spec.model}, and back.",
            {
                "mapping": show.mapping_table(lines, str(self.table)),
                "dagster/column_schema": show.column_schema(sent, str(self.table)),
                "dagster/column_lineage": show.column_lineage(sent, source),
                "on_conflict": f"{spec.on_conflict} stays",
            },
        )

    def _back(self) -> dg.AssetSpec:
        spec, lines = self.spec, records_lines(self.spec)
        records = spec.planhat_model.title
        back: list[Line] = lines_back(lines)
        what = (
            f"Every {records} of Planhat"
            if self.is_mirror
            else f"What people change on a {records} in Planhat"
        )
        return made_asset(
            spec,
            self.back,
            self.in_planhat,
            "snowflake",
            (spec.description if self.is_mirror else None) or f"{what}, in {self.table}.",
            {
                "mapping": show.mapping_table(lines, str(self.table)),
                "dagster/table_name": str(self.table),
                "dagster/column_schema": show.column_schema(back, records),
                "dagster/column_lineage": show.column_lineage(back, self.in_planhat),
            },
        )

    def dry_run(
        self,
        context: dg.AssetExecutionContext,
        config: RecordsRun,
        snowflake: SnowflakeSignIn,
        planhat: PlanhatTenant,
        ledger: LedgerDatabase,
    ) -> Iterator[dg.Output[None]]:
        """Say what a run would do each way."""
        from planhat_pipelines.engine.twoway.plan import TwoWayPlan, two_way_plan

        def plan(client: "Planhat", book: "Ledger") -> TwoWayPlan:
            how = {"full": config.full, "allow_many_changes": config.allow_many_changes}
            with snowflake.connection() as session:
                return two_way_plan(self.spec, session, client, book, **how)

        assets = [self.back] if self.is_mirror else [self.in_planhat, self.back]
        yield from dry_run(context, self.spec, assets, planhat, ledger, plan)

    def observed(self, sync: "TwoWaySync", report: "TwoWayReport") -> dg.AssetObservation:
        """What a run saw of what is upstream."""
        if sync.source:
            metadata = show.source_metadata(sync.source, report.sent)
            return dg.AssetObservation(keys.snowflake_table(self.table), metadata=metadata)
        read = {"records_read": report.back.rows_read, "read_up_to": show.cursor(report.back.cursor_to)}
        return dg.AssetObservation(self.in_planhat, metadata=read)

    def misfit(self, error: Exception) -> dg.AssetCheckResult:
        """The check that fails when table, key or mapping do not fit."""
        asset = self.back if self.is_mirror else self.in_planhat
        return checked(asset, SOURCE_AS_MAPPED, False, dg.AssetCheckSeverity.ERROR, problem=str(error))

    def made(
        self, report: "TwoWayReport", refused: int, runs: "Sequence[RunRecord]"
    ) -> Iterator[dg.MaterializeResult[Any]]:
        """The account of each way. `refused`: how many rows and records one side refuses by now. `runs`: the latest
        first."""
        error, warn = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
        sent, back, clashes = report.sent, report.back, len(report.conflicts)
        fits = checked(self.back if self.is_mirror else self.in_planhat, SOURCE_AS_MAPPED, True, error)
        if not self.is_mirror:
            key, conflicts = self.in_planhat, show.conflicts_metadata(report.conflicts, self.spec.show_values)
            checks = [
                *account_checked(self.spec, key, sent),
                checked(key, "sides_agree", refused == 0, warn, refused=refused),
                checked(key, "no_conflicts", clashes == 0, warn, conflicts=clashes),
                fits,
            ]
            yield dg.MaterializeResult(
                key, metadata={**show.run_metadata(sent, runs), **conflicts}, check_results=checks
            )
        checks = account_checked(self.spec, self.back, back) + ([fits] if self.is_mirror else [])
        yield dg.MaterializeResult(
            self.back, metadata=show.run_metadata(back, runs, "back_"), check_results=checks
        )
