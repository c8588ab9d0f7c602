"""Start the local S3: python -m planhat_pipelines.sandbox.s3 --folder DIR --bucket NAME [--port N].

Loopback only, until SIGTERM or SIGINT. DIR holds access.json (the user's key and the role, made at the first start)
and the objects, see keeper.py.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import signal
import threading
from pathlib import Path

import requests
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from planhat_pipelines.sandbox.s3.grant import grant
from planhat_pipelines.sandbox.s3.keeper import Keeper

HOST = "127.0.0.1"
SAVE_EVERY = 2.0  # seconds


def serve(folder: Path, bucket: str, port: int) -> None:
    """Serve until told to stop; sign-in is checked from the moment the ready line is printed."""
    stop = threading.Event()

    def told_to_stop(*_: object) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told_to_stop)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server(HOST, port, app, threaded=True, request_handler=MotoRequestHandler)
    listening = threading.Thread(target=server.serve_forever, daemon=True)
    listening.start()
    endpoint = f"http://{HOST}:{server.port}"
    grant(endpoint, bucket, folder / "access.json")
    keeper = Keeper(folder / "objects", bucket)
    keeper.restore()
    requests.post(f"{endpoint}/moto-api/reset-auth", data=b"0", timeout=30).raise_for_status()
    print(json.dumps({"host": HOST, "port": server.port}), flush=True)
    while not stop.wait(SAVE_EVERY):
        with contextlib.suppress(KeyError, ValueError):  # an object went while it was read
            keeper.save()
    server.shutdown()
    keeper.save()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m planhat_pipelines.sandbox.s3", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    options = parser.parse_args()
    serve(options.folder, options.bucket, options.port)


if __name__ == "__main__":
    main()
