"""Runs of a files sync that are killed on order."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from planhat_pipelines_tests.mortals import die_at, serve

LOADED = (
    "boto3",
    "numpy",
    "planhat_pipelines.engine.environment",
    "planhat_pipelines.engine.syncs.files",
    "pyarrow.parquet",
    "requests",
    "sqlalchemy.dialects.sqlite",
    "tenacity",
)


def place_of(step: str) -> tuple[Any, str]:
    """The method or function that is a step of a drop, or of the ledger."""
    from planhat_pipelines.engine.drops import source as drops
    from planhat_pipelines.files import Bucket, Inbox, archive
    from planhat_pipelines.files.formats import read as parser
    from planhat_pipelines.ledger import Claim
    from planhat_pipelines.planhat.client import Planhat

    places: dict[str, tuple[Any, str]] = {
        "claim a drop": (Inbox, "claim"),
        "fetch": (Inbox, "fetch"),
        "parse": (drops, "read"),
        "refused rows": (Inbox, "put_refused_rows"),
        "archive": (archive, "archive"),
        "delete": (Bucket, "remove"),
        "send points": (Planhat, "metrics"),
        "send records": (Planhat, "upsert"),
        "mid parse": (sys.modules[parser.__module__], "_run"),
    }
    return places.get(step) or (Claim, step)


def child(order: dict[str, Any]) -> None:
    """One run."""
    from planhat_pipelines.engine.destinations import activities, metrics, records
    from planhat_pipelines.engine.environment import open_ledger, open_planhat, planhat_account, s3_account
    from planhat_pipelines.engine.syncs.files import files_sync
    from planhat_pipelines.spec.files import FilesSpec

    metrics.POINTS_A_REQUEST = activities.ACTIVITIES_A_REQUEST = records.ITEMS_A_REQUEST = order["items"]
    if order["step"]:
        die_at([place_of(order["step"])], order["when"], order["nth"])
    environment = order["environment"]
    spec, spool = FilesSpec.model_validate(order["facts"]), Path(environment["PLANHAT_SPOOL_FOLDER"])
    with (
        open_ledger(environment) as ledger,
        open_planhat(planhat_account(environment), ledger) as planhat,
    ):
        files_sync(spec, s3_account(environment), planhat, ledger, spool=spool, patience=0.0).run(
            f"mortal {os.getpid()}"
        )


def main() -> None:
    """What reads files, and what makes clients of S3, is ready before a run is forked."""
    from planhat_pipelines.files import S3Account, S3Client
    from planhat_pipelines.files.formats.parent import PARENT

    PARENT.connected().close()
    assert S3Client(S3Account("us-east-1", access_key_id="any", secret_access_key="any")).endpoint
    serve(LOADED, child)


if __name__ == "__main__":
    main()
