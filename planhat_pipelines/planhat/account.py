"""Where a tenant lives and how to sign in, and the care that its tokens never come to light."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

_EMAIL = re.compile(r"[^\s@\"'<>:,;]+@[^\s@\"'<>:,;]+")
_PRINTABLE = re.compile(r"[!-~]+")
_secrets: set[str] = set()


@dataclass(frozen=True, slots=True)
class Account:
    """One Planhat tenant.

    `token` is the API access token of a Private App; `tenant` the tenant token (UUID) that metrics and
    activities need. `api_url` is that of the tenant's region, for instance https://api-us3.planhat.com;
    `analytics_url` is the same for all regions. `calls_a_minute`: how many of the 200 that a tenant has (Planhat
    developers, limits) may be ours; less where other programs call it, too. Both tokens are kept out
    of every repr, error and log line. ValueError if something can't be right.
    """

    token: str = field(repr=False)
    tenant: str | None = field(default=None, repr=False)
    api_url: str = "https://api.planhat.com"
    analytics_url: str = "https://analytics.planhat.com"
    calls_a_minute: int = 200

    def __post_init__(self) -> None:
        object.__setattr__(self, "token", _token(self.token, "API access token"))
        if self.tenant is not None:
            object.__setattr__(self, "tenant", _token(self.tenant, "tenant token"))
        object.__setattr__(self, "api_url", _url(self.api_url, "api_url"))
        object.__setattr__(self, "analytics_url", _url(self.analytics_url, "analytics_url"))
        if self.calls_a_minute < 10:
            raise ValueError(f"calls_a_minute has to be at least 10, not {self.calls_a_minute}")
        for secret in filter(None, (self.token, self.tenant)):
            _secrets.update((secret, quote(secret, safe="")))


def _token(value: str, name: str) -> str:
    value = value.strip()
    if not _PRINTABLE.fullmatch(value):
        raise ValueError(
            f"the Planhat {name} is empty or holds a space, a line break or a character that no token has; "
            "copy it once more from the Private App (it is not shown here)"
        )
    return value


def _url(value: str, name: str) -> str:
    value = value.strip().rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{name} has to be an address such as https://api.planhat.com")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(f"{name} may hold no user, password or query; tokens have their own settings")
    if parts.scheme == "http" and not _loopback(parts.hostname):
        raise ValueError(f"{name} is plain http, which would show the token to the network; use https://")
    return value


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def masked(text: str) -> str:
    """The text without any known token and without e-mail addresses."""
    return _EMAIL.sub("[e-mail]", without_tokens(text))


def without_tokens(text: str) -> str:
    for secret in _secrets:
        text = text.replace(secret, "[token]")
    return text


class _Filter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = without_tokens(record.getMessage()), ()
        return True


# urllib3 logs every path at DEBUG, and the tenant token is part of the analytics paths.
for _name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_Filter())
