"""A local Planhat that stores nothing: it counts items and answers as Planhat does, with every key listed.

It runs as a process of its own, so that its work is not counted as the client's. After `latency` seconds it answers

    PUT  /companies            the ten keys of a bulk upsert, everything created (Planhat developers, bulk upsert)
    POST /dimensiondata/...    how many points came
    GET  /customfields, /leancompanies
    GET  /first, /count        the first body since the last POST /reset, and how many items came since then
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from urllib.parse import parse_qs, urlsplit

from benchmarks.data import COMPANIES, CUSTOM_FIELDS, external_id

_KEY = re.compile(rb'"externalId":"([^"]*)"')
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TYPES = ("number", "day", "checkbox", "number", "text")


class Planhat:
    """What the answers are made of."""

    def __init__(self) -> None:
        self.count, self.first = 0, b""
        self.custom_fields = [
            {"_id": f"{at:024x}", "parent": "Company", "name": name, "type": kind}
            for at, (name, kind) in enumerate(zip(CUSTOM_FIELDS, _TYPES, strict=True))
        ]
        self.companies = [{"_id": f"{at:024x}", "externalId": external_id(at)} for at in range(COMPANIES)]

    def answer(self, method: str, target: str, body: bytes) -> bytes:
        url = urlsplit(target)
        match method, url.path.split("/")[1]:
            case "PUT", "companies":
                return self._upserted(body)
            case "POST", "dimensiondata":
                points = body.count(b'"dimensionId"')
                self._took(points, body)
                return json.dumps({"processed": points, "errors": []}).encode()
            case "POST", "reset":
                self.count, self.first = 0, b""
                return b"{}"
            case "GET", "first":
                return self.first
            case "GET", "count":
                return str(self.count).encode()
            case _, name:
                asked = {key: int(value) for key, (value,) in parse_qs(url.query).items() if value.isdigit()}
                rows = {"customfields": self.custom_fields, "leancompanies": self.companies}[name]
                start = asked.get("offset", 0)
                return json.dumps(rows[start : start + asked.get("limit", 100)]).encode()

    def _upserted(self, body: bytes) -> bytes:
        keys = _KEY.findall(body)
        start = self.count
        self._took(len(keys), body)
        ids = [b"%024x" % at for at in range(start, start + len(keys))]
        listed = b",".join(b'{"_id":"%b","externalId":"%b"}' % pair for pair in zip(ids, keys, strict=True))
        return (
            b'{"created":%d,"createdErrors":[],"insertsKeys":[%b],"updated":0,"updatedErrors":[],"updatesKeys":[],'
            b'"nonupdates":0,"modified":[],"upsertedIds":["%b"],"permissionErrors":[]}'
            % (len(keys), listed, b'","'.join(ids))
        )

    def _took(self, items: int, body: bytes) -> None:
        self.count += items
        self.first = self.first or body


class Connection(asyncio.Protocol):
    """One client's connection: requests come one after the other and stay in memory until they are whole."""

    def __init__(self, planhat: Planhat, latency: float) -> None:
        self.planhat, self.latency = planhat, latency
        self.received = bytearray()
        self.needed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        while len(self.received) >= max(self.needed, 1):
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.received[:end])
            length = _LENGTH.search(head)
            self.needed = end + 4 + (int(length[1]) if length else 0)
            if len(self.received) < self.needed:
                return
            body = bytes(self.received[end + 4 : self.needed])
            del self.received[: self.needed]
            self.needed = 0
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
            answer = self.planhat.answer(method, target, body)
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(
                answer
            )
            asyncio.get_running_loop().call_later(self.latency, self.transport.write, head + answer)


async def serve(latency: float) -> None:
    """Listen on a free port of this machine, print it, and serve until standard input is closed."""
    planhat = Planhat()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(planhat, latency), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
