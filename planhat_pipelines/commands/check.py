"""`planhat-pipelines check`: everything that is wrong with the syncs, at once."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from planhat_pipelines.commands.syncs import DEFS
from planhat_pipelines.spec.load import load
from planhat_pipelines.spec.positions import Problem, printable

if TYPE_CHECKING:
    from planhat_pipelines.spec.kinds import AnySpec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `check`."""
    parser.description = (
        "Read every defs.yaml below FOLDER and print each problem with its place and its cure. When there is none, "
        "sign in to Snowflake, S3 and Planhat (README, Sign in to real accounts) and try what the syncs promise of "
        "them: tables, columns, keys, buckets, fields, a sample of rows. Nothing is written but the ledger's own "
        "tables. "
        "Exit code 0: no problem; 1: there are problems."
    )
    parser.epilog = "example: planhat-pipelines check my_project/defs --offline"
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        nargs="?",
        type=Path,
        default=DEFS,
        help="default: the project's own defs",
    )
    parser.add_argument("--offline", action="store_true", help="read the files only, connect to nothing")


def run(args: argparse.Namespace) -> int:
    """Check the folder; 1 when there are problems."""
    loaded = load(args.folder)
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    for line in report(loaded.problems, colour=colour):
        print(line)
    files = len({problem.file for problem in loaded.problems})
    syncs = f"{_count(len(loaded.syncs), 'valid sync')} in {_readable(args.folder)}"
    print(
        f"{_count(len(loaded.problems), 'problem')} in {_count(files, 'file')}; {syncs}" if files else syncs
    )
    if files or args.offline:
        return 1 if files else 0
    print()
    return _online([declared.spec for declared in loaded.syncs], colour=colour)


def _online(specs: Sequence[AnySpec], *, colour: bool) -> int:
    """Try what the specs promise, and print each promise as soon as it has been tried."""
    from planhat_pipelines.engine.checks.preflight import preflight

    red, green, off = ("\033[31m", "\033[32m", "\033[0m") if colour else ("",) * 3
    about = max(len("Snowflake"), *(len(spec.name) for spec in specs))
    total = broken = 0
    for finding in preflight(specs, os.environ):
        total, broken = total + 1, broken + (not finding.holds)
        word = f"{green}ok     {off}" if finding.holds else f"{red}problem{off}"
        print(f"{word}  {finding.about:<{about}}  {printable(finding.text, 2000)}", flush=True)
    print(f"{_count(total, 'promise')} tried, {_count(broken, 'problem')}")
    return 1 if broken else 0


def report(problems: Iterable[Problem], *, colour: bool) -> Iterable[str]:
    """The problems as lines, one block for each file."""
    bold, red, dim, off = ("\033[1m", "\033[31m", "\033[2m", "\033[0m") if colour else ("",) * 4
    for file, group in groupby(problems, key=lambda problem: problem.file):
        for problem in group:
            where = f"  {dim}({problem.where}){off}" if problem.where else ""
            place = f"{bold}{_readable(file)}:{problem.line}:{problem.column}{off}"
            yield f"{place}  {red}{problem.what}{off}{where}"
            yield f"    {problem.cure}"
        yield ""


def _readable(path: Path) -> str:
    """The path from here when it lies below, so that it is short and can still be clicked."""
    inside = path.absolute()
    here = Path.cwd()
    return printable(str(inside.relative_to(here) if inside.is_relative_to(here) else inside), 1000)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
