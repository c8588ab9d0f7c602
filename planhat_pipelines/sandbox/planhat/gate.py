"""The way of every request through both hosts: log, quota, sign-in, faults, and then the model or the series behind."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from planhat_pipelines.sandbox.planhat.auth import App, Apps, masked
from planhat_pipelines.sandbox.planhat.bulk import Tamper
from planhat_pipelines.sandbox.planhat.faults import Fault, Faults
from planhat_pipelines.sandbox.planhat.limits import Limits
from planhat_pipelines.sandbox.planhat.log import Entry, Log
from planhat_pipelines.sandbox.planhat.switches import Switches

_transports: dict[
    Any, asyncio.Transport
] = {}  # open connections by the client's address, to break them on order


class Connection(AutoHTTPProtocol):
    """uvicorn's protocol, which also tells who is connected."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._peer = transport.get_extra_info("peername")
        _transports[self._peer] = cast("asyncio.Transport", transport)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        _transports.pop(self._peer, None)
        super().connection_lost(exc)


class Cut(Response):
    """No answer, or half of one, and then the end of the connection."""

    def __init__(self, *, half_of: bytes = b"", reset: bool = False) -> None:
        super().__init__(half_of)
        self._reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = _transports.get(tuple(scope["client"]))
        if self.body:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            half = bytes(self.body)[: len(self.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
            await asyncio.sleep(0.02)  # let the half go out
        if transport is not None:
            if self._reset:
                linger = struct.pack("ii", 1, 0)
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()
            await asyncio.sleep(0.02)  # until uvicorn knows


@dataclass(slots=True)
class Exchange:
    """A request on its way: what the handlers need to know of it."""

    request: Request
    entry: Entry
    arrival: int
    app: App | None = None
    body: bytes = b""
    tamper: Tamper | None = None

    def items(self) -> Any:
        return orjson.loads(self.body)


@dataclass(slots=True)
class Reply:
    """An answer: bytes are sent as JSON, a text as plain text, anything else is written as JSON."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def response(self) -> Response:
        if isinstance(self.body, str):
            return Response(self.body, self.status, self.headers, "text/plain")
        body = self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)
        return Response(body, self.status, self.headers, "application/json")


Handler = Callable[[Exchange], Awaitable[Reply]]


class Gate:
    """Stands before both hosts."""

    def __init__(self, apps: Apps, switches: Switches) -> None:
        self.apps = apps
        self.switches = switches
        self.limits = Limits(switches)
        self.faults = Faults()
        self.log = Log()

    async def main(self, request: Request, handler: Handler) -> Response:
        """A request to the main host: quota and sign-in, then the same as for the analytics host."""
        exchange = self._exchange("main", request, request.url.path)
        entry = exchange.entry
        self.limits.running += 1
        try:
            over = self.limits.arrive()
            exchange.app = self.apps.who(request.headers.get("authorization"))
            if exchange.app:
                entry.app, entry.token = exchange.app.name, masked(exchange.app.token)
            if over:
                await _drain(request)
                wait = self.switches["retry_after_seconds"]
                entry.fault = f"over the limit: {over}"
                reply = Reply(429, self.switches["text_429"], {"Retry-After": str(wait)} if wait else {})
                return self._finish(entry, reply.response())
            if exchange.app is None:
                await _drain(request)
                return self._finish(entry, Reply(401, "Unauthorized").response())
            return self._finish(entry, await self._spoilt(exchange, handler))
        finally:
            self.limits.running -= 1
            self.log.close(entry)

    async def analytics(self, request: Request, handler: Handler) -> Response:
        """A request to the analytics host: no quota, no header."""
        path = request.url.path
        tail = path.rpartition("/")[2]
        if len(tail) == 36:  # a tenant token
            path = path.removesuffix(tail) + masked(tail)
        exchange = self._exchange("analytics", request, path)
        try:
            response = await self._spoilt(exchange, handler)
            exchange.entry.status, exchange.entry.bytes_out = response.status_code, len(response.body)
            return response
        finally:
            self.log.close(exchange.entry)

    def _exchange(self, host: str, request: Request, path: str) -> Exchange:
        return Exchange(request, self.log.open(host, request.method, path, request.url.query), time.time_ns())

    def _finish(self, entry: Entry, response: Response) -> Response:
        entry.status, entry.bytes_out = response.status_code, len(response.body)
        response.headers.update(self.limits.headers())
        return response

    async def _spoilt(self, exchange: Exchange, handler: Handler) -> Response:
        """Read the body, let a fault do its part, and answer."""
        entry = exchange.entry
        body = await _read(exchange.request, self.switches["body_bytes"])
        if body is None:
            return Reply(413, self.switches["text_413"]).response()
        exchange.body, entry.bytes_in = body, len(body)
        fault = self.faults.pick(exchange.request.method, exchange.request.url.path)
        if fault:
            entry.fault = fault.kind
            early = await _before(fault)
            if early:
                return early
            if fault.kind in ("partial", "drop"):
                exchange.tamper = fault.tamper
        try:
            reply = await handler(exchange)
        except orjson.JSONDecodeError:
            reply = Reply(400, "the body is not JSON")
        response = reply.response()
        return await _after(fault, response) if fault else response


async def _before(fault: Fault) -> Response | None:
    retry = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
    match fault.kind:
        case "status":
            return Reply(fault.status, "on order", retry).response()
        case "html":
            page = f"<html><body><h1>{fault.status} Bad Gateway</h1></body></html>"
            return Response(page, fault.status, retry, "text/html")
        case "not_a_list":
            return Reply(200, {"message": "temporarily busy"}).response()
        case "reset_before":
            return Cut(reset=True)
        case "timeout_before":
            await asyncio.sleep(fault.seconds)
            return Cut()
        case "slow":
            await asyncio.sleep(fault.seconds)
        case _:
            pass
    return None


async def _after(fault: Fault, response: Response) -> Response:
    match fault.kind:
        case "status_after":
            return Reply(fault.status, "on order").response()
        case "timeout_after":
            await asyncio.sleep(fault.seconds)
            return Cut()
        case "reset_after":
            return Cut(reset=True)
        case "truncated":
            return Cut(half_of=bytes(response.body))
        case _:
            return response


async def _read(request: Request, most: int) -> bytes | None:
    """The body; None when it is larger than allowed. It is read to its end, so that the answer arrives."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= most:
            parts.append(part)
    return b"".join(parts) if size <= most else None


async def _drain(request: Request) -> None:
    await _read(request, 0)


def as_items(body: Any) -> list[Any]:
    """One object or an array of them."""
    return cast("list[Any]", body) if isinstance(body, list) else [body]
