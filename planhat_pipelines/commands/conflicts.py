"""`planhat-pipelines conflicts`: fields that were changed on both sides, what stayed, and what was overwritten."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from planhat_pipelines.commands.table import columns, positive, rest

if TYPE_CHECKING:
    from planhat_pipelines.ledger import Conflict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `conflicts`."""
    parser.description = """\
Show the fields that were changed in Snowflake and in Planhat before a sync with
`direction: both` came by, the latest first. `on_conflict` of the sync says whose
value stays; the other one is overwritten on its side, and kept here.

A conflict is history and asks for nothing. Where the wrong value stayed, write the
right one on either side, and the next run carries it to the other. Where it happens
again and again, let one side own the field: direction: to_planhat or to_snowflake.

Values are masked unless you ask for them. Reads the ledger only (PLANHAT_LEDGER_URL).
"""
    parser.epilog = "example: planhat-pipelines conflicts accounts --show-values"
    parser.add_argument("sync", metavar="SYNC", nargs="?", help="of this sync only")
    parser.add_argument("--show-values", action="store_true", help="both values, as they were")
    parser.add_argument(
        "--limit", metavar="N", type=positive, default=50, help="conflicts to list (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Print what the ledger holds; 1 when it cannot be read."""
    from planhat_pipelines.engine.environment import open_ledger
    from planhat_pipelines.ledger import LedgerError

    try:
        with open_ledger(os.environ) as ledger:
            found = ledger.conflicts(args.sync)
    except LedgerError as error:
        print(error, file=sys.stderr)
        return 1
    if not found:
        print(f"No field was changed on both sides{f' in {args.sync}' if args.sync else ''}.")
        return 0
    for line in _lines(found, args.limit, values=args.show_values):
        print(line)
    return 0


def _lines(found: Sequence[Conflict], limit: int, *, values: bool) -> Iterator[str]:
    from planhat_pipelines.engine.twoway.report import shown

    rows: list[tuple[str, ...]] = []
    for each in found[:limit]:
        key, ours, theirs = shown(each, values=values)
        when = f"{each.at:%Y-%m-%d %H:%M}"
        rows.append((each.sync, key, each.field, each.winner, ours, theirs, when, each.why))
    yield from columns(["sync", "key", "field", "stays", "snowflake", "planhat", "when", "why"], rows)
    yield from rest(len(found), limit)
    if not values:
        yield ""
        yield "Both values of each are kept; --show-values prints them."
