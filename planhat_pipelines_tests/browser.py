"""A headless Chromium, spoken to through its pipe: open a page, press keys, ask what it shows."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
_CODES = {"/": "Slash", " ": "Space"}


class Browser:
    """One tab. Whatever the page complains of is in `complaints`."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read = write, read
        self._rest, self._calls = b"", 0
        self._session: str | None = None
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.size(1440, 950)

    def call(self, method: str, **facts: Any) -> Any:
        """One command of the DevTools protocol."""
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": facts}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._calls:
                assert "error" not in answer, answer
                return answer["result"]

    def size(self, width: int, height: int) -> None:
        """The window's size in pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def open(self, address: str) -> None:
        """Go there, and wait until all of it is there."""
        self.call(
            "Page.navigate", url="about:blank"
        )  # an address that differs in its hash alone would not load
        self.call("Page.navigate", url=address)
        self.wait(f"location.href === {json.dumps(address)} && document.readyState === 'complete'")

    def run(self, program: str) -> Any:
        """The value of an expression in the page."""
        found = self.call("Runtime.evaluate", expression=program, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, program: str) -> None:
        """Until an expression is true."""
        end = time.monotonic() + 20
        while not self.run(program):
            assert time.monotonic() < end, program
            time.sleep(0.02)

    def press(self, *keys: str) -> None:
        """Press keys by their names, one after the other."""
        for key in keys:
            facts: dict[str, Any] = {"key": key, "code": _CODES.get(key, key)}
            if key == "Enter":
                facts |= {"text": "\r", "windowsVirtualKeyCode": 13}
            elif len(key) == 1:
                facts |= {"text": key}
            self.call("Input.dispatchKeyEvent", type="keyDown", **facts)
            self.call("Input.dispatchKeyEvent", type="keyUp", **facts)

    def write(self, text: str) -> None:
        """Type text where the focus is."""
        self.press(*text)

    def click(self, selector: str) -> None:
        """Click in the middle of an element."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.run(f"{element}.scrollIntoView({{block: 'center'}})")
        box = self.run(f"{element}.getBoundingClientRect().toJSON()")
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self, file: Path) -> None:
        """What it looks like now, as a PNG."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], 30)
            assert ready, "the browser does not answer"
            more = os.read(self._read, 1 << 16)
            assert more, "the browser ended"
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(message["params"]["exceptionDetails"]))
        if message.get("method") == "Log.entryAdded":
            self.complaints.append(message["params"]["entry"]["text"])
        return message


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """Start it with a profile of its own in the folder, and end it."""
    to_read, write = os.pipe()
    read, to_write = os.pipe()
    # it reads commands from 3 and answers on 4
    shell = 'exec chromium "$@" 3<&"$IN" 4>&"$OUT"'
    process = subprocess.Popen(
        ["bash", "-c", shell, "chromium", *_FLAGS, f"--user-data-dir={folder}", "--remote-debugging-pipe"],
        env={**os.environ, "IN": str(to_read), "OUT": str(to_write)},
        pass_fds=(to_read, to_write),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_read)
    os.close(to_write)
    try:
        yield Browser(write, read)
    finally:
        os.close(write)
        os.close(read)
        process.terminate()
        process.wait(20)
