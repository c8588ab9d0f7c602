"""The servers that all rounds share, and the folder and ledger of one round."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from planhat_pipelines.sandbox.planhat.server import PlanhatServer
from planhat_pipelines.sandbox.s3 import S3Server
from planhat_pipelines.sandbox.snowflake.process import SnowflakeServer
from planhat_pipelines.sandbox.snowflake.users import create_user, write_users
from planhat_pipelines_tests.e2e.place import DATABASE, open_session
from torture.runs import Runs
from torture.wire import Wire

BUDGET: dict[str, Any] = {"rate": 60.0, "burst": 30, "parallel": 6}  # as the real one, but for the speed
HASTE = {
    "connect": 5,
    "read": 0.6,
    "attempts": 2,
    "first_wait": 0.01,
    "throttled_wait": 0.02,
    "longest_wait": 0.1,
}
CALM = {**HASTE, "read": 60, "attempts": 4}


class Stage:
    """A context manager around a Snowflake, an S3 and a Planhat, a wire to each, and the process that forks runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()

    def __enter__(self) -> Stage:
        try:
            return self._start(self._stack.enter_context)
        except BaseException:
            self._stack.close()
            raise

    def _start(self, enter: Any) -> Stage:
        import boto3

        password, users = secrets.token_urlsafe(), self.folder / "users.json"
        write_users(users, [create_user("SYNC", password=password, role="SYNC", warehouse="WH")])
        snowflake = enter(SnowflakeServer(users, create_missing=True))
        s3 = enter(S3Server(self.folder / "s3", bucket="drops"))
        self.planhat = enter(PlanhatServer(self.folder / "planhat"))
        app = self.planhat.admin("POST", "apps", {"name": "runs", "permissions": {"*": _ALL}})
        direct = {"snowflake": snowflake.port, "s3": s3.port}
        direct |= {"api": _port(self.planhat.api_url), "analytics": _port(self.planhat.analytics_url)}
        self.wires = {name: enter(Wire(port)) for name, port in direct.items()}
        self.secrets = {
            "Planhat token": app["token"],
            "Planhat tenant": self.planhat.tenant,
            "Snowflake password": password,
            "S3 secret": s3.access.secret_access_key,
        }
        common = {
            "SNOWFLAKE_ACCOUNT": "LOCAL",
            "SNOWFLAKE_USER": "SYNC",
            "SNOWFLAKE_PASSWORD": password,
            "SNOWFLAKE_HOST": snowflake.host,
            "SNOWFLAKE_PORT": str(snowflake.port),
            "SNOWFLAKE_PROTOCOL": "http",
            "SNOWFLAKE_DATABASE": DATABASE,
            "SNOWFLAKE_SCHEMA": "PUBLIC",
            "AWS_REGION": s3.access.region,
            "AWS_ACCESS_KEY_ID": s3.access.access_key_id,
            "AWS_SECRET_ACCESS_KEY": s3.access.secret_access_key,
            "AWS_ENDPOINT_URL_S3": s3.endpoint,
            "PLANHAT_TOKEN": self.planhat.token,
            "PLANHAT_TENANT": self.planhat.tenant,
            "PLANHAT_API_URL": self.planhat.api_url,
            "PLANHAT_ANALYTICS_URL": self.planhat.analytics_url,
        }
        self.direct = common
        local = {name: f"http://127.0.0.1:{wire.port}" for name, wire in self.wires.items()}
        self.wired = {
            **common,
            "SNOWFLAKE_PORT": str(self.wires["snowflake"].port),
            "AWS_ENDPOINT_URL_S3": local["s3"],
            "PLANHAT_TOKEN": app["token"],
            "PLANHAT_API_URL": local["api"],
            "PLANHAT_ANALYTICS_URL": local["analytics"],
        }
        self.s3 = boto3.client("s3", **s3.client_args)
        self.session = enter(open_session(common))
        self.output = self.folder / "output"
        self.output.touch()
        self.runs = enter(Runs(self.output))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @contextmanager
    def round(self, number: int) -> Generator[Path]:
        """A folder of one round's own. What runs wrote before is forgotten."""
        folder = self.folder / f"round{number}"
        folder.mkdir()
        self.output.write_bytes(b"")
        self.calm()
        try:
            yield folder
        finally:
            self.calm()
            shutil.rmtree(folder)

    def calm(self) -> None:
        """No trouble any more."""
        self.planhat.admin("DELETE", "faults")
        for wire in self.wires.values():
            wire.calm()

    def environment(
        self, folder: Path, *, calm: bool = False, hasty_ledger: bool = False
    ) -> Mapping[str, str]:
        """The variables of a run. `calm`: it may take its time."""
        network = {"SNOWFLAKE_NETWORK_TIMEOUT": "60" if calm else "4"}
        wait = "?timeout=0.2" if hasty_ledger else ""
        ledger = {"PLANHAT_LEDGER_URL": f"sqlite:///{folder / 'ledger.db'}{wait}"}
        return {**self.wired, **network, **ledger, "PLANHAT_SPOOL_FOLDER": str(folder / "spool")}


_ALL = ["create", "read", "update", "delete"]


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
