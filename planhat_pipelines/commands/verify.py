"""`planhat-pipelines verify SYNC`: whether Planhat holds what the ledger says it was sent."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from planhat_pipelines.commands.syncs import add_defs
from planhat_pipelines.commands.table import columns, positive
from planhat_pipelines.engine.checks.verify import CALLS, SAMPLE, can_be_verified, needs_no_verifying
from planhat_pipelines.spec.files import FilesSpec
from planhat_pipelines.spec.load import load

if TYPE_CHECKING:
    from planhat_pipelines.engine.checks.verified import Verified


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `verify`."""
    parser.description = (
        "Read Planhat and compare it with what the ledger says was sent. Of records: whether every key is there, and "
        "of a sample whether the mapped fields have the values that were sent. Of metrics: whether the points of the "
        "newest and of some other batches are there, each as often as it was sent. Keys and names of fields are shown, "
        "no values. Syncs that bring changes back compare both sides by themselves and need none of this; "
        "activities cannot be read back. Exit code 0: all that was looked at is as it was sent; 1: otherwise."
    )
    parser.epilog = "example: planhat-pipelines verify contacts --sample 1000"
    parser.add_argument("sync", metavar="SYNC", help="name of the sync")
    parser.add_argument(
        "--sample",
        type=positive,
        default=SAMPLE,
        help="records whose values are compared (default: %(default)s)",
    )
    parser.add_argument(
        "--calls",
        type=positive,
        default=CALLS,
        help="stop after so many calls to Planhat (default: %(default)s)",
    )
    parser.add_argument(
        "--heal",
        action="store_true",
        help="let the next run send the records again that are missing or differ",
    )
    add_defs(parser)


def run(args: argparse.Namespace) -> int:
    """Print what was found; 1 when Planhat holds something otherwise."""
    specs = {declared.spec.name: declared.spec for declared in load(args.defs).syncs}
    spec = specs.get(args.sync)
    if spec and (why := needs_no_verifying(spec)):
        print(why)
        return 0
    if spec is None or not can_be_verified(spec):
        known = ", ".join(name for name, each in specs.items() if can_be_verified(each)) or "none"
        print(f"{args.sync} is no sync that can be verified; there are: {known}", file=sys.stderr)
        return 1

    from planhat_pipelines.engine.checks.verify import heal, verified
    from planhat_pipelines.engine.environment import (
        NotConfigured,
        open_ledger,
        open_planhat,
        planhat_account,
        read_back_seconds,
        snowflake_account,
    )
    from planhat_pipelines.ledger import LedgerError
    from planhat_pipelines.mapping.columns import MappingError
    from planhat_pipelines.planhat.errors import PlanhatError
    from planhat_pipelines.snowflake.errors import SnowflakeError

    try:
        with ExitStack() as stack:
            ledger = stack.enter_context(open_ledger(os.environ))
            planhat = stack.enter_context(open_planhat(planhat_account(os.environ), ledger))
            session = None
            if not isinstance(spec, FilesSpec):
                session = stack.enter_context(snowflake_account(os.environ).connection())
            patience = read_back_seconds(os.environ)
            account = verified(spec, session, planhat, ledger, patience, sample=args.sample, calls=args.calls)
            for line in _lines(account):
                print(line)
            if args.heal and account.again:
                where = "run" if account.from_source else "file that has them"
                print(f"\n{heal(ledger, account):,} records go again with the next {where}.")
    except (LedgerError, MappingError, NotConfigured, PlanhatError, SnowflakeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0 if account.is_well else 1


def _lines(account: Verified) -> Iterator[str]:
    yield account.line()
    yield from account.notes
    if account.drift:
        yield ""
        yield from columns(
            ["what", "key", "where"], [(each.kind, each.key, each.where) for each in account.drift]
        )
        if (more := account.drifted.total() - len(account.drift)) > 0:
            yield f"... and {more:,} more"
    if account.months:
        yield ""
        yield from columns(["month", "metric", "points in Planhat", "sent by us"], account.months)
