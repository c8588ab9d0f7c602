"""Credentials that can be read again while we run. Imported only where a client is made, as it needs botocore.

A secret (file, program output, AWS Secrets Manager) is a JSON object or lines `NAME=value`, with an access key id,
a secret access key and perhaps a session token, under the names that AWS uses for them anywhere:
`AccessKeyId`, `aws_access_key_id`, `AWS_ACCESS_KEY_ID` and so on.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    Credentials,
    DeferredRefreshableCredentials,
    ReadOnlyCredentials,
)
from botocore.exceptions import NoCredentialsError
from botocore.session import Session

from planhat_pipelines.files.account import S3Account
from planhat_pipelines.files.errors import SignInError

ROLE_SECONDS = (
    3600  # 900 lies within botocore's renewal window, so that it would ask STS before every request
)
_READ_EVERY = 300.0  # seconds
_COMMAND_SECONDS = 60.0


class HeldCredentials(Credentials):
    """What `read` gave, read again when `stamp` changes and on demand. Threads may share it."""

    def __init__(self, read: Callable[[], Credentials], stamp: Callable[[], object]) -> None:
        self.method = "planhat-pipelines"
        self.account_id = None
        self._read, self._stamp = read, stamp
        self._lock = threading.Lock()
        self._seen: object = object()
        self._current: Credentials | None = None
        self._given: ReadOnlyCredentials | None = None

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        with self._lock:
            stamp = self._stamp()
            if self._current is None or stamp != self._seen:
                self._current, self._seen = self._read(), stamp
            return self._give(self._current)

    def reread(self) -> bool:
        """Read again now; true when something else came, so that a second try makes sense."""
        with self._lock:
            before = self._given
            self._current, self._seen = self._read(), self._stamp()
            return self._give(self._current) != before

    def _give(self, current: Credentials) -> ReadOnlyCredentials:
        try:
            self._given = current.get_frozen_credentials()
        except RuntimeError:  # botocore's word for fresh keys that have ended already
            raise SignInError(
                "The role's keys had ended when they came. Set this machine's clock (NTP)."
            ) from None
        return self._given


class HeldProvider(CredentialProvider):
    """Lets a botocore session use these credentials and no others."""

    METHOD = CANONICAL_NAME = "planhat-pipelines"

    def __init__(self, credentials: HeldCredentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> Any:
        return self._credentials


def credentials_of(account: S3Account) -> HeldCredentials:
    """The account's one way in, and its role on top when it has one."""
    own = _own(account)
    if not account.role_arn:
        return own
    first = True

    def assume() -> Credentials:
        nonlocal first
        if not first:  # read again by force: the keys that assume the role may be the old ones
            own.reread()
        first = False
        fetcher = AssumeRoleCredentialFetcher(
            _sts(account), own, account.role_arn, extra_args=_role_arguments(account), cache={}
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")

    return HeldCredentials(assume, _never)


def _own(account: S3Account) -> HeldCredentials:
    if account.access_key_id and account.secret_access_key:
        token = account.session_token.strip() if account.session_token else None
        keys = Credentials(account.access_key_id.strip(), account.secret_access_key.strip(), token)
        return HeldCredentials(lambda: keys, _never)
    if file := account.secret_file:
        path = Path(file).expanduser()
        return HeldCredentials(lambda: parsed(_file_text(path), f"secret file {file}"), lambda: _mark(path))
    if command := account.secret_command:
        place = f"output of {command[0]}"
        return HeldCredentials(lambda: parsed(_output(command), place), _now_and_then)
    if name := account.secret_name:
        return HeldCredentials(
            lambda: parsed(_managed(name, account.region), f"secret {name}"), _now_and_then
        )
    return HeldCredentials(lambda: _chain(account.profile), _never)


def parsed(text: str, place: str) -> Credentials:
    """The keys in a secret. Raises SignInError; the text itself is never repeated."""
    try:
        found = json.loads(text)
    except ValueError:
        found = dict(re.findall(r"^\s*(?:export\s+)?(\w+)\s*=\s*[\"']?(.*?)[\"']?\s*$", text, re.MULTILINE))
    pairs = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    named = {re.sub("^aws|_", "", name.lower()): str(value).strip() for name, value in pairs.items() if value}
    key, secret = named.get("accesskeyid"), named.get("secretaccesskey")
    if not key or not secret:
        raise SignInError(
            f"The {place} must be a JSON object or NAME=value lines with AccessKeyId and SecretAccessKey "
            "(and SessionToken for temporary keys)."
        )
    return Credentials(key, secret, named.get("sessiontoken"))


def _file_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SignInError(f"The secret file {path} cannot be read: {why}.") from None


def _output(command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=True)
    except subprocess.CalledProcessError as error:
        raise SignInError(f"The secret command {command[0]} ended with status {error.returncode}.") from None
    except subprocess.TimeoutExpired:
        raise SignInError(
            f"The secret command {command[0]} took more than {_COMMAND_SECONDS:.0f} seconds."
        ) from None
    except OSError as error:
        raise SignInError(f"The secret command {command[0]} cannot be run: {error.strerror}.") from None
    return done.stdout


def _managed(name: str, region: str) -> str:
    client: Any = Session().create_client("secretsmanager", region_name=region)
    return str(client.get_secret_value(SecretId=name).get("SecretString", ""))


def _chain(profile: str | None) -> Credentials:
    found: Credentials | None = cast("Any", Session(profile=profile)).get_credentials()
    if found is None:
        raise NoCredentialsError
    return found


def _sts(account: S3Account) -> Callable[..., Any]:
    def create(service: str, **keys: Any) -> Any:
        config = Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard"})
        return Session().create_client(
            service, region_name=account.region, endpoint_url=account.sts_endpoint_url, config=config, **keys
        )

    return create


def _role_arguments(account: S3Account) -> dict[str, Any]:
    name = re.sub(r"[^\w+=,.@-]", "-", account.session_name, flags=re.ASCII)[:64].ljust(2, "-")
    external = {"ExternalId": account.external_id} if account.external_id else {}
    return {"RoleSessionName": name, "DurationSeconds": ROLE_SECONDS, **external}


def _never() -> object:
    """Held for good: static keys cannot change, and AWS's own chain renews by itself."""
    return None


def _now_and_then() -> object:
    return time.monotonic() // _READ_EVERY


def _mark(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, _now_and_then()
