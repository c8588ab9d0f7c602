"""Runs of a records sync to Planhat that are killed at a step that was drawn: at any method of the ledger's claim or
request to Planhat."""

from __future__ import annotations

import os
from typing import Any

from planhat_pipelines_tests.mortals import claim_steps, die_at, serve

LOADED = (
    "pandas.util",
    "planhat_pipelines.engine.syncs.records",
    "planhat_pipelines.engine.environment",
    "pyarrow",
    "requests",
    "snowflake.connector",
    "sqlalchemy.dialects.sqlite",
    "tenacity",
)


def child(order: dict[str, Any]) -> None:
    """One run."""
    from planhat_pipelines.engine.destinations import records
    from planhat_pipelines.engine.environment import (
        open_ledger,
        open_planhat,
        planhat_account,
        snowflake_account,
    )
    from planhat_pipelines.engine.syncs.records import records_sync
    from planhat_pipelines.planhat.client import Planhat
    from planhat_pipelines.spec.records import RecordsSpec

    records.ITEMS_A_REQUEST = order["items"]
    if order["step"]:
        die_at([*claim_steps(), (Planhat, "upsert")], order["when"], order["nth"])
    environment = order["environment"]
    with (
        open_ledger(environment) as ledger,
        snowflake_account(environment).connection() as session,
        open_planhat(planhat_account(environment), ledger) as planhat,
    ):
        spec = RecordsSpec.model_validate(order["facts"])
        records_sync(spec, session, planhat, ledger, lag=0.0).run(f"mortal {os.getpid()}")


if __name__ == "__main__":
    serve(LOADED, child)
