"""The `planhat-pipelines` command. A subcommand is one line in `COMMANDS` and one module."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module, metadata
from typing import Any

COMMANDS: Mapping[str, tuple[str, str]] = {
    "check": (
        "planhat_pipelines.commands.check",
        "say everything that is wrong with the syncs, here and out there",
    ),
    "plan": ("planhat_pipelines.commands.plan", "show what the next run of a sync would send"),
    "apply": (
        "planhat_pipelines.commands.apply",
        "run what a plan in a file says, unless something has moved",
    ),
    "verify": ("planhat_pipelines.commands.verify", "compare what Planhat holds with what was sent"),
    "rejections": ("planhat_pipelines.commands.rejections", "show the rows that were refused, or that wait"),
    "why": ("planhat_pipelines.commands.why", "say what writes a field of a record, and when it last did"),
    "lineage": (
        "planhat_pipelines.commands.lineage",
        "write a page of which column becomes which Planhat field",
    ),
    "conflicts": (
        "planhat_pipelines.commands.conflicts",
        "show the fields that were changed on both sides, and what lost",
    ),
    "reference": ("planhat_pipelines.commands.reference", "print every option that a sync may have"),
    "drops": ("planhat_pipelines.commands.drops", "show the files that came, and where each lies now"),
    "demo": ("planhat_pipelines.commands.demo", "run all syncs twice in a sandbox and say what came of it"),
    "dev": ("planhat_pipelines.commands.dev", "open Dagster's pages over the sandbox"),
    "sandbox": ("planhat_pipelines.commands.sandbox", "run a Snowflake, an S3 and a Planhat on this machine"),
}
"""Name: (module with `add_arguments(parser)` and `run(args) -> int`, one line of help).

A module is imported only when its command is called, so that `--help` stays fast.
"""

_EPILOG = """\
exit codes:
  0    all is well
  1    the command ran, and what it looked at is not well; it says what
  2    the command line is wrong
  130  stopped with ctrl-c

examples:
  planhat-pipelines demo                   all of it at work, on this machine
  planhat-pipelines check                  the syncs of this project
  planhat-pipelines check path/to/defs     the syncs below another folder
  planhat-pipelines plan accounts          what its next run would send
  planhat-pipelines COMMAND --help         what a command takes, with an example
"""


class _Help(argparse.HelpFormatter):
    """Leaves text of several lines as it is, so that an example can be copied."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text.rstrip() if "\n" in text else super()._fill_text(text, width, indent)


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(f"planhat-pipelines {metadata.version('planhat-pipelines')}")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and give its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="planhat-pipelines",
        description="Snowflake tables and S3 drops to Planhat and back, with a verdict for every row.",
        epilog=_EPILOG,
        formatter_class=_Help,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and stop")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    called = next((word for word in words if not word.startswith("-")), None)
    for name, (module, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, formatter_class=_Help)
        if name == called:
            command.set_defaults(run=(implementation := import_module(module)).run)
            implementation.add_arguments(command)
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")  # a file name may hold what the terminal cannot show
    args = parser.parse_args(words)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
