"""An AWS that answers as told: for answers that no local S3 gives, such as keys that end while we run."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

EMPTY_LISTING = """<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>drops</Name>
<KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>"""


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    key_id: str
    form: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Told:
    status: int = 200
    body: str = EMPTY_LISTING
    headers: dict[str, str] = field(default_factory=dict)


def refusal(status: int, code: str, extra: str = "", **headers: str) -> Told:
    body = f"<Error><Code>{code}</Code><Message>as told</Message>{extra}</Error>"
    return Told(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def sts_refusal(status: int, code: str) -> Told:
    return Told(
        status, f"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
    )


def role_keys(key_id: str, until: str = "2999-01-01T00:00:00Z") -> Told:
    keys = f"<AccessKeyId>{key_id}</AccessKeyId><SecretAccessKey>role secret</SecretAccessKey>"
    keys += f"<SessionToken>token of {key_id}</SessionToken><Expiration>{until}</Expiration>"
    who = "<Arn>arn:aws:sts::1:assumed-role/r/s</Arn><AssumedRoleId>a:b</AssumedRoleId>"
    who = f"<AssumedRoleUser>{who}</AssumedRoleUser>"
    result = f"<AssumeRoleResult><Credentials>{keys}</Credentials>{who}</AssumeRoleResult>"
    return Told(
        body=f'<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">{result}</AssumeRoleResponse>'
    )


class PretendAws:
    def __init__(self, answer: Callable[[Asked], Told]) -> None:
        self.answer, self.asked, self.endpoint = answer, list[Asked](), ""

    def of(self, method: str, path: str = "") -> list[Asked]:
        return [one for one in self.asked if one.method == method and one.path.startswith(path)]


@contextmanager
def pretend(answer: Callable[[Asked], Told]) -> Generator[PretendAws]:
    aws = PretendAws(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode(errors="replace")
            key_id = re.search(r"Credential=([^/]+)/", self.headers.get("Authorization", ""))
            form = {name: values[0] for name, values in parse_qs(text).items()}
            asked = Asked(self.command, self.path, key_id[1] if key_id else "", form, dict(self.headers))
            aws.asked.append(asked)
            told = aws.answer(asked)
            body = b"" if self.command == "HEAD" else told.body.encode()
            self.send_response(told.status)
            for name, value in {"Content-Length": str(len(body)), **told.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_any  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    aws.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield aws
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
