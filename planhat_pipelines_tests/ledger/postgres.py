"""A real Postgres on loopback, in a folder of its own, for as long as a test session needs it."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg


def programs(installed: Path = Path("/usr/lib/postgresql")) -> Path:
    """The folder with initdb and postgres, of the newest server that is installed."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(installed.glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise RuntimeError(
        "the ledger's tests need a Postgres server: install the Debian package postgresql "
        f"(apt-get install postgresql); initdb and postgres are looked for on PATH and under {installed}"
    )


@contextmanager
def server() -> Iterator[str]:
    """The URL of a running server, without a database's name; stopped and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-postgres-"))
    user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    try:
        password = secrets.token_hex(16)
        (folder / "password").write_text(password)
        if user is not None:
            for path in (folder, folder / "password"):
                shutil.chown(path, user)
        data, port = folder / "data", _free_port()
        initdb = [programs() / "initdb", "-D", data, "-U", "ledger", "-A", "scram-sha-256", "-E", "UTF8"]
        initdb += ["--no-sync", "--locale=C", f"--pwfile={folder / 'password'}"]
        subprocess.run(initdb, user=user, cwd=folder, check=True, capture_output=True)
        command = [
            programs() / "postgres",
            "-D",
            data,
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            "-k",
            folder,
            "-F",
        ]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, user=user, cwd=folder, stdout=log, stderr=log)
        try:
            _wait_for(process, f"postgresql://ledger:{password}@127.0.0.1:{port}/postgres", folder / "log")
            yield f"postgresql+psycopg://ledger:{password}@127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGQUIT)  # at once; nobody needs the data any more
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(folder)


def create_schema(server_url: str, name: str) -> str:
    """The URL of a new, empty schema."""
    with psycopg.connect(f"{server_url}/postgres".replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA "{name}"')
    return f"{server_url}/postgres?options=-csearch_path%3D{name}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Postgres did not start:\n{log.read_text()}") from error
            time.sleep(0.1)
        else:
            return
