"""`planhat-pipelines dev`: Dagster's pages and schedules over the sandbox."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from planhat_pipelines.commands import stage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `dev`."""
    parser.description = (
        "Open Dagster's pages over the sandbox in FOLDER, with its schedules at work. Uses the sandbox that runs "
        "there, or starts it. Ends with Ctrl-C; the state stays."
    )
    parser.epilog = "example: planhat-pipelines dev --port 3001"
    parser.add_argument(
        "--folder", type=Path, default=stage.STATE, help="where the state is kept (default: %(default)s)"
    )
    parser.add_argument("--port", type=int, default=3000, help="of Dagster's pages (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Run `dagster dev` until it is told to stop; its exit code, or 1 when the sandbox does not start."""
    stage.forget_accounts()
    try:
        with _sandbox(stage.sandbox_folder(args.folder)) as environment:
            home = stage.dagster_home(args.folder)
            return _dagster({**os.environ, **stage.surroundings(environment, home)}, args.port)
    except ModuleNotFoundError as missing:
        print(f"{missing}. The sandbox needs: pip install 'planhat-pipelines[sandbox]'", file=sys.stderr)
    except (RuntimeError, ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
    return 1


@contextmanager
def _sandbox(folder: Path) -> Generator[Mapping[str, str]]:
    """The variables of the sandbox in the folder, which is started unless it runs already."""
    from planhat_pipelines.sandbox.run import Sandbox
    from planhat_pipelines.sandbox.state import is_running, read_facts

    if folder.is_dir() and is_running(folder):
        yield read_facts(folder)["environment"]
        return
    print(f"starting the sandbox in {folder} ...", flush=True)
    with Sandbox(folder) as box:
        print(f"Planhat is open at {box.environment['PLANHAT_API_URL']}", flush=True)
        yield box.environment


def _dagster(environment: Mapping[str, str], port: int) -> int:
    words = ["-w", str(stage.WORKSPACE), "-h", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "dagster", "dev", *words], env=environment, start_new_session=True
    )

    def stop(*_: object) -> None:
        process.send_signal(signal.SIGINT)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    return max(0, process.wait())
