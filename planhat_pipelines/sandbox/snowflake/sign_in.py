"""Sign-in as Snowflake checks it: password, programmatic access token, OAuth token and key-pair JWT.

Codes and texts are those of the connector's own list and of Snowflake's documentation on key-pair and token errors.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from jwt.exceptions import ExpiredSignatureError, InvalidTokenError

from planhat_pipelines.sandbox.snowflake.users import User, read_users

REFUSED_PASSWORD = 390100
REFUSED_JWT = 390144
EXPIRED_JWT = 394301
REFUSED_FINGERPRINT = 394304
REFUSED_OAUTH_TOKEN = 390303
REFUSED_ACCESS_TOKEN = 394400

ALGORITHMS = ["RS256", "ES256", "ES384", "ES512"]


class SignInRefusedError(Exception):
    """The sign-in was wrong. Carries Snowflake's code and a text without any secret."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class SignIn:
    """Checks sign-ins against the users file, which is read anew each time so that rotation needs no restart."""

    def __init__(self, users_file: Path) -> None:
        self._users_file = users_file

    def verify(self, login: dict[str, Any]) -> User:
        """The user behind a login request's data.

        Raises:
            SignInRefusedError: with Snowflake's code, for an unknown user as for a wrong secret.
        """
        user = read_users(self._users_file).get(str(login.get("LOGIN_NAME") or "").upper())
        method = str(login.get("AUTHENTICATOR") or "SNOWFLAKE").upper()
        token = str(login.get("TOKEN") or "")
        if method == "SNOWFLAKE_JWT":
            return _verify_jwt(user, token)
        if method == "PROGRAMMATIC_ACCESS_TOKEN":
            if user and user.has_access_token(token):
                return user
            raise SignInRefusedError(REFUSED_ACCESS_TOKEN, "Programmatic access token is invalid.")
        if method == "OAUTH":
            if user and user.has_oauth_token(token):
                return user
            raise SignInRefusedError(REFUSED_OAUTH_TOKEN, "Invalid OAuth access token.")
        password = str(login.get("PASSWORD") or "")
        if user and (user.has_password(password) or user.has_access_token(password)):
            return user
        raise SignInRefusedError(REFUSED_PASSWORD, "Incorrect username or password was specified.")


def fingerprint(public_pem: str) -> str:
    """A public key's fingerprint as Snowflake writes it: SHA256: and the base64 of the DER's digest."""
    der = serialization.load_pem_public_key(public_pem.encode()).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()


def _verify_jwt(user: User | None, token: str) -> User:
    """Issuer ACCOUNT.USER.SHA256:fingerprint, subject ACCOUNT.USER, signature by that key, not expired."""
    if user is None:
        raise SignInRefusedError(REFUSED_JWT, "JWT token is invalid.")
    public_pem = _key_named_by_issuer(user, token)
    try:
        claims = jwt.decode(token, public_pem, algorithms=ALGORITHMS, options={"require": ["exp", "iat"]})
    except ExpiredSignatureError as error:
        raise SignInRefusedError(
            EXPIRED_JWT, "JWT token has expired. Check the clock of the client."
        ) from error
    except InvalidTokenError as error:
        raise SignInRefusedError(REFUSED_JWT, "JWT token is invalid.") from error
    if not str(claims.get("sub", "")).upper().endswith(f".{user.name}"):
        raise SignInRefusedError(REFUSED_JWT, "JWT token is invalid.")
    return user


def _key_named_by_issuer(user: User, token: str) -> str:
    try:
        issuer = str(jwt.decode(token, options={"verify_signature": False}).get("iss", ""))
    except InvalidTokenError as error:
        raise SignInRefusedError(REFUSED_JWT, "JWT token is invalid.") from error
    for public_pem in user.public_keys:
        if issuer.endswith(f".{user.name}.{fingerprint(public_pem)}"):
            return public_pem
    raise SignInRefusedError(REFUSED_FINGERPRINT, "JWT token is invalid: public key fingerprint mismatch.")
