"""A webhook and a mail server on loopback that keep what they are sent."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook(ThreadingHTTPServer):
    """Takes Slack's messages; answers with `status`."""

    def __init__(self) -> None:
        self.status, self.got = 200, list[dict[str, Any]]()
        super().__init__(("127.0.0.1", 0), _Post)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/services/T0/B0/secret"

    @property
    def texts(self) -> list[str]:
        return [each["text"] for each in self.got]


class _Post(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        self.server.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as a client needs that sends in clear; offers no TLS."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        self.got: list[tuple[str, list[str], str]] = []
        super().__init__(("127.0.0.1", 0), _Smtp)


class _Smtp(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        sender, to = "", list[str]()
        self._say("220 here")
        for raw in self.rfile:
            line = raw.decode().strip()
            word = line.upper().split(":")[0].split(" ")[0]
            if word == "EHLO":
                self._say("250-here\r\n250 AUTH PLAIN")
            elif word == "MAIL":
                sender = line.partition(":")[2]
                self._say("250 ok")
            elif word == "RCPT":
                to.append(line.partition(":")[2].strip("<>"))
                self._say("250 ok")
            elif word == "DATA":
                self._say("354 go on")
                text = "".join(iter(lambda: self.rfile.readline().decode(), ".\r\n"))
                self.server.got.append((sender.strip("<>"), to, text.replace("\r\n", "\n")))
                self._say("250 taken")
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("235 ok" if word == "AUTH" else "502 no")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def running(server: socketserver.BaseServer) -> Iterator[Any]:
    """Serve from a thread, and end it."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
