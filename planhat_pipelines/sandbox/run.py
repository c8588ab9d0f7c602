"""The whole sandbox: a Snowflake, an S3 and a Planhat on loopback, with a world in them, in one folder.

with Sandbox(Path(".planhat/sandbox")) as box:
    subprocess.run([...], env={**os.environ, **box.environment})

The first start fills the servers; a later one goes on with what is there. The folder holds

    sandbox.json   addresses and credentials, for people and tools; readable by its owner only, as is all below
    env            the same as `export NAME=value`, to be sourced by a shell
    snowflake/ s3/ planhat/   what the servers keep
    snowflake.key  the private key of the default sign-in
    ledger.db      the ledger of the syncs that run against the sandbox
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from planhat_pipelines.sandbox.fill import ask, fill, pass_day
from planhat_pipelines.sandbox.planhat import PlanhatServer
from planhat_pipelines.sandbox.s3 import S3Server
from planhat_pipelines.sandbox.snowflake import SnowflakeServer, create_key_pair, create_user, write_users
from planhat_pipelines.sandbox.state import (
    LEDGER,
    SandboxError,
    end_orphans,
    forget,
    is_running,
    lock,
    read_facts,
    write_facts,
    write_secret,
)
from planhat_pipelines.sandbox.world import NextDay, build, next_day
from planhat_pipelines.sandbox.world.drops import BUCKET

PORTS: Mapping[str, int] = {"planhat": 8410, "analytics": 8411, "snowflake": 8412, "s3": 8413}
ROLE, WAREHOUSE = "PHCLIENT", "PLANHAT_WH"
USER = "PHUSER"  # signs in with a key pair; PHUSER_PASSWORD and PHUSER_TOKEN say how they do


class Sandbox:
    """A context manager; `environment` holds what the product's resources read.

    Args:
        folder: where the state is kept. It may be shared by no other sandbox.
        fresh: forget what the folder holds, the ledger included.
        seed, scale, as_of: of the world, see world.build; a filled folder keeps its own. Without `as_of`, the latest
            Monday.
        ports: wanted ones by server; one that is taken is replaced by a free one.

    Raises:
        SandboxError: a sandbox already runs on the folder, or the folder is somebody else's.
        RuntimeError: a server did not start.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fresh: bool = False,
        seed: int = 7,
        scale: float = 1.0,
        as_of: date | None = None,
        ports: Mapping[str, int] = PORTS,
    ) -> None:
        self.folder = folder.absolute()
        self._fresh = fresh
        self._world = {
            "seed": seed,
            "scale": scale,
            "as_of": (as_of or _latest_monday()).isoformat(),
            "days": 0,
        }
        self._ports = dict(ports)
        self._stack = ExitStack()
        self.facts: dict[str, Any] = {}

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the product's resources read."""
        return dict(self.facts["environment"])

    def next_day(self) -> NextDay:
        """Let one day pass, see world.next_day."""
        return let_a_day_pass(self.folder)

    def start(self) -> Sandbox:
        """Start the servers and, the first time, fill them."""
        _leave_proxies_aside()
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            lock(self.folder, stack)
            self.folder.chmod(0o700)
            before = read_facts(self.folder)
            end_orphans(self.folder, before.get("servers", ()))
            if self._fresh or not before.get("filled"):  # or a first start that did not come to its end
                forget(self.folder)
                before = {}
            self.facts = self._start_servers(stack, before)
            write_facts(self.folder, self.facts)
            if not self.facts["filled"]:
                fill(self.environment, _build(self.facts["world"]))
                self.facts["filled"] = True
                write_facts(self.folder, self.facts)
            self._stack = stack.pop_all()
        return self

    def stop(self) -> None:
        """Stop the servers; the folder keeps what they hold."""
        self._stack.close()

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_servers(self, stack: ExitStack, before: dict[str, Any]) -> dict[str, Any]:
        users: dict[str, dict[str, str]] = before.get("users") or _make_users(self.folder)
        users[USER] = {
            "private_key_file": str(self.folder / "snowflake.key")
        }  # the folder may have been moved
        ports = {name: _usable(before.get("ports", {}).get(name, port)) for name, port in self._ports.items()}
        users_file, data = self.folder / "users.json", self.folder / "snowflake"
        snowflake = SnowflakeServer(users_file, folder=data, port=ports["snowflake"])
        s3 = S3Server(self.folder / "s3", bucket=BUCKET, port=ports["s3"])
        planhat = PlanhatServer(
            self.folder / "planhat", port=ports["planhat"], analytics_port=ports["analytics"]
        )
        servers = (snowflake, s3, planhat)
        for server in servers:
            stack.callback(server.stop)
        with ThreadPoolExecutor(len(servers)) as pool:
            for started in [pool.submit(server.start) for server in servers]:
                started.result()
        access = s3.access
        environment = {
            "SNOWFLAKE_ACCOUNT": snowflake.account,
            "SNOWFLAKE_USER": USER,
            "SNOWFLAKE_PRIVATE_KEY_FILE": users[USER]["private_key_file"],
            "SNOWFLAKE_HOST": snowflake.host,
            "SNOWFLAKE_PORT": str(snowflake.port),
            "SNOWFLAKE_PROTOCOL": "http",
            "SNOWFLAKE_ROLE": ROLE,
            "SNOWFLAKE_WAREHOUSE": WAREHOUSE,
            "SNOWFLAKE_DATABASE": "CRM",
            "SNOWFLAKE_SCHEMA": "PUBLIC",
            "SNOWFLAKE_COMMIT_LAG": "0",
            "PLANHAT_API_URL": planhat.api_url,
            "PLANHAT_ANALYTICS_URL": planhat.analytics_url,
            "PLANHAT_TOKEN": planhat.token,
            "PLANHAT_TENANT": planhat.tenant,
            "AWS_ACCESS_KEY_ID": access.access_key_id,
            "AWS_SECRET_ACCESS_KEY": access.secret_access_key,
            "AWS_REGION": access.region,
            "AWS_ENDPOINT_URL_S3": s3.endpoint,
            "AWS_ENDPOINT_URL_STS": s3.endpoint,
            "no_proxy": os.environ["no_proxy"],
            "PLANHAT_LEDGER_URL": f"sqlite:///{self.folder / LEDGER}",
        }
        return {
            "pid": os.getpid(),
            "servers": [snowflake.process_id, s3.process_id, planhat.process_id],
            "filled": before.get("filled", False),
            "world": before.get("world", self._world),
            "ports": {
                "planhat": _port(planhat.api_url),
                "analytics": _port(planhat.analytics_url),
                "snowflake": snowflake.port,
                "s3": s3.port,
            },
            "users": users,
            "bucket": BUCKET,
            "role": {"arn": access.role_arn, "external_id": access.external_id},
            "environment": environment,
        }


