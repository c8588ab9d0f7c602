"""One HTTP exchange with Planhat, and the patience to repeat it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import urlsplit

from planhat_pipelines.planhat.budget import Budget
from planhat_pipelines.planhat.errors import Temporary, Throttled, TimedOut, UnreadableAnswer
from planhat_pipelines.planhat.replies import Reply, Request, failure

if TYPE_CHECKING:
    from collections.abc import Generator

    import requests
    from tenacity import RetryCallState

T = TypeVar("T")
_LARGEST_ANSWER = 512 * 2**20  # a list of 5,000 wide companies is some 100 MB


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what, in seconds, and how often to try."""

    connect: float = 10.0
    read: float = 180.0  # a full batch may take Planhat minutes
    attempts: int = 6
    first_wait: float = 1.0  # after a lost connection or a 5xx; doubles with every attempt
    throttled_wait: float = 15.0  # after a 429 that does not say how long; doubles
    longest_wait: float = 120.0
    total: float = 900.0  # of one call with all its attempts; an answer that drips in longer is cut off


class Transport:
    """Sessions of requests, each used by one thread at a time, that do only what they are told.

    No .netrc, no redirects, certificates checked, a time-out always. Proxies and a private certificate
    authority are taken from the usual environment variables.
    """

    def __init__(self, patience: Patience, sleep: Callable[[float], None]) -> None:
        self._patience = patience
        self._sleep = sleep
        self._free: list[requests.Session] = []
        self._proxies: dict[str, dict[str, str]] = {}  # by host; the environment is read once for each

    def close(self) -> None:
        while self._free:
            self._free.pop().close()

    @contextmanager
    def _session(self) -> Generator[requests.Session]:
        import requests

        try:
            session = self._free.pop()  # list.pop and append are atomic
        except IndexError:
            session = requests.Session()
            session.trust_env = False  # a .netrc entry would replace the token
            session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        try:
            yield session
        finally:
            self._free.append(session)

    def exchange(self, request: Request) -> Reply:
        """One attempt; any status is a reply. Raises Unreachable, TimedOut or ConnectionLost."""
        import requests
        from urllib3.exceptions import HTTPError

        try:
            with self._session() as session:
                return self._exchange(session, request)
        except (requests.RequestException, HTTPError, OSError) as error:
            broken = failure(request, error)
        raise broken  # out here, as the library's own error holds the address, and that the tenant token

    def _exchange(self, session: requests.Session, request: Request) -> Reply:
        end = time.monotonic() + self._patience.total
        with session.request(
            request.method,
            request.url,
            params=request.params,
            data=request.body,
            headers=request.headers,
            timeout=(self._patience.connect, self._patience.read),
            proxies=self._proxies_to(request.url),
            allow_redirects=False,
            stream=True,
        ) as response:
            parts: list[bytes] = []
            size = 0
            while part := cast("bytes", response.raw.read1(1 << 20, decode_content=True)):
                parts.append(part)
                size += len(part)
                if size > _LARGEST_ANSWER:
                    raise UnreadableAnswer(f"{request}: the answer does not end", call=str(request))
                if time.monotonic() > end:
                    raise TimedOut(
                        f"{request}: the answer comes in too slowly to wait for", call=str(request)
                    )
            return Reply(response.status_code, response.headers, b"".join(parts))

    def _proxies_to(self, url: str) -> dict[str, str]:
        from requests.utils import get_environ_proxies

        host = urlsplit(url).netloc
        if host not in self._proxies:
            self._proxies[host] = get_environ_proxies(url)
        return self._proxies[host]

    def patiently(self, attempt: Callable[[], T], *, repeat: type[Temporary], budget: Budget) -> T:
        """The result of `attempt`, called again while it raises `repeat`, in a new turn of the budget."""
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay

        patience = self._patience

        def wait(state: RetryCallState) -> float:
            error = state.outcome and state.outcome.exception()
            throttled = isinstance(error, Throttled)
            first = patience.throttled_wait if throttled else patience.first_wait
            seconds = min(first * 2 ** (state.attempt_number - 1), patience.longest_wait)
            if isinstance(error, Temporary) and error.wait is not None:
                seconds = max(error.wait, patience.first_wait)
            if throttled:
                budget.throttled(seconds)
            return seconds

        def in_turn() -> T:
            with budget.call():
                return attempt()

        return Retrying(
            retry=retry_if_exception_type(repeat),
            stop=stop_after_attempt(patience.attempts) | stop_before_delay(patience.total),
            wait=wait,
            sleep=self._sleep,
            reraise=True,
        )(in_turn)
