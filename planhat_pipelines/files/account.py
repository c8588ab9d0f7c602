"""Where S3 is, and the one way in."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from planhat_pipelines.files.errors import SignInError

_WAYS = (
    "an access key with its secret, a profile, secret_file, secret_command or secret_name; "
    "or none of them for the machine's own credentials"
)


@dataclass(frozen=True)
class S3Account:
    """At most one way in is given; none means the default chain of AWS (environment, container, machine role).

    access_key_id, secret_access_key, session_token: as they are; a change needs a restart.
    profile: of ~/.aws/config and ~/.aws/credentials.
    secret_file, secret_command, secret_name: a file, a program's output, or a secret of AWS Secrets Manager (read
    with the default chain) that holds the keys, see credentials.py for its form. They are read again when the
    file changes, every five minutes, and when AWS refuses the keys, so that keys can be rotated while we run.
    role_arn, external_id, session_name: a role to assume with any of the above; renewed by itself.
    endpoint_url, sts_endpoint_url: only for other addresses than the region's public ones.
    """

    region: str
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    profile: str | None = None
    secret_file: str | None = None
    secret_command: tuple[str, ...] | None = field(default=None, repr=False)
    secret_name: str | None = None
    role_arn: str | None = None
    external_id: str | None = field(default=None, repr=False)
    session_name: str = "planhat-pipelines"
    endpoint_url: str | None = None
    sts_endpoint_url: str | None = None

    def __post_init__(self) -> None:
        """Raises SignInError when there is no single way in."""
        ways = [self.access_key_id, self.profile, self.secret_file, self.secret_command, self.secret_name]
        if sum(bool(way) for way in ways) > 1:
            raise SignInError(f"S3 account: give only one of {_WAYS}.")
        if bool(self.access_key_id) != bool(self.secret_access_key):
            raise SignInError("S3 account: access_key_id and secret_access_key go together.")
        if self.session_token and not self.access_key_id:
            raise SignInError("S3 account: session_token goes with access_key_id and secret_access_key.")
        if self.external_id and not self.role_arn:
            raise SignInError("S3 account: external_id goes with role_arn.")
        if self.external_id and not 2 <= len(self.external_id) <= 1224:
            raise SignInError("S3 account: external_id has 2 to 1,224 characters.")


def is_aws(endpoint: str) -> bool:
    """Whether this is S3 itself, whose guarantees are documented, and not a store that speaks its language."""
    return (urlsplit(endpoint).hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn"))
