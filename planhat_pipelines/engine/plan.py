"""What a run of a records sync would do, without sending anything and without a trace in the ledger."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from planhat_pipelines.engine.contract import Missing, missing
from planhat_pipelines.engine.crm import records_sync
from planhat_pipelines.engine.protocols import Brake
from planhat_pipelines.ledger import Ledger
from planhat_pipelines.mapping.addresses import masked
from planhat_pipelines.mapping.columns import ROW, MappingError
from planhat_pipelines.mapping.targets import Mapped
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.lookups import custom_fields
from planhat_pipelines.spec.records import RecordsSpec

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

SAMPLE = 10
End = Literal["created", "changed", "archived", "unchanged", "refused", "parked"]


@dataclass
class Plan:
    """How many rows would end how; of each end the first few keys with their fields, or with what is in the way.

    created: rows that Planhat was never told of; a record that is there already is updated instead.
    parked: rows whose company does not exist yet. problem: why a run would stop before it sends anything.
    """

    counts: Counter[End] = field(default_factory=Counter[End])
    sample: dict[End, list[tuple[str, str]]] = field(default_factory=dict[End, list[tuple[str, str]]])
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])  # field, reason
    missing: list[Missing] = field(default_factory=list[Missing])
    problem: str | None = None

    @property
    def is_well(self) -> bool:
        """Whether a run can go, and would refuse nothing."""
        return not (self.problem or self.missing or self.counts["refused"])

    def add(self, end: End, rows: Iterator[tuple[str, str]], many: int) -> None:
        """Count `many` rows, and look at as many of them as the sample takes."""
        self.counts[end] += many
        kept = self.sample.setdefault(end, [])
        kept += [row for row, _ in zip(rows, range(SAMPLE - len(kept)), strict=False)]


def planned(
    spec: RecordsSpec, session: SnowflakeConnection, planhat: Planhat, ledger: Ledger, *, full: bool = False
) -> Plan:
    """Read what a run would read, and map it. Raises the errors of Snowflake and Planhat."""
    plan = Plan(missing=missing(spec, custom_fields(planhat, spec.planhat_model)))
    try:
        sync = records_sync(spec, session, planhat, ledger, full=full)
        increment = sync.source.next(ledger.cursor(spec.name).value)
        if increment is None:
            return plan
        destination = sync.destination
        pieces = (destination.map(piece) for piece in increment.pieces())
        for mapped in destination.gate(pieces, whole=increment.whole):
            _add(plan, mapped, masked if destination.by_address else str)
        for mapped in destination.gone(whole=increment.whole):
            plan.add("archived", ((row, "") for row in mapped.ready[ROW]), mapped.ready.height)
    except (Brake, MappingError) as error:
        plan.problem = str(error)
    return plan


def _add(plan: Plan, mapped: Mapped, shown: Callable[[str], str]) -> None:
    new = pl.col("told").is_null()
    ends: tuple[tuple[End, pl.Expr], ...] = (("created", new), ("changed", ~new))
    for end, which in ends:
        rows = mapped.ready.filter(which)
        plan.add(
            end,
            ((shown(key), named_fields(body)) for key, body in rows.select("key", "body").rows()),
            rows.height,
        )
    refused = [
        (row if key is None else shown(key), field, reason)
        for row, key, field, reason in mapped.refused.select(ROW, "key", "field", "reason").iter_rows()
    ]
    plan.reasons.update((field, reason) for _, field, reason in refused)
    plan.add("refused", ((key, f"{field} {reason}".strip()) for key, field, reason in refused), len(refused))
    waiting = mapped.parked.select(ROW, "target").rows()
    plan.add("parked", ((row, f"company {target}") for row, target in waiting), len(waiting))
    plan.add("unchanged", iter(()), mapped.unchanged)


def named_fields(body: str) -> str:
    """The names of the fields that a record brings, without their values."""
    record: dict[str, Any] = json.loads(body)
    custom: dict[str, Any] = record.pop("custom", {})
    return ", ".join([*record, *(f"custom.{name}" for name in custom)])
