"""The syncs of a deployment, as commands name them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import planhat_pipelines
from planhat_pipelines.spec.load import load

if TYPE_CHECKING:
    from planhat_pipelines.spec.kinds import AnySpec

DEFS = Path(planhat_pipelines.__file__).parent / "defs"


def add_defs(parser: argparse.ArgumentParser) -> None:
    """The option that says where the syncs are."""
    parser.add_argument(
        "--defs",
        metavar="FOLDER",
        type=Path,
        default=DEFS,
        help="where the syncs are (default: the project's own)",
    )


def find(folder: Path, name: str) -> AnySpec | None:
    """The sync of that name; None, and a line that names those there are, when there is none."""
    specs = {declared.spec.name: declared.spec for declared in load(folder).syncs}
    if name not in specs:
        print(f"There is no sync {name}; there are: {', '.join(specs) or 'none'}", file=sys.stderr)
    return specs.get(name)
