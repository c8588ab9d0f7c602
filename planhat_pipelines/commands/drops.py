"""`planhat-pipelines drops`: which files came, what became of their rows, and where each lies now."""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from planhat_pipelines.commands.table import columns, positive

_HEAD = ("when", "sync", "file", "state", "lies at", "rows", "run", "reason")
_ENDS = (
    "created",
    "updated",
    "unchanged",
    "submitted",
    "refused",
    "parked",
    "held",
    "duplicate",
    "recovered",
)
_ALL = 2**31 - 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `drops`."""
    parser.description = (
        "Show the files that came through S3, the latest first: when each moved last, its state, where it lies now, "
        "how its rows ended when it was imported, by which run, and of one that could not be read the reason. "
        "Reads the ledger only (PLANHAT_LEDGER_URL)."
    )
    parser.epilog = "example: planhat-pipelines drops --sync device_logs --csv > drops.csv"
    parser.add_argument("--sync", metavar="NAME", help="of this sync only")
    parser.add_argument(
        "--limit", metavar="N", type=positive, default=50, help="files to list (default: %(default)s)"
    )
    parser.add_argument(
        "--csv",
        action="store_true",
        help="all of them as CSV, with a column for each verdict; --limit does not count",
    )


def run(args: argparse.Namespace) -> int:
    """Print what the ledger holds; 1 when it cannot be read."""
    from planhat_pipelines.engine.environment import open_ledger
    from planhat_pipelines.ledger import LedgerError

    try:
        with open_ledger(os.environ) as ledger:
            found = ledger.drops(args.sync, limit=_ALL if args.csv else args.limit + 1)
    except LedgerError as error:
        print(error, file=sys.stderr)
        return 1
    if args.csv:
        _write_csv(found)
    elif not found:
        print(f"No file has come{f' for {args.sync}' if args.sync else ''}.")
    else:
        for line in _table(found, args.limit):
            print(line)
    return 0


def _table(found: Sequence[Mapping[str, Any]], limit: int) -> Iterator[str]:
    yield from columns(
        _HEAD,
        [
            (
                f"{drop['moved_at']:%Y-%m-%d %H:%M}",
                drop["sync"],
                drop["key"],
                drop["state"],
                _place(drop),
                ", ".join(f"{count:,} {end}" for end in _ENDS if (count := drop["counts"].get(end))),
                drop["run"],
                _reason(drop),
            )
            for drop in found[:limit]
        ],
    )
    if len(found) > limit:
        yield f"... and more: --limit {10 * limit}, or --csv for all"


def _write_csv(found: Sequence[Mapping[str, Any]]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(["moved_at", "sync", "bucket", "file", "state", "lies_at", *_ENDS, "run", "reason"])
    for drop in found:
        ends = [drop["counts"].get(end, 0) for end in _ENDS]
        about = [drop["moved_at"].isoformat(), drop["sync"], drop["bucket"], drop["key"], drop["state"]]
        writer.writerow([*about, _place(drop), *ends, drop["run"], _reason(drop)])


def _place(drop: Mapping[str, Any]) -> str:
    """Where its bytes are: in the archive, still under its key, or, once overwritten, nowhere."""
    if drop["archive"] or drop["state"] in ("done", "superseded"):
        return str(drop["archive"] or "")
    return str(drop["key"])


def _reason(drop: Mapping[str, Any]) -> str:
    report: Mapping[str, Any] = drop["report"] or {}
    return str(report.get("reason", ""))
