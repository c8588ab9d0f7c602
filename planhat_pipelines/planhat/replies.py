"""What is sent, what comes back, and which error a reply or a broken connection stands for."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from planhat_pipelines.planhat.account import masked
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
)


@dataclass(frozen=True, slots=True)
class Request:
    """`shown` is the path for people: without the tenant token."""

    method: str
    url: str = field(repr=False)
    shown: str
    headers: Mapping[str, str] = field(repr=False)
    params: Mapping[str, str] | None = None
    body: bytes | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.method} {self.shown}"


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

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


def failure(request: Request, error: Exception) -> Temporary:
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
