"""`planhat-pipelines lineage`: a page that shows which column becomes which Planhat field, and what a change breaks."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from planhat_pipelines.commands.syncs import add_defs
from planhat_pipelines.spec.load import load

if TYPE_CHECKING:
    from planhat_pipelines.spec.kinds import AnySpec

_STATIC = Path(__file__).parent / "static"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lineage`."""
    parser.description = (
        "Write one HTML file over all syncs: which column becomes which Planhat field and how, and the way back. "
        "Search it, or choose a column to see what breaks when it is dropped, or a field to see where its value comes "
        "from. The page needs no server and no network. It is made from the specs alone."
    )
    parser.epilog = "example: planhat-pipelines lineage --out public/lineage.html"
    parser.add_argument(
        "--out", metavar="FILE", type=Path, default=Path("lineage.html"), help="default: %(default)s"
    )
    add_defs(parser)


def run(args: argparse.Namespace) -> int:
    """Write the page; 1 when the syncs have problems or the file cannot be written."""
    loaded = load(args.defs)
    if loaded.problems:
        print("The syncs have problems; planhat-pipelines check names them.", file=sys.stderr)
        return 1
    out: Path = args.out
    try:
        out.write_text(page([declared.spec for declared in loaded.syncs]), encoding="utf-8")
    except OSError as error:
        print(f"{out} cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    print(f"{len(loaded.syncs)} syncs in {out}; open it in a browser")
    return 0


def page(specs: Sequence[AnySpec]) -> str:
    """The page, whole: styles, program and data stand in it."""
    from planhat_pipelines.engine.lineage.traced import lineage

    data = json.dumps(lineage(specs), ensure_ascii=False).replace("<", "\\u003c")
    text = _static("lineage.html").replace("/* styles */", _static("lineage.css"))
    return text.replace("/* program */", _static("lineage.js")).replace("/* data */", data)


def _static(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")
