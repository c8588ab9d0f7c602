"""`planhat-pipelines plan SYNC`: what the next run would send, without sending it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from planhat_pipelines.commands.syncs import add_defs, find
from planhat_pipelines.commands.table import columns
from planhat_pipelines.spec.files import FilesSpec
from planhat_pipelines.spec.records import RecordsSpec

if TYPE_CHECKING:
    from planhat_pipelines.engine.plans.plan import Plan
    from planhat_pipelines.engine.twoway.plan import TwoWayPlan
    from planhat_pipelines.spec.kinds import AnySpec

_IN_SNOWFLAKE = {"created": "inserted", "changed": "written where they differ", "archived": "marked as gone"}
_NOTHING = "Nothing new: the next run would send nothing."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `plan`."""
    parser.description = (
        "Read what the next run of a sync would read, and show how many rows would be created, changed, archived, "
        "refused or parked, and why; the first ten of each with their key and their fields. Of usage: how many points "
        "of each metric. Of files: which would be taken, and what is in them. "
        "Of a sync that brings Planhat's changes back, also which rows would be written, and which fields were "
        "changed on both sides. "
        "Nothing is sent or written, no cursor moves, no file is moved. "
        "Exit code 0: it can run and refuses nothing; 1: otherwise. "
        "With --out, the plan is written to be reviewed: each record field by field beside what Planhat holds; "
        "`planhat-pipelines apply FILE` then runs just that, or refuses if anything has moved."
    )
    parser.epilog = (
        "examples:\n  planhat-pipelines plan accounts --full\n  planhat-pipelines plan accounts --out plan.md"
    )
    parser.add_argument("sync", metavar="SYNC", help="name of the sync")
    parser.add_argument("--full", action="store_true", help="as if the whole table were read; of records")
    parser.add_argument(
        "--allow-many-changes", action="store_true", help="as if the brake were off; of records, for --out"
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="write the plan as Markdown; only you may read it"
    )
    parser.add_argument(
        "--show-values", action="store_true", help="in FILE, the values of fields and not only their length"
    )
    add_defs(parser)


def run(args: argparse.Namespace) -> int:
    """Print the plan, or write it; 1 when something is in its way."""
    spec = find(args.defs, args.sync)
    if spec is None:
        return 1

    from planhat_pipelines.engine.environment import NotConfigured, open_ledger, open_planhat, planhat_account
    from planhat_pipelines.engine.plans.plan import Plan
    from planhat_pipelines.engine.plans.review import reviewed
    from planhat_pipelines.engine.syncs.ready import plan_of
    from planhat_pipelines.files.errors import FilesError
    from planhat_pipelines.ledger import LedgerError
    from planhat_pipelines.planhat.errors import PlanhatError
    from planhat_pipelines.snowflake.errors import SnowflakeError

    options = {"full": args.full, "allow_many_changes": args.allow_many_changes}
    how = {name: True for name, given in options.items() if given and isinstance(spec, RecordsSpec)}
    try:
        with open_ledger(os.environ) as ledger, open_planhat(planhat_account(os.environ), ledger) as planhat:
            plan = plan_of(spec, os.environ, planhat, ledger, **how)
            if args.out:
                from planhat_pipelines.engine.plans import planfile

                review, cannot = reviewed(spec, plan, planhat, ledger), _cannot(spec, plan)
                planfile.write(args.out, spec.name, review, how=how, cannot=cannot, values=args.show_values)
                print(f"{args.out}: review it, then: planhat-pipelines apply {args.out}")
                return 0 if plan.is_well else 1
    except (FilesError, LedgerError, NotConfigured, OSError, PlanhatError, SnowflakeError) as error:
        print(error, file=sys.stderr)
        return 1
    for line in _lines(plan, {}) if isinstance(plan, Plan) else _both_ways(plan):
        print(line)
    return 0 if plan.is_well else 1


def _cannot(spec: AnySpec, plan: Plan | TwoWayPlan) -> str | None:
    """Why such a plan cannot be applied."""
    from planhat_pipelines.engine.twoway.plan import TwoWayPlan

    sent = plan.sent if isinstance(plan, TwoWayPlan) else plan
    if sent.problem or sent.missing:
        return "something is in the way of a run, as it says here. Mend that and plan again."
    if isinstance(spec, FilesSpec):
        return (
            "files are taken one by one, and what one brings depends on those before it. Run the sync; each file's "
            "rows and refusals are then shown by `planhat-pipelines drops`."
        )
    if isinstance(plan, TwoWayPlan) and plan.to_be_made:
        return "the first run makes the table. Run the sync once; later plans can be applied."
    return None


def _lines(plan: Plan, names: Mapping[str, str]) -> Iterator[str]:
    """`names`: what ends are called here, where that is not their own name."""
    from planhat_pipelines.engine.plans.plan import SAMPLE

    if plan.missing:
        yield "Create these custom fields in Planhat first:"
        yield from columns(["name", "type"], [(each.name, each.type) for each in plan.missing])
        yield ""
    for text in (plan.problem, *plan.warnings):
        if text:
            yield text
            yield ""
    if plan.drops:
        yield from columns(["file", "holds"], plan.drops)
        yield ""
    if not plan.counts.total():
        yield "No row would be sent." if plan.problem or plan.drops else _NOTHING
        return
    counted = [(count, names.get(end, end)) for end, count in plan.counts.items() if count]
    yield from columns(["rows", "would be"], counted)
    if plan.points:
        yield ""
        yield from columns(
            ["points", "of the metric"], [(many, name) for name, many in sorted(plan.points.items())]
        )
    if plan.reasons:
        yield ""
        refused = [(count, *reason) for reason, count in plan.reasons.most_common()]
        yield from columns(["refused", "field", "reason"], refused)
    for end, rows in plan.sample.items():
        if rows:
            yield ""
            head = [names.get(end, end), "because" if end in ("refused", "parked") else "fields"]
            yield from columns(head, rows[:SAMPLE])


def _both_ways(plan: TwoWayPlan) -> Iterator[str]:
    from planhat_pipelines.engine.plans.plan import SAMPLE
    from planhat_pipelines.engine.twoway.report import shown

    if not plan.moves and plan.is_well:
        yield _NOTHING
        return
    yield "To Planhat"
    yield from _lines(plan.sent, {})
    if plan.back.counts.total():
        yield ""
        yield "To Snowflake"
        yield from _lines(plan.back, _IN_SNOWFLAKE)
    if plan.conflicts:
        yield ""
        yield "Changed on both sides"
        rows = [
            (shown(each, values=False)[0], each.field, each.winner, each.why)
            for each in plan.conflicts[:SAMPLE]
        ]
        yield from columns(["key", "field", "stays", "because"], rows)
        if len(plan.conflicts) > SAMPLE:
            yield f"... and {len(plan.conflicts) - SAMPLE:,} more"
