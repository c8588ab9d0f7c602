"""Hold Planhat against the ledger: is what was sent still there?

For syncs that go to Planhat only. One that brings changes back reads both sides by itself, and takes every difference
for a change to carry. Activities cannot be read back (Planhat developers, user activities).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from planhat_pipelines.engine.again import send_again
from planhat_pipelines.spec.files import FileRecords
from planhat_pipelines.spec.records import RecordsSpec

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

    from planhat_pipelines.engine.checks.verified import Verified
    from planhat_pipelines.ledger import Ledger
    from planhat_pipelines.planhat.client import Planhat
    from planhat_pipelines.spec.kinds import AnySpec

SAMPLE = 200
CALLS = 100
"""Of the 200 that all runs may make in a minute."""


def can_be_verified(spec: AnySpec) -> bool:
    """Whether what the sync sends can be read back and compared."""
    return not needs_no_verifying(spec) and (isinstance(spec, RecordsSpec) or spec.activities is None)


def needs_no_verifying(spec: AnySpec) -> str:
    """Why there is nothing to verify, of a sync that brings changes back; else nothing."""
    if not isinstance(spec, RecordsSpec) or spec.direction == "to_planhat":
        return ""
    if spec.direction == "to_snowflake":
        return f"{spec.name} sends nothing to Planhat; there is nothing to verify."
    return (
        f"{spec.name} goes both ways, so there is nothing to verify: each run reads what changed on either side, once "
        "a day (full_every) all of Planhat, and carries what differs. What a refusal keeps apart is told by the check "
        f"sides_agree in Dagster; what the next run would carry by: planhat-pipelines plan {spec.name}"
    )


def verified(
    spec: AnySpec,
    session: SnowflakeConnection | None,
    planhat: Planhat,
    ledger: Ledger,
    patience: float,
    *,
    sample: int = SAMPLE,
    calls: int = CALLS,
    seed: int | None = None,
) -> Verified:
    """Look at what the sync sent. `session`: for syncs that read Snowflake. `sample`: records whose values are
    compared. `calls`: how many calls to Planhat it may cost. `seed` chooses the sample, another one each day if left
    out. Raises the errors of Planhat and Snowflake, and MappingError."""
    from planhat_pipelines.engine.checks.promises import mapped_records

    chosen = datetime.now(UTC).toordinal() if seed is None else seed
    limited = planhat.limited(calls)
    if records := mapped_records(spec):
        return _records(spec.name, records, session, limited, ledger, sample, chosen)
    return _metrics(spec, session, limited, ledger, patience, chosen)


def heal(ledger: Ledger, account: Verified) -> int:
    """Let the records go again that are missing or differ: by the next run, or with the next file that has them.
    Returns how many. Raises SyncBusy while a run of the sync is alive."""
    return send_again(ledger, account.sync, account.again, from_source=account.from_source)


def _records(
    sync: str,
    records: RecordsSpec | FileRecords,
    session: SnowflakeConnection | None,
    planhat: Planhat,
    ledger: Ledger,
    sample: int,
    seed: int,
) -> Verified:
    from planhat_pipelines.engine.checks.verify_records import RecordsCheck
    from planhat_pipelines.engine.syncs.records import records_mapping, records_source
    from planhat_pipelines.spec.fields import archive_field

    archive = rows = None
    if isinstance(records, RecordsSpec):
        archive = archive_field(records.planhat_model) if records.on_delete == "archive" else None
        rows = records_source(records, session).rows if session else None
    mapping = records_mapping(sync, records, planhat, archive)
    company_id = records.company.id if records.company else "external"
    return RecordsCheck(sync, planhat, ledger, mapping, company_id, rows, sample, seed, archive).look()


def _metrics(
    spec: AnySpec,
    session: SnowflakeConnection | None,
    planhat: Planhat,
    ledger: Ledger,
    patience: float,
    seed: int,
) -> Verified:
    from planhat_pipelines.engine.checks.verify_metrics import MetricsCheck
    from planhat_pipelines.engine.destinations.metrics import MetricsDestination
    from planhat_pipelines.engine.syncs.usage import metrics_mapping, usage_source
    from planhat_pipelines.spec.usage import UsageSpec

    rows = usage_source(spec, session).rows if session and isinstance(spec, UsageSpec) else None
    if isinstance(spec, RecordsSpec) or not spec.metrics:
        raise ValueError(f"{spec.name} sends nothing that can be read back")
    mapping = metrics_mapping(spec.metrics)
    return MetricsCheck(spec.name, MetricsDestination(planhat, mapping), ledger, rows, patience, seed).look()
