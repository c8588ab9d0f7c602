"""A dry run: what a run would do, noted on the assets, while nothing counts as made or checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from planhat_pipelines.orchestration.failures import permanent_errors_fail

if TYPE_CHECKING:
    from planhat_pipelines.engine.plans.plan import Plan
    from planhat_pipelines.engine.twoway.plan import TwoWayPlan
    from planhat_pipelines.ledger import Ledger
    from planhat_pipelines.orchestration.resources import LedgerDatabase, PlanhatTenant
    from planhat_pipelines.planhat.client import Planhat
    from planhat_pipelines.spec.kinds import AnySpec


class SyncRun(dg.Config):
    """What one run may do differently from the schedule's."""

    dry_run: bool = Field(
        default=False,
        description="Only say what the run would do, as an observation of the asset: nothing is sent, written or "
        "moved, no cursor moves, the asset is not materialised and its checks are not evaluated.",
    )


def dry_run(
    context: dg.AssetExecutionContext,
    spec: AnySpec,
    assets: Sequence[dg.AssetKey],
    planhat: PlanhatTenant,
    ledger: LedgerDatabase,
    planned: Callable[[Planhat, Ledger], Plan | TwoWayPlan],
) -> Iterator[dg.Output[None]]:
    """Plan the sync and observe its assets with what came of it. All outputs of the assets are optional; those of their
    checks are not, so these end without an evaluation."""
    from planhat_pipelines.engine.plans.planfile import markdown
    from planhat_pipelines.engine.plans.review import reviewed

    with permanent_errors_fail(), ledger.open() as book, planhat.client(book) as client:
        review = reviewed(spec, planned(client, book), client, book)
    sent = review.sent
    metadata = {
        "dry_run": True,
        "is_well": review.plan.is_well,
        "plan": dg.MetadataValue.md("\n".join(markdown(review, values=False))),
        "would_be": dg.MetadataValue.table(
            [dg.TableRecord({"rows": count, "would be": end}) for end, count in sent.counts.items() if count],
            schema=dg.TableSchema([dg.TableColumn("rows", "int"), dg.TableColumn("would be", "string")]),
        ),
    }
    for asset in assets:
        context.log_event(dg.AssetObservation(asset, metadata=metadata))
    context.log.info(f"{spec.name}: dry run; nothing was sent. What would be is noted on the asset.")
    for name in context.assets_def.check_specs_by_output_name:
        yield dg.Output(None, name)