def let_a_day_pass(folder: Path) -> NextDay:
    """Let one day pass in the sandbox that runs on `folder`; raises SandboxError when none does."""
    facts = _running(folder)
    facts["world"]["days"] += 1
    day = next_day(_build(facts["world"]), facts["world"]["days"])
    pass_day(facts["environment"], day)
    write_facts(folder, facts)
    return day


def ask_snowflake(folder: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run a statement in the sandbox that runs on `folder`: the names of its columns, and its rows. Raises SandboxError
    when none does, and when Snowflake refuses the statement."""
    from snowflake.connector.errors import Error

    try:
        return ask(_running(folder)["environment"], sql)
    except Error as error:
        raise SandboxError(f"Snowflake: {' '.join(str(error.msg).split())}") from None


def _running(folder: Path) -> dict[str, Any]:
    """The facts of the sandbox that runs on the folder."""
    _leave_proxies_aside()
    facts = read_facts(folder)
    if not facts.get("filled") or not is_running(folder):
        raise SandboxError(
            f"No sandbox runs on {folder}. Start one: planhat-pipelines sandbox --folder {folder}"
        )
    return facts


def _leave_proxies_aside() -> None:
    """The servers are on this machine, and a proxy, where one is set, would look for them on its own."""
    others = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    here = [] if "127.0.0.1" in others.split(",") else ["127.0.0.1", "localhost"]
    os.environ["no_proxy"] = ",".join(filter(None, [others, *here]))


def _build(world: Mapping[str, Any]) -> Any:
    return build(date.fromisoformat(world["as_of"]), seed=world["seed"], scale=world["scale"])


def _latest_monday() -> date:
    today = date.today()  # noqa: DTZ011  (the day where the user is)
    return today - timedelta(days=today.weekday())


def _make_users(folder: Path) -> dict[str, dict[str, str]]:
    """Three users, one for each way to sign in to Snowflake; the server gets hashes and the public key."""
    pair = create_key_pair()
    write_secret(folder / "snowflake.key", pair.private_pem)
    password, token = secrets.token_urlsafe(18), secrets.token_urlsafe(48)
    common: dict[str, Any] = {"role": ROLE, "warehouse": WAREHOUSE}
    write_users(
        folder / "users.json",
        [
            create_user(USER, public_keys=[pair.public_pem], **common),
            create_user(f"{USER}_PASSWORD", password=password, **common),
            create_user(f"{USER}_TOKEN", access_tokens=[token], **common),
        ],
    )
    return {
        f"{USER}_PASSWORD": {"password": password},
        f"{USER}_TOKEN": {"token": token},
    }


def _usable(port: int) -> int:
    """The port, or 0 (any free one) when it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
