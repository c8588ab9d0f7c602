"""`planhat-pipelines reference`: every option of a sync, as Markdown."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `reference`."""
    parser.description = (
        "Print, as Markdown, every option that may stand in a defs.yaml: type, default, meaning, example."
    )
    parser.epilog = "example: planhat-pipelines reference --out docs/reference.md"
    parser.add_argument("--out", metavar="FILE", type=Path, help="write it there instead")


def run(args: argparse.Namespace) -> int:
    """Print or write the page; 1 when the file cannot be written."""
    from planhat_pipelines.spec.reference import reference

    if args.out is None:
        print(reference(), end="")
        return 0
    try:
        args.out.write_text(reference(), encoding="utf-8")
    except OSError as error:
        print(f"{args.out} cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    return 0
