"""Runs of a files sync that are killed on order. One process loads the product once and forks a child for each run,
which kills itself with SIGKILL at the step it was told, by wrapping methods in the child alone."""

from __future__ import annotations

import functools
import importlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

PATIENCE = 90  # seconds, the most a test waits for a run
LOADED = (
    "boto3",
    "numpy",
    "planhat_pipelines.engine.environment",
    "planhat_pipelines.engine.files",
    "pyarrow.parquet",
    "requests",
    "sqlalchemy.dialects.sqlite",
    "tenacity",
)


class Mortals:
    """A context manager around the process that forks runs."""

    def __enter__(self) -> Mortals:
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "planhat_pipelines_tests.drops.mortal"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=environment,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            pipe.close()

    def run(self, environment: Mapping[str, str], facts: Mapping[str, Any], **order: Any) -> str:
        """Start a run and wait for its end: "killed", "done" or the name of an error."""
        self.start(environment, facts, **order)
        return self.end()

    def start(
        self,
        environment: Mapping[str, str],
        facts: Mapping[str, Any],
        *,
        step: str = "",
        when: str = "after",
        nth: int = 1,
        items: int = 2,
    ) -> int:
        """Start a run of the spec `facts` that dies at the `nth` time it comes to `step`; gives its process."""
        order = {"environment": dict(environment), "facts": facts, "step": step, "when": when}
        order |= {"nth": nth, "items": items}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        return self._line()["pid"]

    def end(self) -> str:
        """How the run ended."""
        return self._line()["end"]

    def _line(self) -> Any:
        out = self._process.stdout
        assert out
        if not select.select([out], [], [], PATIENCE)[0]:
            raise TimeoutError("the run neither ended nor died")
        line = out.readline()
        if not line:
            raise RuntimeError(f"the process that forks runs ended with {self._process.wait(PATIENCE)}")
        return json.loads(line)


def die_at(step: str, when: str, nth: int) -> None:
    """Let this process be killed before or after the nth call of a step."""
    from planhat_pipelines.engine import drops
    from planhat_pipelines.files import Bucket, Inbox, archive
    from planhat_pipelines.files.formats import read as parser
    from planhat_pipelines.ledger import Claim
    from planhat_pipelines.planhat.client import Planhat

    owners: dict[str, tuple[Any, str]] = {
        "claim a drop": (Inbox, "claim"),
        "fetch": (Inbox, "fetch"),
        "parse": (drops, "read"),
        "refused rows": (Inbox, "put_refused_rows"),
        "archive": (archive, "archive"),
        "delete": (Bucket, "remove"),
        "send points": (Planhat, "metrics"),
        "send records": (Planhat, "upsert"),
        "mid parse": (sys.modules[parser.__module__], "_run"),
    }
    owner, name = owners.get(step) or (Claim, step)
    real = getattr(owner, name)
    seen = 0

    @functools.wraps(real)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == nth and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = real(*arguments, **named)
        if seen == nth and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(owner, name, wrapped)


def child(order: dict[str, Any]) -> None:
    """One run."""
    from planhat_pipelines.engine import activities, metrics, records
    from planhat_pipelines.engine.environment import open_ledger, open_planhat, planhat_account, s3_account
    from planhat_pipelines.engine.files import files_sync
    from planhat_pipelines.spec.files import FilesSpec

    metrics.POINTS_A_REQUEST = activities.ACTIVITIES_A_REQUEST = records.ITEMS_A_REQUEST = order["items"]
    if order["step"]:
        die_at(order["step"], order["when"], order["nth"])
    environment = order["environment"]
    with (
        open_ledger(environment) as ledger,
        open_planhat(planhat_account(environment), ledger) as planhat,
    ):
        spec, spool = (
            FilesSpec.model_validate(order["facts"]),
            Path(environment["PLANHAT_SPOOL_FOLDER"]),
        )
        files_sync(spec, s3_account(environment), planhat, ledger, spool=spool, patience=0.0).run(
            f"mortal {os.getpid()}"
        )


def main() -> None:
    """Fork a child for each line. What children would import is imported once, here."""
    from planhat_pipelines.files import S3Account, S3Client
    from planhat_pipelines.files.formats.parent import PARENT

    for module in LOADED:
        importlib.import_module(module)
    PARENT.connected().close()  # all use the one that forks readers
    keys = {"access_key_id": "any", "secret_access_key": "any"}
    assert S3Client(S3Account("us-east-1", endpoint_url="http://127.0.0.1", **keys)).endpoint
    for line in sys.stdin:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            end = "done"
            try:
                child(json.loads(line))
            except BaseException as error:
                end = f"{type(error).__name__}: {error}"
            os.write(writing, end.encode()[:4000])
            os._exit(0)
        os.close(writing)
        print(json.dumps({"pid": pid}), flush=True)
        os.waitpid(pid, 0)
        end = os.read(reading, 4000).decode() or "killed"
        os.close(reading)
        print(json.dumps({"end": end}), flush=True)


if __name__ == "__main__":
    main()
