"""Runs of a usage sync that are killed on order."""

from __future__ import annotations

import os
from typing import Any

from planhat_pipelines_tests.mortals import die_at, serve

LOADED = (
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "cryptography.hazmat.primitives.serialization",
    "pandas.util",
    "planhat_pipelines.engine.syncs.usage",
    "planhat_pipelines.engine.environment",
    "pyarrow.parquet",
    "requests",
    "snowflake.connector",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "tenacity",
)


def child(order: dict[str, Any]) -> None:
    """One run, which may die at a step of the ledger, or of sending."""
    from planhat_pipelines.engine.destinations import activities, metrics
    from planhat_pipelines.engine.environment import (
        open_ledger,
        open_planhat,
        planhat_account,
        snowflake_account,
    )
    from planhat_pipelines.engine.syncs.usage import usage_sync
    from planhat_pipelines.ledger import Claim
    from planhat_pipelines.planhat.client import Planhat
    from planhat_pipelines.spec.usage import UsageSpec

    metrics.POINTS_A_REQUEST = activities.ACTIVITIES_A_REQUEST = order["items"]
    sending = [(Planhat, "metrics"), (Planhat, "activities")]
    if step := order["step"]:
        die_at(sending if step == "send" else [(Claim, step)], order["when"], order["nth"])
    environment = order["environment"]
    with (
        open_ledger(environment) as ledger,
        snowflake_account(environment).connection() as session,
        open_planhat(planhat_account(environment), ledger) as planhat,
    ):
        usage_sync(UsageSpec.model_validate(order["facts"]), session, planhat, ledger, 0.0).run(
            f"mortal {os.getpid()}"
        )


if __name__ == "__main__":
    serve(LOADED, child)
