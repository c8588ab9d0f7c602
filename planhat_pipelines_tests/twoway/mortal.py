"""Runs of a sync in both directions that are killed on order.

Their facts are `sync`, what a user writes; `overlap`, see `pair.hasten`; and `full`, whether both sides are read as a
whole. A step is a method of the ledger's claim, `upsert` (a request to Planhat), `write` or `mark_gone` (a statement in
Snowflake), or `any` of them.
"""

from __future__ import annotations

import os
from typing import Any

from planhat_pipelines_tests.mortals import claim_steps, die_at, serve

LOADED = (
    "pandas.util",
    "planhat_pipelines.engine.syncs.records",
    "planhat_pipelines.engine.environment",
    "planhat_pipelines.engine.twoway.build",
    "planhat_pipelines_tests.twoway.pair",
    "pyarrow.parquet",
    "requests",
    "snowflake.connector",
    "sqlalchemy.dialects.sqlite",
    "tenacity",
)


def steps() -> dict[str, Any]:
    """Whose method each step is."""
    from planhat_pipelines.planhat.client import Planhat
    from planhat_pipelines.snowflake.writeback import Target

    ours = {name: claim for claim, name in claim_steps()}
    return {**ours, "upsert": Planhat, "write": Target, "mark_gone": Target}


def child(order: dict[str, Any]) -> None:
    """One run."""
    from planhat_pipelines.engine.environment import (
        open_ledger,
        open_planhat,
        planhat_account,
        snowflake_account,
    )
    from planhat_pipelines.engine.twoway.build import two_way_sync
    from planhat_pipelines.spec.records import RecordsSpec
    from planhat_pipelines_tests.twoway.pair import hasten, make_small

    make_small(setattr)
    step, environment, facts = order["step"], order["environment"], order["facts"]
    chosen = {name: owner for name, owner in steps().items() if step in (name, "any")}
    die_at([(owner, name) for name, owner in chosen.items()], order["when"], order["nth"])
    with (
        open_ledger(environment) as ledger,
        snowflake_account(environment).connection() as session,
        open_planhat(planhat_account(environment), ledger) as planhat,
    ):
        spec = RecordsSpec.model_validate(facts["sync"])
        sync = hasten(two_way_sync(spec, session, planhat, ledger, full=facts["full"]), facts["overlap"])
        sync.run(f"mortal {os.getpid()}")


if __name__ == "__main__":
    serve(LOADED, child)
