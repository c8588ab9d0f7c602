"""How to sign in to Snowflake, and connections that are always closed."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from planhat_pipelines.snowflake.errors import SignInError, translated

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

COMMIT_LAG = 3.0
_WAYS = "a private key (file or text), a token, or a password"


@dataclass(frozen=True)
class SnowflakeAccount:
    """Where and as whom. Exactly one of `private_key_file`, `private_key`, `token`, `password` is given.

    private_key: PEM text, encrypted or not (`private_key_passphrase`). token: an OAuth token, or a programmatic
    access token with `token_kind` "programmatic"; a programmatic token also works as `password`, which is what
    remains of passwords for service users (Snowflake documentation, deprecation of single-factor passwords).
    host, port, protocol: only for a Snowflake that is not Snowflake's own, such as the sandbox.
    commit_lag: how long after a moment a table is read as it was then, as a commit that is being finished may still get
    an earlier time; none is needed where commits come one after the other, as in the sandbox.
    Timeouts and lags are in seconds.
    """

    account: str
    user: str
    role: str | None = None
    warehouse: str | None = None
    database: str | None = None
    schema: str | None = None
    private_key_file: str | None = None
    private_key: str | None = field(default=None, repr=False)
    private_key_passphrase: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    token_kind: Literal["oauth", "programmatic"] = "oauth"  # noqa: S105
    password: str | None = field(default=None, repr=False)
    query_tag: str = "planhat_pipelines"
    login_timeout: int = 30
    network_timeout: int = 120
    statement_timeout: int = 1800
    commit_lag: float = COMMIT_LAG
    host: str | None = None
    port: int | None = None
    protocol: str | None = None

    def connect_args(self) -> dict[str, Any]:
        """Arguments for `snowflake.connector.connect`. Raises SignInError when there is no single way in."""
        given = [self.private_key_file, self.private_key, self.token, self.password]
        if sum(value is not None for value in given) != 1:
            raise SignInError(f"Snowflake user {self.user}: give exactly one of {_WAYS}.")
        named = {
            name: value
            for name in (
                "account",
                "user",
                "role",
                "warehouse",
                "database",
                "schema",
                "host",
                "port",
                "protocol",
            )
            if (value := getattr(self, name)) is not None
        }
        return {
            **named,
            **self._credentials(),
            "application": "planhat_pipelines",
            "autocommit": True,  # an account may have it off, and then nothing that is written stays
            "login_timeout": self.login_timeout,
            "network_timeout": self.network_timeout,
            "arrow_number_to_decimal": True,  # money would become floats otherwise
            "session_parameters": {
                "QUERY_TAG": self.query_tag,
                "TIMEZONE": "UTC",
                "STATEMENT_TIMEOUT_IN_SECONDS": self.statement_timeout,
                "CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False,
            },
        }

    def _credentials(self) -> dict[str, Any]:
        if self.password is not None:
            return {"password": self.password.strip()}
        if self.token is not None:
            kinds = {"oauth": "oauth", "programmatic": "PROGRAMMATIC_ACCESS_TOKEN"}
            return {"token": self.token.strip(), "authenticator": kinds[self.token_kind]}
        return {"private_key": self._key()}

    def _key(self) -> bytes:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization

        where = f"private key file {self.private_key_file}" if self.private_key_file else "private key"
        try:
            pem = (
                Path(self.private_key_file).expanduser().read_bytes()
                if self.private_key_file
                else (self.private_key or "").encode()
            )
            secret = self.private_key_passphrase.encode() if self.private_key_passphrase else None
            key = serialization.load_pem_private_key(pem, secret)
        except OSError as error:
            raise SignInError(f"The {where} cannot be read: {error.strerror}.") from None
        except TypeError:
            expected = (
                "is encrypted: give its passphrase" if not self.private_key_passphrase else "is not encrypted"
            )
            raise SignInError(f"The {where} {expected}.") from None
        except (ValueError, UnsupportedAlgorithm):
            wrong = "has another passphrase, or is" if self.private_key_passphrase else "is"
            raise SignInError(f"The {where} {wrong} no PEM private key (-----BEGIN ... KEY-----).") from None
        return key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @contextmanager
    def connection(self) -> Generator[SnowflakeConnection]:
        """A session, closed at the end. Raises SignInError or Temporary; errors of statements come translated
        when they leave the block."""
        from snowflake.connector import SnowflakeConnection
        from snowflake.connector.errors import Error
        from snowflake.connector.vendored.requests.exceptions import RequestException

        # Else each process asks the addresses at which clouds tell machines who they are, and waits for answers.
        os.environ.setdefault("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
        try:
            session = SnowflakeConnection(**self.connect_args())
        except (Error, RequestException) as error:
            raise translated(error, f"Signing in as {self.user} at {self.host or self.account}") from None
        try:
            yield session
        except (
            Error,
            RequestException,
        ) as error:  # the connector lets an answer that breaks off through as it is
            raise translated(error, "Reading from Snowflake") from error
        finally:
            session.close()


def pem(der: bytes) -> str:
    """A private key as text, for libraries that take it so."""
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_der_private_key(der, None)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return text.decode()
