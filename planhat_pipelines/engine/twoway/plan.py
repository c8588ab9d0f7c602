"""What a run in both directions would carry each way: the run itself, but for its ends, which only take notes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import polars as pl

from planhat_pipelines.engine.destinations.records import RecordsDestination
from planhat_pipelines.engine.plans.plan import LISTED, End, Plan, named_fields
from planhat_pipelines.engine.plans.rehearsal import Unwritten, as_kind, body_digest
from planhat_pipelines.engine.protocols import Brake, JsonObject, Parcel, Receipt
from planhat_pipelines.engine.report import Report
from planhat_pipelines.engine.syncs.contract import missing
from planhat_pipelines.engine.twoway.build import is_to_be_made, two_way_sync
from planhat_pipelines.engine.twoway.fields import GONE
from planhat_pipelines.engine.twoway.records import PlanhatRecords
from planhat_pipelines.ledger import Ledger, NewConflict, NewParked
from planhat_pipelines.mapping.columns import MappingError
from planhat_pipelines.planhat.changes import Changes
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.lookups import custom_fields, targets
from planhat_pipelines.snowflake.writeback import Target, Written
from planhat_pipelines.spec.records import RecordsSpec

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


@dataclass
class TwoWayPlan:
    """What would go to Planhat, what would come back to Snowflake, and fields that were changed on both sides.

    back: `changed` are rows that would be written, of which some may be new; `archived` are those whose record is gone.
    """

    sent: Plan = field(default_factory=Plan)
    back: Plan = field(default_factory=Plan)
    conflicts: list[NewConflict] = field(default_factory=list[NewConflict])
    to_be_made: bool = False  # the table
    there: list[pl.Series] = field(default_factory=list[pl.Series])  # keys of records that Planhat has

    def park(self, parked: Sequence[NewParked]) -> None:
        """Note rows that wait."""
        self.sent.add("parked", ((each.row, f"company {each.target}") for each in parked), len(parked))

    @property
    def is_well(self) -> bool:
        """Whether a run can go, and would refuse nothing."""
        return self.sent.is_well and self.back.is_well

    @property
    def moves(self) -> bool:
        """Whether a run would change anything."""
        return bool(self.conflicts) or self.sent.moves or self.back.moves


def two_way_plan(
    spec: RecordsSpec,
    session: SnowflakeConnection,
    planhat: Planhat,
    ledger: Ledger,
    *,
    full: bool = False,
    allow_many_changes: bool = False,
) -> TwoWayPlan:
    """Do what a run would do, up to its ends. Raises the errors of Snowflake and Planhat."""
    plan = TwoWayPlan(Plan(missing=missing(spec, custom_fields(planhat, spec.planhat_model))))
    if is_to_be_made(spec, session):
        keys = targets(planhat, spec.planhat_model)[spec.key.field].drop_nulls()
        columns = ", ".join(str(each.column) for each in spec.fetched)
        plan.back.add("created", ((key, columns) for key in keys), len(keys))
        plan.to_be_made = True
        return plan
    try:
        sync = two_way_sync(
            spec.model_copy(update={"create_table": False}),
            session,
            planhat,
            ledger,
            full=full,
            allow_many_changes=allow_many_changes,
        )
        if sync.source:
            sync.source.lag = 0.0  # a late commit is for the run
        sync = replace(
            sync,
            ledger=Unwritten(ledger, plan.park),
            target=as_kind(_Target, sync.target, plan=plan),
            records=as_kind(_Records, sync.records, plan=plan),
            destination=as_kind(_Destination, sync.destination, plan=plan),
        )
        report = sync.run("plan")
    except (Brake, MappingError) as error:
        plan.sent.problem = str(error)
        return plan
    _tell(plan.sent, report.sent)
    _tell(plan.back, report.back)
    plan.conflicts = report.conflicts
    return plan


def _tell(plan: Plan, report: Report) -> None:
    """What the run itself keeps account of."""
    refused = [(each.key or each.row, f"{each.field} {each.reason}".strip()) for each in report.sample]
    plan.add("refused", iter(refused), report.verdicts["refused"])
    plan.add("unchanged", iter(()), report.verdicts["unchanged"])
    plan.reasons = report.reasons


def rows_digest(rows: pl.DataFrame) -> str:
    """What rows on their way to the table are known by."""
    return body_digest(rows.write_json().encode())


@dataclass
class _Records(PlanhatRecords):
    plan: TwoWayPlan = field(default_factory=TwoWayPlan)

    def since(self, cursor: JsonObject | None) -> tuple[Changes, JsonObject]:
        found, after = super().since(cursor)
        self.plan.there.append(found.records[self.key])
        return found, after

    def these(self, keys: Collection[str], companies: Collection[str] = ()) -> pl.DataFrame:
        found = super().these(keys, companies)
        self.plan.there.append(found[self.key])
        return found


@dataclass
class _Destination(RecordsDestination):
    plan: TwoWayPlan = field(default_factory=TwoWayPlan)

    def send(self, parcel: Parcel) -> Receipt:
        items = pl.DataFrame(
            {"key": parcel.rows, "body": parcel.frame["body"] if parcel.frame is not None else []}
        )
        known = self.ledger.bases(self.sync, [GONE]).filter(pl.col(GONE).fill_null(0) == 0)["key"]
        new = ~items["key"].is_in(pl.concat([known, *self.plan.there]).implode())
        ends: tuple[tuple[End, pl.DataFrame], ...] = (
            ("created", items.filter(new)),
            ("changed", items.filter(~new)),
        )
        for end, rows in ends:
            bodies = ((key, named_fields(body)) for key, body in rows.iter_rows())
            self.plan.sent.add(end, bodies, rows.height)
        self.plan.sent.by_address = self.by_address
        self.plan.sent.send(items["key"], items["body"])
        self.plan.sent.requests.append(body_digest(parcel.body))
        return Receipt({"updated": parcel.items}, [])


@dataclass(frozen=True)
class _Target(Target):
    plan: TwoWayPlan = field(default_factory=TwoWayPlan)

    def write(self, rows: pl.DataFrame) -> Written:
        if not any(name in rows.columns for name in self.columns):  # marks that are taken back
            return Written(0, 0)
        written = (
            (row[self.row], ", ".join(name for name in self.columns if row.get(f"{name}?")))
            for row in rows.head(LISTED).iter_rows(named=True)
        )
        self.plan.back.add("changed", written, rows.height)
        self.plan.back.requests.append(rows_digest(rows))
        return Written(0, rows.height)

    def mark_gone(self, keys: Sequence[str]) -> int:
        self.plan.back.add("archived", ((key, str(self.gone)) for key in keys), len(keys))
        self.plan.back.requests.append(body_digest("\n".join(keys).encode()))
        return len(keys)
