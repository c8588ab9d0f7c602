"""`planhat-pipelines sandbox`: a Snowflake, an S3 and a Planhat on this machine, with a made-up company in them."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planhat_pipelines.commands.table import columns

if TYPE_CHECKING:
    from planhat_pipelines.sandbox.world import NextDay

LOOK = "SELECT ACCOUNT_ID, PHASE, CITY, CSM_SCORE FROM ACCOUNTS"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `sandbox`."""
    parser.description = (
        "Start a Snowflake, an S3 and a Planhat on 127.0.0.1 and fill them with a made-up software company. "
        "Runs until Ctrl-C; the next start goes on with what is there."
    )
    parser.epilog = (
        "examples:\n  planhat-pipelines sandbox --scale 0.2\n"
        f"  planhat-pipelines sandbox --sql '{LOOK} LIMIT 5'"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(".planhat/sandbox"),
        help="where the state is kept (default: %(default)s)",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="forget what the folder holds, the ledger included"
    )
    parser.add_argument(
        "--scale",
        type=float,
        default=1.0,
        help="size of the company at the first start: 1 is 300 customers and 25,000 usage rows",
    )
    parser.add_argument(
        "--next-day", action="store_true", help="let a day pass in the sandbox that runs on the folder"
    )
    parser.add_argument(
        "--sql",
        metavar="STATEMENT",
        help="run a statement in its Snowflake (schema CRM.PUBLIC) and print the rows",
    )


def run(args: argparse.Namespace) -> int:
    """Run the sandbox until it is told to stop; 1 when it cannot start."""
    try:
        from planhat_pipelines.sandbox.run import Sandbox, ask_snowflake, let_a_day_pass
    except ModuleNotFoundError as missing:
        print(f"{missing}. The sandbox needs: pip install 'planhat-pipelines[sandbox]'", file=sys.stderr)
        return 1
    stop = threading.Event()
    try:
        if args.next_day:
            print(_told(let_a_day_pass(args.folder)))
            return 0
        if args.sql:
            head, rows = ask_snowflake(args.folder, args.sql)
            print("\n".join(columns(head, rows)))
            return 0
        _stop_on_signals(stop)
        with Sandbox(args.folder, fresh=args.fresh, scale=args.scale) as box:
            print("\n".join(_summary(box.folder, box.facts)), flush=True)
            stop.wait()
            print("stopping", flush=True)
    except (RuntimeError, ValueError) as error:
        if not stop.is_set():  # Ctrl-C reaches the servers too, and may end them while they start
            print(error, file=sys.stderr)
            return 1
    return 0


def _stop_on_signals(stop: threading.Event) -> None:
    def told(*_: object) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, told)


def _told(day: NextDay) -> str:
    rows = sum(table.rows.height for table in day.new)
    news = f"{rows} new rows, {len(day.changed)} changed accounts, {len(day.drops)} new file"
    return f"{day.day}: {news}, {len(day.edits)} edits in Planhat"


def _summary(folder: Path, facts: dict[str, Any]) -> list[str]:
    """What runs where, and what to try next."""
    where = facts["environment"]
    snowflake = f"{where['SNOWFLAKE_HOST']}:{where['SNOWFLAKE_PORT']}"
    user = f"account {where['SNOWFLAKE_ACCOUNT']}, user {where['SNOWFLAKE_USER']} with a key pair"
    usual = folder == Path(".planhat/sandbox").absolute()
    elsewhere = "" if usual else f" --folder {shlex.quote(str(folder))}"
    return [
        "A made-up software company on this machine:",
        "",
        f"  Planhat    {where['PLANHAT_API_URL']:<22} open it: customers, metrics, requests, faults on order",
        f"  analytics  {where['PLANHAT_ANALYTICS_URL']:<22} takes metrics and activities",
        f"  Snowflake  {snowflake:<22} databases CRM and PRODUCT; {user}",
        f"  S3         {where['AWS_ENDPOINT_URL_S3']:<22} bucket {facts['bucket']}",
        f"  ledger     {where['PLANHAT_LEDGER_URL']}",
        "",
        "Next, in another terminal:",
        "",
        f"  source {shlex.quote(str(folder / 'env'))}",
        "  planhat-pipelines check",
        "  planhat-pipelines dev",
        "",
        "and when all is synced, let a day pass: new usage, changed accounts, a new company, a new file",
        "",
        f"  planhat-pipelines sandbox --next-day{elsewhere}",
        "",
        "or change a customer yourself, in Planhat's page or in Snowflake, sync, and look at the other side",
        "",
        f"  planhat-pipelines sandbox{elsewhere} --sql '{LOOK}'",
        "",
        f"Addresses and credentials: {folder / 'sandbox.json'}. Ctrl-C stops; the state stays.",
    ]
