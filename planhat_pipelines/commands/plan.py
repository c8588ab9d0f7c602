"""`planhat-pipelines plan SYNC`: what the next run would send, without sending it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import planhat_pipelines
from planhat_pipelines.commands.table import columns
from planhat_pipelines.spec.load import load
from planhat_pipelines.spec.records import RecordsSpec

if TYPE_CHECKING:
    from planhat_pipelines.engine.plan import Plan
    from planhat_pipelines.engine.twoway.plan import TwoWayPlan

_IN_SNOWFLAKE = {"created": "inserted", "changed": "written where they differ", "archived": "marked as gone"}
_NOTHING = "Nothing new: the next run would send nothing."
_DEFS = Path(planhat_pipelines.__file__).parent / "defs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `plan`."""
    parser.description = (
        "Read what the next run of a SnowflakeRecords sync would read, and show how many rows would be created, "
        "changed, archived, refused or parked, and why; the first ten of each with their key and their fields. "
        "Of a sync that brings Planhat's changes back, also which rows would be written, and which fields were "
        "changed on both sides. "
        "Nothing is sent or written, no cursor moves. Exit code 0: it can run and refuses nothing; 1: otherwise."
    )
    parser.epilog = "example: planhat-pipelines plan accounts --full"
    parser.add_argument("sync", metavar="SYNC", help="name of the sync")
    parser.add_argument("--full", action="store_true", help="as if the whole table were read")
    parser.add_argument(
        "--defs",
        metavar="FOLDER",
        type=Path,
        default=_DEFS,
        help="where the syncs are (default: the project's own)",
    )


def run(args: argparse.Namespace) -> int:
    """Print the plan; 1 when something is in its way."""
    specs = {declared.spec.name: declared.spec for declared in load(args.defs).syncs}
    spec = specs.get(args.sync)
    if not isinstance(spec, RecordsSpec):
        known = ", ".join(name for name, each in specs.items() if isinstance(each, RecordsSpec)) or "none"
        print(f"{args.sync} is no SnowflakeRecords sync; there are: {known}", file=sys.stderr)
        return 1

    from planhat_pipelines.engine.environment import (
        NotConfigured,
        open_ledger,
        open_planhat,
        planhat_account,
        snowflake_account,
    )
    from planhat_pipelines.engine.plan import Plan, planned
    from planhat_pipelines.engine.twoway.plan import two_way_plan
    from planhat_pipelines.ledger import LedgerError
    from planhat_pipelines.planhat.errors import PlanhatError
    from planhat_pipelines.snowflake.errors import SnowflakeError

    try:
        with (
            open_ledger(os.environ) as ledger,
            snowflake_account(os.environ).connection() as session,
            open_planhat(planhat_account(os.environ), ledger) as planhat,
        ):
            to_planhat = spec.direction == "to_planhat"
            plan = (planned if to_planhat else two_way_plan)(spec, session, planhat, ledger, full=args.full)
    except (LedgerError, NotConfigured, PlanhatError, SnowflakeError) as error:
        print(error, file=sys.stderr)
        return 1
    for line in _lines(plan, {}) if isinstance(plan, Plan) else _both_ways(plan):
        print(line)
    return 0 if plan.is_well else 1


def _lines(plan: Plan, names: Mapping[str, str]) -> Iterator[str]:
    """`names`: what ends are called here, where that is not their own name."""
    if plan.missing:
        yield "Create these custom fields in Planhat first:"
        yield from columns(["name", "type"], [(each.name, each.type) for each in plan.missing])
        yield ""
    if plan.problem:
        yield plan.problem
        yield ""
    if not plan.counts.total():
        yield "No row would be sent." if plan.problem else _NOTHING
        return
    counted = [(count, names.get(end, end)) for end, count in plan.counts.items() if count]
    yield from columns(["rows", "would be"], counted)
    if plan.reasons:
        yield ""
        refused = [(count, *reason) for reason, count in plan.reasons.most_common()]
        yield from columns(["refused", "field", "reason"], refused)
    for end, rows in plan.sample.items():
        if rows:
            yield ""
            head = [names.get(end, end), "because" if end in ("refused", "parked") else "fields"]
            yield from columns(head, rows)


def _both_ways(plan: TwoWayPlan) -> Iterator[str]:
    from planhat_pipelines.engine.plan import SAMPLE
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
