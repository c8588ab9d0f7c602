"""`planhat-pipelines plan SYNC`: what the next run would send, without sending it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import planhat_pipelines
from planhat_pipelines.commands.table import columns
from planhat_pipelines.spec.load import load
from planhat_pipelines.spec.records import RecordsSpec

if TYPE_CHECKING:
    from planhat_pipelines.engine.plan import Plan

_DEFS = Path(planhat_pipelines.__file__).parent / "defs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `plan`."""
    parser.description = (
        "Read what the next run of a SnowflakeRecords sync would read, and show how many rows would be created, "
        "changed, archived, refused or parked, and why; the first ten of each with their key and their fields. "
        "Nothing is sent, no cursor moves. Exit code 0: it can run and refuses nothing; 1: otherwise."
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
    from planhat_pipelines.engine.plan import planned
    from planhat_pipelines.ledger import LedgerError
    from planhat_pipelines.planhat.errors import PlanhatError
    from planhat_pipelines.snowflake.errors import SnowflakeError

    try:
        with (
            open_ledger(os.environ) as ledger,
            snowflake_account(os.environ).connection() as session,
            open_planhat(planhat_account(os.environ), ledger) as planhat,
        ):
            plan = planned(spec, session, planhat, ledger, full=args.full)
    except (LedgerError, NotConfigured, PlanhatError, SnowflakeError) as error:
        print(error, file=sys.stderr)
        return 1
    for line in _lines(plan):
        print(line)
    return 1 if plan.problem or plan.missing or plan.counts["refused"] else 0


def _lines(plan: Plan) -> Iterator[str]:
    if plan.missing:
        yield "Create these custom fields in Planhat first:"
        yield from columns(["name", "type"], [(each.name, each.type) for each in plan.missing])
        yield ""
    if plan.problem:
        yield plan.problem
        yield ""
    if not plan.counts.total():
        yield "No row would be sent." if plan.problem else "Nothing new: the next run would send nothing."
        return
    yield from columns(["rows", "would be"], [(count, end) for end, count in plan.counts.items() if count])
    if plan.reasons:
        yield ""
        refused = [(count, *reason) for reason, count in plan.reasons.most_common()]
        yield from columns(["refused", "field", "reason"], refused)
    for end, rows in plan.sample.items():
        if rows:
            yield ""
            yield from columns([end, "because" if end in ("refused", "parked") else "fields"], rows)
