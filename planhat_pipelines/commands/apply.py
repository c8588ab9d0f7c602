"""`planhat-pipelines apply FILE`: run what was reviewed, and nothing else."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from pathlib import Path

from planhat_pipelines.commands.syncs import add_defs, find


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `apply`."""
    parser.description = (
        "Run the sync of a plan that `planhat-pipelines plan SYNC --out FILE` wrote. It is planned once more, and "
        "refused before anything is sent if the mapping, the ledger, the source or the records of Planhat have moved "
        "since. Exit code 0: it was done and nothing was refused by Planhat; 1: otherwise."
    )
    parser.epilog = "example: planhat-pipelines apply plan.md"
    parser.add_argument("file", metavar="FILE", type=Path, help="the plan")
    add_defs(parser)


def run(args: argparse.Namespace) -> int:
    """Compare, and run; 1 when it was refused or did not go well."""
    from planhat_pipelines.engine.environment import NotConfigured, open_ledger, open_planhat, planhat_account
    from planhat_pipelines.engine.plans import planfile
    from planhat_pipelines.engine.plans.apply import Moved, compare, held_to
    from planhat_pipelines.engine.plans.review import reviewed
    from planhat_pipelines.engine.protocols import Brake
    from planhat_pipelines.engine.report import Report
    from planhat_pipelines.engine.syncs.ready import plan_of, ready
    from planhat_pipelines.ledger import LedgerError
    from planhat_pipelines.mapping.columns import MappingError
    from planhat_pipelines.planhat.errors import PlanhatError
    from planhat_pipelines.snowflake.errors import SnowflakeError

    try:
        plan = planfile.read(args.file)
        if plan.cannot:
            raise planfile.NoPlan(f"{args.file} cannot be applied: {plan.cannot}")
        spec = find(args.defs, plan.sync)
        if spec is None:
            return 1
        with open_ledger(os.environ) as ledger, open_planhat(planhat_account(os.environ), ledger) as planhat:
            now = reviewed(spec, plan_of(spec, os.environ, planhat, ledger, **plan.how), planhat, ledger)
            compare(plan.marks, now, spec.name)
            with ready(spec, os.environ, planhat, ledger, print, **plan.how) as sync:
                report = held_to(sync, plan.requests).run(f"apply-{secrets.token_hex(6)}", print)
    except (
        *(Brake, LedgerError, MappingError, Moved, NotConfigured, OSError, PlanhatError, SnowflakeError),
        planfile.NoPlan,
    ) as error:
        print(error, file=sys.stderr)
        return 1
    sent = report if isinstance(report, Report) else report.sent
    reviewed_refusals = now.sent.counts["refused"]
    return 0 if sent.verdicts["refused"] <= reviewed_refusals and not sent.verdicts["held"] else 1
