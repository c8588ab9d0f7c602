"""A wire between a run and a server, which can be cut, reset in the middle of an answer, or made to drip."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from types import TracebackType

_LINGER = struct.pack("ii", 1, 0)  # closing sends a reset


class Wire:
    """A context manager around a listener on a free port; what comes there goes to the server on `port` and back."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._left: int | None = None
        self._piece = 0
        self._down = False

    def __enter__(self) -> Wire:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut_after(self, answered: int) -> None:
        """Reset the connection on which this many more bytes of answers have come."""
        self._left = answered

    def drip(self, piece: int) -> None:
        """Let answers come in pieces of so many bytes, 5 ms apart."""
        self._piece = piece

    def down(self) -> None:
        """Reset every connection at its next answer."""
        self._down = True

    def calm(self) -> None:
        """Pass everything on."""
        self._left, self._piece, self._down = None, 0, False

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._upstream))
            except OSError:
                client.close()
                continue
            for ends in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if answers and self._is_cut(len(data)):
                    target.sendall(data[: len(data) // 2])
                    for each in (source, target):
                        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
                    break
                size = self._piece if answers and self._piece else len(data)
                for at in range(0, len(data), size):
                    target.sendall(data[at : at + size])
                    if size < len(data):
                        time.sleep(0.005)
        for each in (target, source):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _is_cut(self, answered: int) -> bool:
        if self._left is not None:
            self._left -= answered
            if self._left < 0:
                self._left = None
                return True
        return self._down
