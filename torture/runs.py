"""Runs in processes of their own, several at once. One process loads the product once and forks a child for each."""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

from planhat_pipelines_tests.drops import mortal as drops
from planhat_pipelines_tests.e2e import mortal as usage
from planhat_pipelines_tests.records import mortal as records

PATIENCE = 240.0  # seconds, twice the most a run may last; long, as a busy machine is no fault
LOADED = (
    *(*usage.LOADED, *records.LOADED, *drops.LOADED, "planhat_pipelines.engine.twoway.build"),
    *("netrc", "polars._utils.parquet", "snowflake.connector.file_transfer_agent"),
)

Ended = dict[str, Any]  # end: done, killed or failed; error, typed, trace; moments; counts


class Runs:
    """A context manager around the process that forks. `output`: a file for all that runs write."""

    def __init__(self, output: Path) -> None:
        self._output = output

    def __enter__(self) -> Runs:
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2"}
        environment["SNOWFLAKE_DISABLE_PLATFORM_DETECTION"] = "true"  # a third of a second of each sign-in
        command = [sys.executable, "-m", "torture.runs"]
        with self._output.open("ab") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
                env=environment,
            )
        self._pipes = [cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)]
        self._out, self._read = self._pipes[1].fileno(), b""
        self._ended: dict[int, Ended] = {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(10)
        for pipe in self._pipes:
            pipe.close()

    def start(self, order: Mapping[str, Any]) -> int:
        """Start a run; gives its process."""
        self._say(order)
        while True:
            line = self._line()
            if "started" in line:
                return line["started"]
            self._ended[line["pid"]] = line

    def kill(self, pid: int) -> None:
        """Kill a run that was started and whose end was not asked for yet, if it is still alive."""
        if pid not in self._ended:
            self._say({"kill": pid})

    def end(self, pid: int) -> Ended:
        """Wait for the end of a run."""
        while pid not in self._ended:
            line = self._line()
            self._ended[line["pid"]] = line
        return self._ended.pop(pid)

    def _say(self, order: Mapping[str, Any]) -> None:
        self._pipes[0].write(json.dumps(order).encode() + b"\n")

    def _line(self) -> Any:
        while b"\n" not in self._read:
            if not select.select([self._out], [], [], PATIENCE)[0]:
                raise TimeoutError("a run neither ended nor died")
            some = os.read(self._out, 65_536)
            if not some:
                raise RuntimeError(f"the process that forks runs ended with {self._process.wait(10)}")
            self._read += some
        line, _, self._read = self._read.partition(b"\n")
        return json.loads(line)


# -- in the child


def moments(die_at: int) -> list[int]:
    """Every write to the ledger, every request to Planhat and every step of a file has a moment before it and one
    after it. Counts them; at the one asked for, the process is killed."""
    from planhat_pipelines.engine.drops import source
    from planhat_pipelines.files import Bucket, Inbox, archive
    from planhat_pipelines.ledger import Claim
    from planhat_pipelines.planhat.client import Planhat
    from planhat_pipelines.snowflake.writeback import Target

    passed = [0]

    def moment() -> None:
        passed[0] += 1
        if passed[0] == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def public(owner: Any) -> list[tuple[Any, str]]:
        members = cast("dict[str, object]", vars(owner))
        return [(owner, name) for name, value in members.items() if callable(value) and name[0] != "_"]

    places = [*public(Claim), *public(Target), (source, "read"), (archive, "archive"), (Bucket, "remove")]
    places += [(Planhat, name) for name in ("upsert", "metrics", "activities")]
    places += [(Inbox, name) for name in ("claim", "fetch", "put_refused_rows")]
    for owner, name in places:
        real = getattr(owner, name)

        def wrapped(*arguments: Any, _real: Any = real, **named: Any) -> Any:
            moment()
            answer = _real(*arguments, **named)
            moment()
            return answer

        setattr(owner, name, wrapped)
    return passed


def sync_of(order: Mapping[str, Any], ledger: Any, planhat: Any, stack: Any, log: Any) -> Any:
    """The sync that is ordered, ready to run."""
    from planhat_pipelines.engine import environment
    from planhat_pipelines.engine.syncs import files
    from planhat_pipelines.engine.syncs import records as crm
    from planhat_pipelines.engine.syncs import usage as metrics
    from planhat_pipelines.engine.twoway import build
    from planhat_pipelines.spec.files import FilesSpec
    from planhat_pipelines.spec.records import RecordsSpec
    from planhat_pipelines.spec.usage import UsageSpec

    values, facts, patience = order["environment"], order["facts"], order["patience"]
    if order["kind"] == "files":
        account, spool = environment.s3_account(values), Path(values["PLANHAT_SPOOL_FOLDER"])
        spec = FilesSpec.model_validate(facts)
        return files.files_sync(spec, account, planhat, ledger, spool=spool, patience=patience, log=log)
    session = stack.enter_context(environment.snowflake_account(values).connection())
    if order["kind"] == "usage":
        return metrics.usage_sync(UsageSpec.model_validate(facts), session, planhat, ledger, patience)
    make = build.two_way_sync if order["kind"] == "twoway" else crm.records_sync
    return make(RecordsSpec.model_validate(facts), session, planhat, ledger, log=log, lag=0.0)


def run(order: dict[str, Any]) -> Ended:
    """One run, to its end or to its death."""
    from contextlib import ExitStack

    from planhat_pipelines.engine.destinations import activities, metrics, records
    from planhat_pipelines.engine.environment import open_ledger, planhat_account
    from planhat_pipelines.ledger import Budget
    from planhat_pipelines.planhat.client import Planhat
    from planhat_pipelines.planhat.transport import Patience

    metrics.POINTS_A_REQUEST = activities.ACTIVITIES_A_REQUEST = records.ITEMS_A_REQUEST = order["items"]
    if order["debug"]:
        import logging

        logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    if order["clock"]:
        real, step = time.time, float(order["clock"])
        time.time = lambda: real() + step
    if order["disk"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["disk"], order["disk"]))
    passed = moments(order["die_at"])

    def log(line: str) -> None:
        print(line, file=sys.stderr)

    with ExitStack() as stack:
        ledger = stack.enter_context(open_ledger(order["environment"]))
        account = planhat_account(order["environment"])
        budget = Budget(ledger, account.api_url, **order["budget"])
        planhat = stack.enter_context(Planhat(account, budget=budget, patience=Patience(**order["haste"])))
        report = sync_of(order, ledger, planhat, stack, log).run(f"torture {order['run']}", log)
    return {"end": "done", "moments": passed[0], "counts": report.counts, "report": repr(report)[:5000]}


