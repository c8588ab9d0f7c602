"""A sync ready to run, or planned, with the sign-in of the environment: for commands, which know no Dagster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, TypeGuard

from planhat_pipelines.engine.environment import (
    read_back_seconds,
    s3_account,
    snowflake_account,
    spool_folder,
)
from planhat_pipelines.engine.plans.plan import Plan
from planhat_pipelines.engine.plans.review import planned
from planhat_pipelines.engine.run import Sync
from planhat_pipelines.engine.twoway.plan import TwoWayPlan, two_way_plan
from planhat_pipelines.engine.twoway.sync import TwoWaySync
from planhat_pipelines.ledger import Ledger
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.spec.files import FilesSpec
from planhat_pipelines.spec.kinds import AnySpec
from planhat_pipelines.spec.records import RecordsSpec


def goes_back(spec: AnySpec) -> TypeGuard[RecordsSpec]:
    """Whether values of Planhat come back to the table."""
    return isinstance(spec, RecordsSpec) and spec.direction != "to_planhat"


def plan_of(
    spec: AnySpec, environment: Mapping[str, str], planhat: Planhat, ledger: Ledger, **how: bool
) -> Plan | TwoWayPlan:
    """What the next run would do. `how`: `full` and `allow_many_changes`, of records."""
    if goes_back(spec):
        with snowflake_account(environment).connection() as session:
            return two_way_plan(spec, session, planhat, ledger, **how)

    @contextmanager
    def opened() -> Generator[Sync]:
        with ready(spec, environment, planhat, ledger, _silent, **how) as sync:
            assert isinstance(sync, Sync)  # noqa: S101  (it does not go back)
            yield sync

    return planned(spec, planhat, opened)


@contextmanager
def ready(
    spec: AnySpec,
    environment: Mapping[str, str],
    planhat: Planhat,
    ledger: Ledger,
    log: Callable[[str], None],
    **how: bool,
) -> Generator[Sync | TwoWaySync]:
    """The sync over open connections."""
    patience = read_back_seconds(environment)
    if isinstance(spec, FilesSpec):
        from planhat_pipelines.engine.syncs.files import files_sync

        spool = spool_folder(environment)
        yield files_sync(
            spec, s3_account(environment), planhat, ledger, spool=spool, patience=patience, log=log
        )
        return
    account = snowflake_account(environment)
    with account.connection() as session:
        if not isinstance(spec, RecordsSpec):
            from planhat_pipelines.engine.syncs.usage import usage_sync

            yield usage_sync(spec, session, planhat, ledger, patience)
            return
        yield _build(spec)(spec, session, planhat, ledger, log=log, lag=account.commit_lag, **how)


def _build(spec: RecordsSpec) -> Callable[..., Any]:
    if goes_back(spec):
        from planhat_pipelines.engine.twoway.build import two_way_sync

        return two_way_sync
    from planhat_pipelines.engine.syncs.records import records_sync

    return records_sync


def _silent(_: str) -> None:
    """A plan is what it says."""
