from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from planhat_pipelines.planhat.account import Account
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.transport import Patience

TOKEN = "token-" + "0123456789abcdef" * 22
TENANT = "0a1b2c3d-1111-2222-3333-444455556666"


@dataclass
class Seen:
    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def items(self) -> list[Any]:
        return json.loads(self.body)


@dataclass
class Far:
    """A far side that answers as it is told: a list of answers in turn, or a function of the request.

    An answer is (status, body) or (status, body, headers), or one of the words drop (close without an answer),
    cut (half an answer), silent (no answer until the test ends).
    """

    url: str = ""
    answers: list[Any] = field(default_factory=list)
    answer: Callable[[Seen], Any] | None = field(default=None, repr=False)
    seen: list[Seen] = field(default_factory=list, repr=False)
    over: threading.Event = field(default_factory=threading.Event)

    def next(self, request: Seen) -> Any:
        self.seen.append(request)
        return self.answer(request) if self.answer else self.answers.pop(0)


def _handler(far: Far) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _do(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = far.next(
                Seen(self.command, parts.path, dict(parse_qsl(parts.query)), dict(self.headers), body)
            )
            self.close_connection = isinstance(answer, str)
            if answer == "silent":
                far.over.wait(20)
            elif answer == "cut":
                self._answer(200, b"[]", {"Content-Length": "1000"})
            elif answer != "drop":
                status, content, *headers = answer
                raw = content if isinstance(content, bytes) else json.dumps(content).encode()
                self._answer(
                    status, raw, {"Content-Length": str(len(raw)), **(headers[0] if headers else {})}
                )

        def _answer(self, status: int, raw: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_PUT = do_POST = _do  # noqa: N815

        def log_message(self, *_: Any) -> None: ...

    return Handler


@contextmanager
def far_side() -> Iterator[Far]:
    """A far side on a free port of this machine."""
    far = Far()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(far))
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    far.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield far
    finally:
        far.over.set()
        server.shutdown()
        thread.join(5)
        server.socket.close()


@pytest.fixture
def far() -> Iterator[Far]:
    with far_side() as far:
        yield far


@pytest.fixture
def slept() -> list[float]:
    """The waits between attempts, which the client under test does not really sit out."""
    return []


@pytest.fixture
def client(far: Far, slept: list[float]) -> Iterator[Planhat]:
    account = Account(TOKEN, TENANT, far.url, far.url)
    with Planhat(account, patience=Patience(connect=2, read=0.5), sleep=slept.append) as client:
        yield client
