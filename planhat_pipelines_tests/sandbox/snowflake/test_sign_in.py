"""Sign-in is checked: what is right gets in, what is wrong gets Snowflake's code at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
import snowflake.connector
from snowflake.connector.errors import DatabaseError

from planhat_pipelines.sandbox.snowflake import (
    KeyPair,
    SnowflakeServer,
    create_key_pair,
    create_user,
    write_users,
)
from planhat_pipelines.sandbox.snowflake.sign_in import fingerprint

PAIR, STRANGER = create_key_pair(), create_key_pair()
PAT = "PROGRAMMATIC_ACCESS_TOKEN"


def user(**more: Any) -> Any:
    secrets: dict[str, Any] = {
        "password": "correct horse",
        "access_tokens": ["the-access-token"],
        "oauth_tokens": ["the-oauth-token"],
        "public_keys": [PAIR.public_pem],
        "role": "LOADER_ROLE",
        "warehouse": "WH",
    }
    return create_user("loader", **(secrets | more))


@pytest.fixture(scope="module")
def users_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sign_in") / "users.json"


@pytest.fixture(scope="module")
def server(users_file: Path) -> Iterator[SnowflakeServer]:
    write_users(users_file, [user()])
    with SnowflakeServer(users_file) as running:
        yield running


def sign_in(server: SnowflakeServer, **secret: Any) -> Any:
    return snowflake.connector.connect(**({"user": "LOADER"} | server.connect_args | secret))


def refusal(server: SnowflakeServer, **secret: Any) -> tuple[int, str]:
    started = time.monotonic()
    with pytest.raises(DatabaseError) as caught:
        sign_in(server, **secret)
    assert time.monotonic() - started < 5, "a refusal must come at once, not after retries"
    return caught.value.errno, caught.value.sqlstate


@pytest.mark.parametrize(
    "secret",
    [
        {"password": "correct horse"},
        {"password": "the-access-token"},
        {"authenticator": PAT, "token": "the-access-token"},
        {"authenticator": "oauth", "token": "the-oauth-token"},
        {"private_key": PAIR.private_der},
    ],
    ids=["password", "access token as password", "access token", "oauth token", "key pair"],
)
def test_the_right_secret_signs_in(server: SnowflakeServer, secret: dict[str, Any]) -> None:
    with closing(sign_in(server, **secret)) as session:
        row = (
            session.cursor().execute("SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE()").fetchone()
        )
    assert row == ("LOADER", "LOADER_ROLE", "WH")


@pytest.mark.parametrize(
    ("secret", "errno", "sqlstate"),
    [
        ({"password": "wrong"}, 390100, "28000"),
        ({"password": "the-oauth-token"}, 390100, "28000"),
        ({"user": "nobody", "password": "correct horse"}, 390100, "28000"),
        ({"authenticator": PAT, "token": "the-access-token\n"}, 394400, "08001"),
        ({"authenticator": "oauth", "token": "the-access-token"}, 390303, "08001"),
        ({"private_key": STRANGER.private_der}, 394304, "28000"),
        ({"user": "nobody", "private_key": PAIR.private_der}, 390144, "28000"),
    ],
    ids=["password", "oauth as password", "user", "token with newline", "oauth", "key", "user of key"],
)
def test_a_wrong_secret_is_refused_with_snowflakes_code(
    server: SnowflakeServer, secret: dict[str, Any], errno: int, sqlstate: str
) -> None:
    assert refusal(server, **secret) == (errno, sqlstate)


@pytest.mark.parametrize(
    ("signer", "age", "code"),
    [(PAIR, 0, None), (STRANGER, 0, "390144"), (PAIR, 3600, "394301")],
    ids=["right", "signed by another key", "expired"],
)
def test_a_forged_or_expired_token_of_the_right_issuer_is_refused(
    server: SnowflakeServer, signer: KeyPair, age: int, code: str | None
) -> None:
    now = int(time.time()) - age
    claims = {
        "iss": f"LOCAL.LOADER.{fingerprint(PAIR.public_pem)}",
        "sub": "LOCAL.LOADER",
        "iat": now,
        "exp": now + 60,
    }
    token = jwt.encode(claims, signer.private_pem, algorithm="RS256")
    login = {"LOGIN_NAME": "LOADER", "AUTHENTICATOR": "SNOWFLAKE_JWT", "TOKEN": token}
    url = f"http://{server.host}:{server.port}/session/v1/login-request"
    answer = requests.post(url, json={"data": login}, timeout=10).json()
    assert (answer["success"], answer["code"]) == (code is None, code)


def test_rotated_secrets_count_from_the_next_sign_in(server: SnowflakeServer, users_file: Path) -> None:
    write_users(users_file, [user(password="new horse")])
    assert refusal(server, password="correct horse")[0] == 390100
    sign_in(server, password="new horse").close()
    write_users(users_file, [user()])


def test_no_secret_is_kept_in_clear_text(users_file: Path, server: SnowflakeServer) -> None:
    kept = users_file.read_text()
    assert "horse" not in kept
    assert "the-access-token" not in kept
    assert "PRIVATE" not in kept + repr(PAIR)
    assert users_file.stat().st_mode & 0o077 == 0


def test_a_database_that_does_not_exist_is_not_made(server: SnowflakeServer) -> None:
    with closing(sign_in(server, password="correct horse", database="TYPO", schema="PUBLIC")) as session:
        assert (session.database, session.schema) == (None, None)
        assert session.cursor().execute("SHOW DATABASES LIKE 'TYPO'").fetchall() == []
    missing = {"database": "TYPO", "validate_default_parameters": True}
    assert refusal(server, password="correct horse", **missing) == (390201, "08001")
