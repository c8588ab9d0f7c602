"""Does Planhat hold what the ledger says? A check of its own on each asset that can be read back, and a weekly job."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from planhat_pipelines.engine.checks.verify import CALLS, SAMPLE, can_be_verified
from planhat_pipelines.orchestration.declared import scheduled_checks
from planhat_pipelines.orchestration.failures import permanent_errors_fail
from planhat_pipelines.orchestration.show import table
from planhat_pipelines.spec.files import FilesSpec

if TYPE_CHECKING:
    from planhat_pipelines.engine.checks.verified import Verified
    from planhat_pipelines.spec.kinds import AnySpec

HOLDS = "planhat_holds_what_was_sent"


class VerifyRun(dg.Config):
    """How far one look goes."""

    sample: int = Field(default=SAMPLE, gt=0, description="Records whose values are compared.")
    calls: int = Field(default=CALLS, gt=0, description="Calls to Planhat after which it stops.")


def holds_checks(spec: "AnySpec", key: dg.AssetKey) -> list[dg.AssetChecksDefinition]:
    """The check for what a sync sends, if that can be read back."""
    if not can_be_verified(spec):
        return []
    sources = set[str]() if isinstance(spec, FilesSpec) else {"snowflake"}

    @dg.asset_check(
        asset=key,
        name=HOLDS,
        description=(
            "Planhat is read and compared with what the ledger says was sent: every key of records and the fields of "
            "a sample, or the points of some batches. Nothing is changed."
        ),
        required_resource_keys={"ledger", "planhat", *sources},
    )
    def check(context: dg.AssetCheckExecutionContext, config: VerifyRun) -> dg.AssetCheckResult:
        from planhat_pipelines.engine.checks.verify import verified

        resources: Any = context.resources
        with permanent_errors_fail(), ExitStack() as stack:
            ledger = stack.enter_context(resources.ledger.open())
            planhat = stack.enter_context(resources.planhat.client(ledger))
            session = stack.enter_context(resources.snowflake.connection()) if sources else None
            account = verified(
                spec,
                session,
                planhat,
                ledger,
                resources.planhat.patience,
                sample=config.sample,
                calls=config.calls,
            )
        context.log.info(account.line())
        return dg.AssetCheckResult(
            passed=account.is_well,
            severity=dg.AssetCheckSeverity.WARN,
            description=account.line(),
            metadata=shown(account),
        )

    return [check]


def shown(account: "Verified") -> Mapping[str, Any]:
    """What people see of it in Dagster."""
    tables: dict[str, list[dict[str, Any]]] = {
        "drift": [{"what": each.kind, "key": each.key, "where": each.where} for each in account.drift],
        "left_out": [{"what": each} for each in account.notes],
        "months": [
            {"month": month, "metric": metric, "points in Planhat": held, "sent by us": ours}
            for month, metric, held, ours in account.months
        ],
    }
    return {
        **{what.replace(" ", "_"): count for what, count in account.looked.items()},
        **account.drifted,
        **{name: table(rows) for name, rows in tables.items() if rows},
    }


def verify_weekly(synced: dg.Definitions) -> dg.Definitions:
    """A job that runs all these checks, and its schedule."""
    what = "Look whether Planhat holds what the ledger says was sent, sync by sync."
    return scheduled_checks(synced, {HOLDS}, "verify_planhat", "0 4 * * 0", what)
