"""One HTTP exchange with Planhat, and the patience to repeat it: what came back, or which error it was."""

from __future__ import annotations

import email.utils
import os
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

from planhat_pipelines.planhat.account import masked
from planhat_pipelines.planhat.budget import Budget
from planhat_pipelines.planhat.errors import (
    BadRequest,
    ConnectionLost,
    NotFound,
    PermissionDenied,
    PlanhatError,
    ServerError,
    SignInError,
    Temporary,
    Throttled,
    TimedOut,
    TooLarge,
    Unreachable,
    UnreadableAnswer,
)

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
    throttled_wait: float = (
        15.0  # after a 429 that does not say how long; doubles; the quota resets in 60 to 120 s
    )
    longest_wait: float = 120.0
    total: float = 900.0  # of one call with all its attempts; an answer that drips in longer is cut off


@dataclass(frozen=True, slots=True)
class Request:
    """`shown` is the path for people: without the tenant token."""

    method: str
    url: str
    shown: str
    headers: Mapping[str, str]
    params: Mapping[str, str] | None = None
    body: bytes | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.shown}"


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def said(self) -> str:
        """The body's first 300 characters, without tokens and e-mail addresses."""
        return " ".join(masked(self.body[:2000].decode("utf-8", "replace")).split())[:300]

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait; the header is a number or a date."""
        value = self.headers.get("Retry-After", "").strip()
        if value.isdigit():
            return float(value)
        try:
            return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
        except ValueError:
            return None


class Transport:
    """Sessions of requests, each used by one thread at a time, that do only what they are told.

    No .netrc, no redirects, certificates checked, a time-out always. Proxies and a private certificate
    authority are taken from the usual environment variables.
    """

    def __init__(self, patience: Patience, sleep: Callable[[float], None]) -> None:
        self._patience = patience
        self._sleep = sleep
        self._free: list[requests.Session] = []

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
            failure = _failure(request, error)
        raise failure  # out here, as the library's own error holds the address, and that the tenant token

    def _exchange(self, session: requests.Session, request: Request) -> Reply:
        from requests.utils import get_environ_proxies

        end = time.monotonic() + self._patience.total
        with session.request(
            request.method,
            request.url,
            params=request.params,
            data=request.body,
            headers=request.headers,
            timeout=(self._patience.connect, self._patience.read),
            proxies=get_environ_proxies(request.url),
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


def refusal(request: Request, reply: Reply) -> PlanhatError | None:
    """The error that an answer's status stands for; None for a success."""
    status = reply.status
    if 200 <= status < 300:
        return None
    kind, cure = _meaning(status, reply, urlsplit(request.url).netloc)
    said = reply.said
    error = kind(
        f"{request} answered {status}{f': {said}' if said else ' without a word'}. {cure}",
        call=str(request),
        status=status,
        said=said,
    )
    if isinstance(error, Temporary):
        error.wait = reply.retry_after
    return error


def _meaning(status: int, reply: Reply, host: str) -> tuple[type[PlanhatError], str]:
    if status == 401:
        return SignInError, (
            f"Planhat at {host} does not know this token. Check that the token is whole and its Private App "
            "enabled, and that the address is that of your region: app-us3.planhat.com goes with "
            "https://api-us3.planhat.com."
        )
    if status == 403:
        return (
            PermissionDenied,
            "Give the Private App the permission for this model and operation in Planhat.",
        )
    if status == 404:
        return NotFound, f"There is no such path or record at {host}."
    if status == 413:
        return TooLarge, "Send less at once."
    if status == 408:
        return TimedOut, "Planhat waited too long for the request."
    if status == 429 or (status == 503 and reply.retry_after is not None):
        return (
            Throttled,
            "Too many calls; other programs may use the same quota.",
        )
    if status >= 500:
        return (
            ServerError,
            "A fault on Planhat's side; tell Planhat support if it stays.",
        )
    if 300 <= status < 400:
        return (
            BadRequest,
            f"{host} points elsewhere, and a token is not sent after it; set the address itself.",
        )
    return BadRequest, "Planhat can't use this request as it is; it was not repeated."


def _failure(request: Request, error: Exception) -> Temporary:
    """Which of our errors one of the HTTP library's is. Its text is left out: it holds addresses."""
    import requests
    from urllib3 import exceptions as u

    cause: Any = error
    while True:  # requests wraps urllib3 wraps the socket
        inner = getattr(cause, "reason", None) or next(iter(cause.args), None)
        if not isinstance(inner, BaseException):
            break
        cause = inner
    chain = f"{type(error).__name__}/{type(cause).__name__}"
    certificate = type(cause).__name__ == "SSLCertVerificationError"
    never_connected = (requests.ConnectTimeout, requests.exceptions.ProxyError, u.ConnectTimeoutError)
    if isinstance(error, never_connected) or isinstance(cause, u.NewConnectionError) or certificate:
        host = urlsplit(request.url).netloc
        what = "its certificate is not trusted" if certificate else "no connection"
        cure = "Check the address, the network, the proxy settings and, with your own, certificate authority."
        return Unreachable(f"{request}: {host} can't be reached: {what} ({chain}). {cure}", call=str(request))
    if isinstance(error, requests.Timeout | u.ReadTimeoutError | TimeoutError):
        return TimedOut(f"{request}: no answer in time ({chain}).", call=str(request))
    return ConnectionLost(
        f"{request}: the connection broke before the answer was whole ({chain}).",
        call=str(request),
    )
