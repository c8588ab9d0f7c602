"""Calls to S3 with one account: errors come translated, and refused credentials get one second chance."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from planhat_pipelines.files.account import S3Account, is_aws
from planhat_pipelines.files.errors import STALE, code_of, translated

if TYPE_CHECKING:
    from planhat_pipelines.files.credentials import HeldCredentials

Answer = TypeVar("Answer")


class S3Client:
    """Threads may share it. boto3 is loaded and the credentials are read at the first call."""

    def __init__(self, account: S3Account) -> None:
        self.account = account
        self._lock = threading.RLock()
        self._made: dict[str, Any] = {}
        self._credentials: HeldCredentials | None = None

    @property
    def endpoint(self) -> str:
        """Where S3 is, as the account, the environment or the region says."""
        return str(self._client("s3").meta.endpoint_url)

    def do(self, doing: str, ask: Callable[[Any], Answer], service: str = "s3") -> Answer:
        """`ask` with the boto3 client. Raises FilesError: see errors.py. When AWS refuses the credentials and
        reading them again gives others, `ask` is called a second time."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return ask(self._client(service))
        except (ClientError, BotoCoreError) as error:
            first = error
        try:
            if code_of(first) in STALE and self._credentials and self._credentials.reread():
                return ask(self._client(service))
        except (ClientError, BotoCoreError) as error:
            raise translated(error, doing) from None
        raise translated(first, doing) from None

    def _client(self, service: str) -> Any:
        with self._lock:
            if service not in self._made:
                self._made[service] = self._make(service)
            return self._made[service]

    def _make(self, service: str) -> Any:
        import boto3
        from botocore.config import Config
        from botocore.credentials import CredentialResolver
        from botocore.session import Session

        from planhat_pipelines.files.credentials import HeldProvider, credentials_of

        log = logging.getLogger("botocore")
        if log.getEffectiveLevel() < logging.INFO:  # its debug log holds session tokens
            log.setLevel(logging.INFO)
        account = self.account
        if self._credentials is None:
            self._credentials = credentials_of(account)
        session = Session()
        session.get_component("data_loader").file_loader = _reader()
        session.register_component(
            "credential_provider", CredentialResolver([HeldProvider(self._credentials)])
        )
        options: dict[str, Any] = {
            "connect_timeout": 10,
            "read_timeout": 60,
            "retries": {"mode": "standard", "max_attempts": 4},
        }
        endpoint = account.endpoint_url if service == "s3" else None
        if endpoint and not is_aws(endpoint):  # other stores rarely have a host name for each bucket
            options |= {"s3": {"addressing_style": "path"}, "request_checksum_calculation": "when_required"}
        return (
            cast("Any", boto3)
            .Session(botocore_session=session)
            .client(service, region_name=account.region, endpoint_url=endpoint, config=Config(**options))
        )


@cache
def _reader() -> Any:
    """Reads what botocore knows of AWS, which is most of the work of making a client, once a process."""
    from botocore.loaders import JSONFileLoader

    reader = cast("Any", JSONFileLoader())
    reader.load_file = cache(reader.load_file)
    return reader
