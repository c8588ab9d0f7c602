"""`planhat-pipelines demo`: a made-up company, all its syncs through Dagster twice, and what came of it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from planhat_pipelines.commands import stage, summary
from planhat_pipelines.commands.summary import Edits, Ran

if TYPE_CHECKING:
    from planhat_pipelines.orchestration.local import SyncJob
    from planhat_pipelines.sandbox.run import Sandbox


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `demo`."""
    parser.description = (
        "Start a Snowflake, an S3 and a Planhat on this machine with a made-up software company in them, run all "
        "syncs through Dagster, let a day pass, run them again, and show what came of it. Syncs in both directions run "
        "a third time, to show that what they wrote is not taken for news. "
        "Forgets what an earlier demo or sandbox left in FOLDER."
    )
    parser.epilog = "example: planhat-pipelines demo --scale 0.2 --no-keep"
    parser.add_argument(
        "--folder", type=Path, default=stage.STATE, help="where the state is kept (default: %(default)s)"
    )
    parser.add_argument(
        "--scale",
        type=float,
        default=1.0,
        help="size of the company: 1 is 300 customers and 25,000 usage rows",
    )
    parser.add_argument(
        "--keep",
        action=argparse.BooleanOptionalAction,
        default=sys.stdout.isatty(),
        help="leave the servers up until Ctrl-C (default: on a terminal)",
    )


def run(args: argparse.Namespace) -> int:
    """Play it; 1 when a server does not start or a sync fails."""
    try:
        from planhat_pipelines.sandbox.run import Sandbox
    except ModuleNotFoundError as missing:
        print(f"{missing}. The demo needs: pip install 'planhat-pipelines[sandbox]'", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    stage.forget_accounts()
    box = Sandbox(stage.sandbox_folder(args.folder), fresh=True, scale=args.scale)
    try:
        with _step("starting and filling a Snowflake, an S3 and a Planhat"):
            box.start()
        home = stage.dagster_home(args.folder, fresh=True)
        os.environ.update(stage.surroundings(box.environment, home))
        ran, edits = _play(box)
        told = summary.all_told(box.environment, ran, edits, args.folder, kept=args.keep)
        print("", *told, sep="\n", flush=True)
        if args.keep:
            threading.Event().wait()
    except (RuntimeError, ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        box.stop()
    return 1 if any(each.failure for each in ran) else 0


def _play(box: Sandbox) -> tuple[list[Ran], Edits]:
    """All rounds, and what people edited in Planhat in between."""
    warnings.filterwarnings(
        "ignore", message="(Class|Parameter|Function) `"
    )  # Dagster's, of its own beta parts
    with _step("loading the syncs"):
        from planhat_pipelines.definitions import defs
        from planhat_pipelines.orchestration.local import sync_jobs

        jobs = sync_jobs(defs())
    print("\nRound 1: all there is", flush=True)
    ran = list(_round(1, jobs))
    day = box.next_day()
    news = f"{sum(table.rows.height for table in day.new)} new rows, {len(day.changed)} changed accounts"
    print(f"\nA day passes: {news}, {len(day.drops)} new file, {len(day.edits)} edits in Planhat")
    print("\nRound 2: only what is new", flush=True)
    ran += _round(2, jobs)
    both = {each.sync for each in ran if each.goes_both_ways}
    print("\nRound 3: both ways once more; what round 2 wrote comes back, and moves nothing", flush=True)
    ran += _round(3, [job for job in jobs if job.sync in both])
    return ran, day.edits


def _round(number: int, jobs: Sequence[SyncJob]) -> Iterator[Ran]:
    from dagster import DagsterInstance

    from planhat_pipelines.engine.environment import open_ledger

    with open_ledger(os.environ) as ledger, DagsterInstance.get() as instance:
        for job in jobs:
            print(f"  {job.sync:<{max(len(each.sync) for each in jobs)}}  ", end="", flush=True)
            started = time.monotonic()
            failure = job.run(instance)
            last = ledger.runs(job.sync, limit=1)
            ran = Ran(number, job.sync, last[0].counts if last else {}, time.monotonic() - started, failure)
            print(summary.line(ran), flush=True)
            yield ran


@contextmanager
def _step(what: str) -> Generator[None]:
    print(f"  {what} ... ", end="", flush=True)
    started, end = time.monotonic(), "not done"
    try:
        yield
        end = f"{time.monotonic() - started:.0f} s"
    finally:
        print(end, flush=True)
