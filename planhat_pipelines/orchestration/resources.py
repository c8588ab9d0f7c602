"""Sign-in to Snowflake and Planhat, and the ledger, as Dagster resources.

They hold credentials and open connections, nothing else. A field that is left out is read from the environment when
a run starts (the names are in engine/environment.py), so that loading code needs no secret and keeps none.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from planhat_pipelines.engine.environment import (
    open_ledger,
    open_planhat,
    planhat_account,
    read_back_seconds,
    s3_account,
    snowflake_account,
    spool_folder,
)
from planhat_pipelines.snowflake.account import pem

if TYPE_CHECKING:
    from dagster_aws.s3 import S3Resource
    from dagster_snowflake import SnowflakeResource
    from snowflake.connector import SnowflakeConnection

    from planhat_pipelines.files.account import S3Account
    from planhat_pipelines.ledger import Ledger
    from planhat_pipelines.planhat.client import Planhat


_OF_DAGSTER_SNOWFLAKE = ("account", "user", "password", "role", "warehouse", "database", "authenticator")


class SnowflakeSignIn(dg.ConfigurableResource):  # type: ignore[type-arg]
    """A Snowflake user. Give a secret as EnvVar, or leave all out and set SNOWFLAKE_... variables."""

    account: str | None = Field(
        default=None, description="Account identifier, for instance myorg-account123."
    )
    user: str | None = None
    role: str | None = None
    warehouse: str | None = None
    database: str | None = None
    private_key_file: str | None = Field(default=None, description="PEM file, encrypted or not.")
    private_key: str | None = Field(default=None, description="PEM text, encrypted or not.")
    private_key_passphrase: str | None = None
    token: str | None = None
    token_kind: str | None = Field(default=None, description="oauth or programmatic.")
    password: str | None = Field(default=None, description="For service users a programmatic access token.")
    query_tag: str | None = None

    @contextmanager
    def connection(self) -> Generator[SnowflakeConnection]:
        """A session, closed at the end whatever happens."""
        with snowflake_account(os.environ, **_given(self)).connection() as session:
            yield session

    @property
    def commit_lag(self) -> float:
        """Seconds after which no commit gets an earlier time."""
        return snowflake_account(os.environ, **_given(self)).commit_lag

    @property
    def account_name(self) -> str:
        """The account identifier, wherever it is given."""
        return self.account or os.environ.get("SNOWFLAKE_ACCOUNT", "")

    def dagster_snowflake(self) -> SnowflakeResource:
        """The same sign-in as dagster-snowflake's own resource, for the daily look at sources and for assets of your
        own. Importing it costs several seconds of CPU, so syncs use the plain connector."""
        from dagster_snowflake import SnowflakeResource

        arguments = snowflake_account(os.environ, **_given(self)).connect_args()
        known = {name: arguments.pop(name) for name in list(arguments) if name in _OF_DAGSTER_SNOWFLAKE}
        if key := arguments.pop("private_key", None):
            known["private_key"] = pem(key)
        return SnowflakeResource(**known, additional_snowflake_connection_args=arguments)


class S3SignIn(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Access to buckets: at most one way in, or none for the machine's own credentials; leave all out and set AWS_...
    and S3_... variables."""

    region: str | None = Field(default=None, description="For instance eu-north-1.")
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    profile: str | None = None
    secret_file: str | None = Field(
        default=None, description="A file that holds the keys; read again when it changes."
    )
    secret_command: str | None = Field(default=None, description="A program whose output holds the keys.")
    secret_name: str | None = Field(
        default=None, description="A secret of AWS Secrets Manager that holds the keys."
    )
    role_arn: str | None = None
    external_id: str | None = None
    endpoint_url: str | None = None
    sts_endpoint_url: str | None = None

    def account(self) -> S3Account:
        """The account as the engine takes it."""
        return s3_account(os.environ, **_given(self))

    @property
    def spool(self) -> Path:
        """Where a drop lies while it is worked on."""
        return spool_folder(os.environ)

    def dagster_aws(self) -> S3Resource:
        """The same sign-in as dagster-aws' own resource, for the daily look at sources and for assets of your own. It
        holds the keys of this moment: it knows no role and no rotation."""
        from dagster_aws.s3 import S3Resource

        from planhat_pipelines.files.credentials import credentials_of

        account = self.account()
        keys: Any = credentials_of(account).get_frozen_credentials()
        return S3Resource(
            region_name=account.region,
            endpoint_url=account.endpoint_url,
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            aws_session_token=keys.token,
        )


class PlanhatTenant(dg.ConfigurableResource):  # type: ignore[type-arg]
    """A Planhat tenant: the token of a Private App, the tenant token, and the hosts of its region."""

    token: str | None = None
    tenant: str | None = Field(default=None, description="Tenant token (UUID), for metrics and activities.")
    api_url: str | None = Field(default=None, description="For instance https://api-us3.planhat.com.")
    analytics_url: str | None = None
    calls_a_minute: int | None = Field(
        default=None,
        description="How many of the tenant's 200 calls a minute may be ours; 200 when left out.",
    )
    read_back_seconds: float | None = Field(
        default=None,
        description="How long Planhat may take to show a metric point it took; 120 when left out.",
    )

    @contextmanager
    def client(self, ledger: Ledger) -> Generator[Planhat]:
        """A client that keeps to the budget all runs on this ledger share."""
        account = planhat_account(os.environ, **_given(self, "read_back_seconds"))
        with open_planhat(account, ledger) as client:
            yield client

    @property
    def address(self) -> str:
        """The address of the API, wherever it is given."""
        return planhat_account(os.environ, **_given(self, "read_back_seconds")).api_url

    @property
    def patience(self) -> float:
        """Seconds to wait before asking what became of a doubtful batch."""
        return self.read_back_seconds if self.read_back_seconds is not None else read_back_seconds(os.environ)


class LedgerDatabase(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The ledger: SQLite for one machine, Postgres for several."""

    url: str | None = Field(default=None, description="sqlite:///file or postgresql+psycopg://...")

    @contextmanager
    def open(self) -> Generator[Ledger]:
        """The ledger, closed at the end."""
        with open_ledger(
            {**os.environ, "PLANHAT_LEDGER_URL": self.url} if self.url else os.environ
        ) as ledger:
            yield ledger


def _given(resource: dg.ConfigurableResource[Any], *but: str) -> dict[str, Any]:
    fields = [name for name in type(resource).model_fields if name not in but]
    return {name: value for name in fields if (value := getattr(resource, name)) is not None}
