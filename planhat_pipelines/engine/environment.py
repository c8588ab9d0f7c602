"""Sign-in from environment variables: the one place that knows their names.

Snowflake   SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER and one way in: SNOWFLAKE_PRIVATE_KEY_FILE or SNOWFLAKE_PRIVATE_KEY (with
            SNOWFLAKE_PRIVATE_KEY_PASSPHRASE), SNOWFLAKE_TOKEN (with SNOWFLAKE_TOKEN_KIND, oauth or programmatic) or
            SNOWFLAKE_PASSWORD; SNOWFLAKE_ROLE, _WAREHOUSE, _DATABASE, _SCHEMA, _QUERY_TAG, _LOGIN_TIMEOUT,
            _NETWORK_TIMEOUT, _STATEMENT_TIMEOUT, _COMMIT_LAG (seconds), _HOST, _PORT, _PROTOCOL.
S3          AWS_REGION and at most one way in: AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN),
            AWS_PROFILE, S3_SECRET_FILE, S3_SECRET_COMMAND or S3_SECRET_NAME; none means the machine's own credentials.
            S3_ROLE_ARN with S3_EXTERNAL_ID; AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL_STS for other stores.
Planhat     PLANHAT_TOKEN, PLANHAT_TENANT, PLANHAT_API_URL, PLANHAT_ANALYTICS_URL; PLANHAT_CALLS_A_MINUTE: how many of
            the tenant's 200 calls a minute may be ours (200).
Ledger      PLANHAT_LEDGER_URL; without it a SQLite file in the home folder.
Row log     PLANHAT_ROW_LOG: DATABASE.SCHEMA of Snowflake that gets tables of runs, batches and rejections.
Spool       PLANHAT_SPOOL_FOLDER, where the drop that is worked on lies; without it a folder in the home folder.
Doubt       PLANHAT_READ_BACK_SECONDS: how long Planhat may take to show a metric point it took (assumption: 120).
Alerts      PLANHAT_ALERT_WEBHOOK (of Slack, or what takes its form); PLANHAT_ALERT_MAIL_TO (addresses with commas
            between) with PLANHAT_ALERT_MAIL_FROM, PLANHAT_ALERT_SMTP_HOST, PLANHAT_ALERT_SMTP_PORT,
            PLANHAT_ALERT_SMTP_USER, PLANHAT_ALERT_SMTP_PASSWORD, PLANHAT_ALERT_SMTP_SECURITY (starttls, tls or none);
            PLANHAT_ALERT_REFUSED: the share of refused rows that is too many (0.05); PLANHAT_DAGSTER_URL, for links.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planhat_pipelines.planhat.account import Account
from planhat_pipelines.snowflake.account import SnowflakeAccount

if TYPE_CHECKING:
    from planhat_pipelines.engine.alerts import Receivers
    from planhat_pipelines.files.account import S3Account
    from planhat_pipelines.ledger import Ledger
    from planhat_pipelines.planhat.client import Planhat

_S3 = {
    "region": "AWS_REGION",
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
    "profile": "AWS_PROFILE",
    "secret_file": "S3_SECRET_FILE",
    "secret_command": "S3_SECRET_COMMAND",
    "secret_name": "S3_SECRET_NAME",
    "role_arn": "S3_ROLE_ARN",
    "external_id": "S3_EXTERNAL_ID",
    "endpoint_url": "AWS_ENDPOINT_URL_S3",
    "sts_endpoint_url": "AWS_ENDPOINT_URL_STS",
}
_NUMBERS = {"port", "login_timeout", "network_timeout", "statement_timeout", "commit_lag"}


class NotConfigured(Exception):
    """A variable that is needed is not set, or says something that cannot be. Permanent."""


def snowflake_account(environment: Mapping[str, str], **given: Any) -> SnowflakeAccount:
    """The Snowflake account of the environment; what is given goes first. Raises NotConfigured."""
    values = dict(given)
    for field in dataclasses.fields(SnowflakeAccount):
        variable = f"SNOWFLAKE_{field.name.upper()}"
        if field.name not in values and environment.get(variable):
            values[field.name] = (
                _number(variable, environment) if field.name in _NUMBERS else environment[variable]
            )
    for needed in ("account", "user"):
        if needed not in values:
            raise NotConfigured(
                f"SNOWFLAKE_{needed.upper()} is not set: it says which Snowflake {needed} to use."
            )
    return SnowflakeAccount(**values)


def s3_account(environment: Mapping[str, str], **given: Any) -> S3Account:
    """The S3 account of the environment; what is given goes first. Raises NotConfigured."""
    from planhat_pipelines.files.account import S3Account

    values = dict(given)
    for field, variable in _S3.items():
        if field not in values and environment.get(variable):
            values[field] = environment[variable]
    if isinstance(command := values.get("secret_command"), str):
        values["secret_command"] = tuple(shlex.split(command))
    if "region" not in values:
        raise NotConfigured(
            "AWS_REGION is not set: it says in which region the bucket is, for instance eu-north-1."
        )
    return S3Account(**values)


def spool_folder(environment: Mapping[str, str]) -> Path:
    """Where drops lie while they are worked on."""
    if folder := environment.get("PLANHAT_SPOOL_FOLDER"):
        return Path(folder).expanduser()
    return Path.home() / ".planhat_pipelines" / "spool"


def planhat_account(environment: Mapping[str, str], **given: Any) -> Account:
    """The Planhat tenant of the environment; what is given goes first. Raises NotConfigured."""
    values = dict(given)
    for name in ("token", "tenant", "api_url", "analytics_url"):
        if name not in values and environment.get(f"PLANHAT_{name.upper()}"):
            values[name] = environment[f"PLANHAT_{name.upper()}"]
    if "calls_a_minute" not in values and environment.get("PLANHAT_CALLS_A_MINUTE"):
        values["calls_a_minute"] = _number("PLANHAT_CALLS_A_MINUTE", environment)
    if "token" not in values:
        raise NotConfigured(
            "PLANHAT_TOKEN is not set: it is the API access token of a Private App in Planhat."
        )
    try:
        return Account(**values)
    except ValueError as error:
        raise NotConfigured(f"Planhat: {error}") from None


def open_planhat(account: Account, ledger: Ledger) -> Planhat:
    """A client whose calls keep to the budget that all processes on this ledger share."""
    from planhat_pipelines.ledger import Budget
    from planhat_pipelines.planhat.client import Planhat

    return Planhat(account, budget=Budget.of_minute(ledger, account.api_url, account.calls_a_minute))


def open_ledger(environment: Mapping[str, str]) -> Ledger:
    """The ledger of the environment, made when it is not there yet."""
    from planhat_pipelines.ledger import Ledger

    if url := environment.get("PLANHAT_LEDGER_URL"):
        return Ledger.open(url)
    folder = Path.home() / ".planhat_pipelines"
    folder.mkdir(mode=0o700, exist_ok=True)
    return Ledger.open(f"sqlite:///{folder / 'ledger.db'}")


def read_back_seconds(environment: Mapping[str, str]) -> float:
    """How long a metric point may take until Planhat shows it."""
    variable = "PLANHAT_READ_BACK_SECONDS"
    return float(_number(variable, environment)) if environment.get(variable) else 120.0


def alert_receivers(environment: Mapping[str, str], **given: Any) -> Receivers:
    """Who is told when something is wrong; what is given goes first. Raises NotConfigured."""
    from planhat_pipelines.engine.alerts import Receivers

    values = dict(given)
    for field in dataclasses.fields(Receivers):
        variable = f"PLANHAT_{'' if field.name == 'dagster_url' else 'ALERT_'}{field.name.upper()}"
        if field.name not in values and environment.get(variable):
            values[field.name] = environment[variable]
    try:
        return Receivers(**values)
    except ValueError as error:
        raise NotConfigured(f"Alerts: {error}") from None


def _number(variable: str, environment: Mapping[str, str]) -> int:
    try:
        return int(environment[variable])
    except ValueError:
        raise NotConfigured(f"{variable} has to be a whole number, not {environment[variable]!r}.") from None
