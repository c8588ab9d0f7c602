"""What can go wrong with Snowflake, sorted by what helps.

SnowflakeError
├── Permanent            a retry cannot help; somebody has to change something
│   ├── SignInError      user, key, token, password or network policy
│   ├── NotFound         a table, column or right is missing
│   └── KeyColumnError   the incrementing key is null, repeated, not a whole number
└── Temporary            the warehouse or the network; the next run may do better
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snowflake.connector.errors import Error
    from snowflake.connector.vendored.requests.exceptions import RequestException

_SIGN_IN_STATES = {"08001", "28000"}
_QUOTED = re.compile(r"""['"{\[].*['"}\]]""", re.DOTALL)
_NOT_FOUND = {2003, 2043, 904, 2049}
_SIGN_IN_HINTS = {
    390100: "wrong user name, password or token",
    390101: "the user is disabled",
    390144: "the key pair sign-in was refused: is this public key set on the user (RSA_PUBLIC_KEY), "
    "and is this machine's clock right?",
    394303: "the key pair sign-in came too late: this machine's clock is off",
    394304: "the public key set on the user is not the one of this private key",
    394400: "the programmatic access token is not valid",
    394401: "the programmatic access token has expired or was revoked",
    390303: "the OAuth token is not valid",
    390318: "the OAuth token has expired",
    390422: "the network policy does not let this address in",
}


class SnowflakeError(Exception):
    """Base of everything this package raises."""


class Permanent(SnowflakeError):
    """A retry cannot help."""


class SignInError(Permanent):
    """Snowflake did not let us in."""


class NotFound(Permanent):
    """A table, view or column is missing, or the role may not see it: Snowflake does not say which."""


class KeyColumnError(Permanent):
    """The incrementing key cannot serve as one."""


class Temporary(SnowflakeError):
    """The next run may do better."""


def translated(error: Error | RequestException, doing: str) -> SnowflakeError:
    """The connector's error as one of ours. `doing` says what was tried, without values."""
    from snowflake.connector.errors import Error

    if not isinstance(error, Error):
        return Temporary(f"{doing}: the connection to Snowflake broke off ({type(error).__name__}).")
    number, state = error.errno or 0, error.sqlstate or ""
    if state.startswith("22"):  # data exceptions, whose words quote the value
        _hide_values(error)
    code = f"{number:06d} ({state})" if state else f"{number:06d}"
    if number in _SIGN_IN_HINTS or state in _SIGN_IN_STATES or 390000 <= number < 396000:
        hint = _SIGN_IN_HINTS.get(number, "check account, user and credentials")
        return SignInError(f"{doing}: Snowflake refused the sign-in, {code}: {hint}.")
    if number in _NOT_FOUND:
        return NotFound(
            f"{doing}: {_first_line(error)} [{code}] Check the name, and GRANT SELECT to the role."
        )
    from snowflake.connector.errors import OperationalError

    if isinstance(error, OperationalError):
        return Temporary(f"{doing}: Snowflake could not be reached or gave up, {code}: {_first_line(error)}")
    return SnowflakeError(f"{doing}: {_first_line(error)} [{code}]")


def in_words(error: BaseException) -> str:
    """Kind and words of any error of a run, without the values that Snowflake quotes."""
    words = str(error)
    if str(getattr(error, "sqlstate", "")).startswith("22"):
        words = _QUOTED.sub("'...'", words)
    return f"{type(error).__name__}: {words}"


def _hide_values(error: Error) -> None:
    """Take values out of the connector's own error: it stays the cause of ours, and so it is shown and kept, too."""
    said = _QUOTED.sub("'...'", str(error.raw_msg or error.msg or ""))
    error.msg = error.raw_msg = said
    error.args = (said,)


def _first_line(error: Error) -> str:
    lines = str(error.raw_msg or error.msg or type(error).__name__).splitlines()
    return " ".join(lines[:2])[:300]
