"""Users of the local Snowflake: what they may sign in with, kept as hashes and public keys in one JSON file.

The file looks like this; every way to sign in is optional:

    {"users": [{"name": "LOADER", "password": "scrypt$...", "access_tokens": ["<sha256>"],
                "oauth_tokens": ["<sha256>"], "public_keys": ["-----BEGIN PUBLIC KEY-----..."],
                "role": "LOADER_ROLE", "warehouse": "WH"}]}
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


@dataclass(frozen=True, slots=True)
class User:
    """One user as the server keeps it: no secret in clear text."""

    name: str
    password: str | None = None
    access_tokens: tuple[str, ...] = ()
    oauth_tokens: tuple[str, ...] = ()
    public_keys: tuple[str, ...] = ()
    role: str | None = None
    warehouse: str | None = None

    def has_password(self, password: str) -> bool:
        """Whether this is the user's password."""
        if self.password is None:
            return False
        _, salt, _ = self.password.split("$")
        return hmac.compare_digest(self.password, hashed_password(password, bytes.fromhex(salt)))

    def has_access_token(self, token: str) -> bool:
        """Whether this is one of the user's programmatic access tokens."""
        return hashed_token(token) in self.access_tokens

    def has_oauth_token(self, token: str) -> bool:
        """Whether this is one of the user's OAuth access tokens."""
        return hashed_token(token) in self.oauth_tokens


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An RSA key pair made at run time: the private key as the connector takes it, the public one for the file."""

    private_pem: str
    private_der: bytes
    public_pem: str

    def __repr__(self) -> str:
        return "KeyPair(private key hidden)"


def create_user(
    name: str,
    *,
    password: str | None = None,
    access_tokens: Iterable[str] = (),
    oauth_tokens: Iterable[str] = (),
    public_keys: Iterable[str] = (),
    role: str | None = None,
    warehouse: str | None = None,
) -> User:
    """A user from secrets in clear text; only their hashes are kept. Names are stored in upper case."""
    return User(
        name=name.upper(),
        password=None if password is None else hashed_password(password, secrets.token_bytes(16)),
        access_tokens=tuple(hashed_token(token) for token in access_tokens),
        oauth_tokens=tuple(hashed_token(token) for token in oauth_tokens),
        public_keys=tuple(public_keys),
        role=role,
        warehouse=warehouse,
    )


def create_key_pair() -> KeyPair:
    """A fresh RSA key pair of 2048 bits, the least Snowflake takes."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return KeyPair(
        private_pem=key.private_bytes(serialization.Encoding.PEM, pkcs8, plain).decode(),
        private_der=key.private_bytes(serialization.Encoding.DER, pkcs8, plain),
        public_pem=key.public_key().public_bytes(serialization.Encoding.PEM, spki).decode(),
    )


def write_users(path: Path, users: Iterable[User]) -> None:
    """Write the users file, readable by its owner only; a running server reads it at every sign-in."""
    text = json.dumps({"users": [asdict(user) for user in users]}, indent=2)
    beside = path.with_suffix(".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    beside.replace(path)


def read_users(path: Path) -> dict[str, User]:
    """The users of a file by name."""
    entries: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["users"]
    users = [User(**{key: _frozen(value) for key, value in entry.items()}) for entry in entries]
    return {user.name: user for user in users}


def hashed_password(password: str, salt: bytes) -> str:
    """A password as it is stored: method, salt and scrypt hash."""
    digest = hashlib.scrypt(password.encode(), salt=salt, n=2**12, r=8, p=1)
    return f"scrypt${salt.hex()}${digest.hex()}"


def hashed_token(token: str) -> str:
    """A token as it is stored. Tokens are long and random, so a plain digest is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def _frozen(value: Any) -> Any:
    return tuple(cast("list[str]", value)) if isinstance(value, list) else value
