"""`planhat-pipelines rejections`: the rows that did not go, and those that wait for their company."""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from planhat_pipelines.commands.syncs import add_defs
from planhat_pipelines.commands.table import columns, positive, rest
from planhat_pipelines.engine.again import AGAIN

if TYPE_CHECKING:
    from planhat_pipelines.ledger import Parked, Rejection

_ACTIONS = {
    "export": "read the refused rows of SYNC again at their source and write them as CSV, each with field and reason; "
    "the file holds customers' values",
    "retry": "let the next run of SYNC try its refused rows again, though nothing about them has changed",
}
_BAR = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `rejections`."""
    parser.description = (
        "Show the rows that Planhat or the mapping refused, why, since when and how often; the reasons with their "
        "counts first. With --parked, the rows that wait for a record of Planhat, by the record they miss. "
        "Of an e-mail address there is only the start of its hash, by which Snowflake finds the row: WHERE "
        "SHA2(TRIM(EMAIL), 256) LIKE '1f0c9a...%'. Reads the ledger only (PLANHAT_LEDGER_URL)."
    )
    parser.epilog = (
        "examples:\n  planhat-pipelines rejections --sync seats\n  planhat-pipelines rejections retry seats"
    )
    parser.add_argument("--sync", metavar="NAME", help="of this sync only")
    parser.add_argument("--parked", action="store_true", help="rows that wait, by what they wait for")
    parser.add_argument(
        "--limit", metavar="N", type=positive, default=50, help="rows to list (default: %(default)s)"
    )
    parser.add_argument(
        "--csv", action="store_true", help="all of them as CSV, without the counts; --limit does not count"
    )
    actions = parser.add_subparsers(dest="action", metavar="export | retry")
    for name, what in _ACTIONS.items():
        action = actions.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
        action.epilog = f"example: planhat-pipelines rejections {name} accounts"
        action.add_argument("name", metavar="SYNC", help="name of the sync")
        add_defs(action)
        if name == "export":
            action.add_argument(
                "--out", metavar="FILE", type=Path, help="only you may read it; default: print"
            )


def run(args: argparse.Namespace) -> int:
    """Print what the ledger holds, or do what was asked; 1 when that is not possible."""
    if args.action:
        from planhat_pipelines.commands.refused import act

        return act(args)
    from planhat_pipelines.engine.environment import open_ledger
    from planhat_pipelines.ledger import LedgerError

    try:
        with open_ledger(os.environ) as ledger:
            rejected = [] if args.parked else ledger.rejections(args.sync)
            parked = ledger.parked(args.sync) if args.parked else []
    except LedgerError as error:
        print(error, file=sys.stderr)
        return 1
    if args.csv:
        _write_csv(rejected or parked)
    elif not rejected and not parked:
        print(f"No row {'waits' if args.parked else 'is refused'}{f' in {args.sync}' if args.sync else ''}.")
    else:
        for line in _parked(parked, args.limit) if parked else _rejected(rejected, args.limit):
            print(line)
    return 0


def _rejected(found: Sequence[Rejection], limit: int) -> Iterator[str]:
    reasons = Counter((each.sync, each.field, each.reason) for each in found)
    most = max(reasons.values())
    counted = [(count, *reason, _bar(count, most)) for reason, count in reasons.most_common()]
    yield from columns(["rows", "sync", "field", "reason", ""], counted)
    yield ""
    rows = [
        (
            each.sync,
            each.row,
            each.key,
            each.stage,
            each.field,
            each.reason,
            _day(each.first_seen),
            each.times,
        )
        for each in found[:limit]
    ]
    yield from columns(["sync", "row", "key", "stage", "field", "reason", "since", "times"], rows)
    yield from rest(len(found), limit, ", or --csv for all")


def _bar(count: int, most: int) -> str:
    return "#" * max(1, round(_BAR * count / most))


def _parked(found: Sequence[Parked], limit: int) -> Iterator[str]:
    waiting: dict[tuple[str, str, str], list[Parked]] = {}
    for each in found:
        waiting.setdefault((each.model, each.id_kind, each.target), []).append(each)
    ranked = sorted(waiting.items(), key=lambda item: -len(item[1]))
    rows = [
        (
            len(rows),
            "the next run, as asked" if model == AGAIN else f"{model} with the {kind} id {target}",
            ", ".join(sorted({each.sync for each in rows})),
            _day(min(each.since for each in rows)),
            max(each.tries for each in rows),
            _bar(len(rows), len(ranked[0][1])),
        )
        for (model, kind, target), rows in ranked[:limit]
    ]
    yield f"{len(found):,} rows wait for {len(waiting):,} records that Planhat does not hold; they go when it does."
    yield ""
    yield from columns(["rows", "wait for", "sync", "since", "tries", ""], rows)
    yield from rest(len(ranked), limit, ", or --csv for all")


def _write_csv(found: Sequence[Rejection] | Sequence[Parked]) -> None:
    writer = csv.writer(sys.stdout)
    if found:
        writer.writerow(field.name for field in fields(found[0]))
    writer.writerows(map(astuple, found))


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