def failure(error: BaseException) -> Ended:
    """How a run that raised ended; `typed`: whether it is an error that says what to do."""
    import traceback

    from planhat_pipelines.engine.protocols import Brake
    from planhat_pipelines.files.errors import FilesError
    from planhat_pipelines.ledger.errors import LedgerError
    from planhat_pipelines.planhat.errors import PlanhatError
    from planhat_pipelines.snowflake.errors import SnowflakeError

    typed = isinstance(error, PlanhatError | FilesError | SnowflakeError | LedgerError | Brake)
    name, trace = type(error).__name__, traceback.format_exc()
    return {"end": "failed", "error": f"{name}: {error}", "typed": typed, "trace": trace[-6000:]}


def child(order: dict[str, Any], writing: int) -> None:
    """Run, tell the end through the pipe, and go without any clean-up."""
    try:
        ended = run(order)
    except BaseException as error:
        ended = failure(error)
        print(ended["error"], file=sys.stderr)
    sys.stderr.flush()
    os.write(writing, json.dumps(ended, default=str).encode()[:60_000])
    os._exit(0)


def main() -> None:
    """Fork a child for each order. What children would import is imported once, here."""
    from planhat_pipelines.files import S3Account, S3Client
    from planhat_pipelines.files.formats.parent import PARENT

    for module in LOADED:
        importlib.import_module(module)
    PARENT.connected().close()  # all use the one that forks readers
    account = S3Account("us-east-1", "any", "any", endpoint_url="http://127.0.0.1")
    _ = S3Client(account).endpoint  # reads what botocore knows of AWS
    gc.collect()
    gc.freeze()  # so that children share it
    alive: dict[int, tuple[int, float]] = {}  # the pipe of a child, its process and its last moment
    hung: set[int] = set()
    buffer = b""
    while True:
        for pipe in select.select([0, *alive], [], [], 1.0)[0]:
            if pipe:
                pid, _ = alive.pop(pipe)
                said = os.read(pipe, 65_536)
                os.close(pipe)
                os.waitpid(pid, 0)
                ended = json.loads(said) if said else {"end": "hung" if pid in hung else "killed"}
                print(json.dumps({"pid": pid, **ended}), flush=True)
                continue
            data = os.read(0, 65_536)
            if not data:
                return
            *lines, buffer = (buffer + data).split(b"\n")
            for order in map(json.loads, lines):
                if "kill" in order:
                    for pid, _ in alive.values():
                        if pid == order["kill"]:  # its own child, which has not been waited for
                            os.kill(pid, signal.SIGKILL)
                    continue
                reading, writing = os.pipe()
                pid = os.fork()
                if pid == 0:
                    child(order, writing)
                os.close(writing)
                alive[reading] = pid, time.monotonic() + PATIENCE / 2
                print(json.dumps({"started": pid}), flush=True)
        for pid, last in alive.values():
            if time.monotonic() > last:
                hung.add(pid)
                os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
