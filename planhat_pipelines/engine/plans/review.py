"""A plan to be reviewed: what a run would do, field by field beside what Planhat holds now, and the marks by which a
later run knows that nothing has moved since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from planhat_pipelines.engine.plans.plan import Plan
from planhat_pipelines.engine.plans.rehearsal import rehearse
from planhat_pipelines.engine.protocols import Brake
from planhat_pipelines.engine.run import Sync
from planhat_pipelines.engine.syncs.contract import missing
from planhat_pipelines.engine.twoway.plan import TwoWayPlan
from planhat_pipelines.ledger import Ledger
from planhat_pipelines.mapping.columns import MappingError
from planhat_pipelines.planhat.catalogue import Field, Kind
from planhat_pipelines.planhat.changes import changes, single
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.lookups import custom_fields
from planhat_pipelines.planhat.reading import CUSTOM_KINDS, frame
from planhat_pipelines.spec.files import FileRecords, FilesSpec
from planhat_pipelines.spec.kinds import AnySpec
from planhat_pipelines.spec.records import RecordsSpec

_SINGLY = 100  # records that are asked for one by one; more of them, and all are read
_COSMETIC = {"every", "description", "owners", "tags", "show_values"}

MARKS: Mapping[str, str] = {
    "mapping": "the sync's defs.yaml: it reads or maps otherwise now",
    "ledger": "the ledger: a run has gone on from where the plan began",
    "rows": "the source: other rows, values, refusals or parked rows would go to Planhat",
    "planhat": "Planhat: records that the plan was made over have other values, or are there or gone",
}
"""What a plan is held to, and what it means when that has moved."""


@dataclass(frozen=True, slots=True)
class Change:
    """One record that would be sent, with its fields as they are in Planhat and as they would be, as text."""

    key: str
    is_new: bool
    fields: Sequence[tuple[str, str | None, str | None]]


@dataclass
class Review:
    """A plan, its first records field by field, and its marks. `news`, `updates`: how many of all records Planhat does
    not have, or has."""

    plan: Plan | TwoWayPlan
    marks: dict[str, str]
    changes: list[Change] = field(default_factory=list[Change])
    news: int = 0
    updates: int = 0

    @property
    def sent(self) -> Plan:
        """What goes to Planhat."""
        return self.plan if isinstance(self.plan, Plan) else self.plan.sent

    @property
    def requests(self) -> list[str]:
        """A fingerprint of all that would be sent or written."""
        back = [] if isinstance(self.plan, Plan) else self.plan.back.requests
        return [*self.sent.requests, *back]


def planned(spec: AnySpec, planhat: Planhat, opened: Callable[[], AbstractContextManager[Sync]]) -> Plan:
    """What a run one way would do. `opened`: the sync, ready to run. Raises the errors of source and destination."""
    plan = Plan()
    if isinstance(spec, RecordsSpec):
        plan.missing = missing(spec, custom_fields(planhat, spec.planhat_model))
    try:
        with opened() as sync:
            rehearse(sync, plan)
    except (Brake, MappingError) as error:
        plan.problem = str(error)
    return plan


def reviewed(spec: AnySpec, plan: Plan | TwoWayPlan, planhat: Planhat, ledger: Ledger) -> Review:
    """The plan with its marks, and beside what Planhat holds of the records that would be sent."""
    review = Review(plan, {})
    held = _compare(review, spec, planhat)
    cursor, sent = ledger.cursor(spec.name), review.sent
    open_rows = [sent.sample.get("refused"), sent.sample.get("parked"), sorted(sent.reasons.items())]
    counted = sorted((end, count) for end, count in sent.counts.items() if count and end != "unchanged")
    theirs: list[object] = [held]
    if isinstance(plan, TwoWayPlan):
        clashes = [
            (each.row, each.field, each.winner, each.snowflake, each.planhat) for each in plan.conflicts
        ]
        theirs += [plan.back.requests, clashes, sorted(plan.back.counts.items())]
    review.marks |= {
        "mapping": _digest(spec.model_dump_json(exclude=_COSMETIC)),
        "ledger": _digest([cursor.version, cursor.value]),
        "rows": _digest([sent.requests, counted, open_rows, sent.problem]),
        "planhat": _digest(theirs),
    }
    return review


def _compare(review: Review, spec: AnySpec, planhat: Planhat) -> str:
    """Fill in what changes, and return a mark of what Planhat holds."""
    sent, records = review.sent, spec.records if isinstance(spec, FilesSpec) else spec
    if not isinstance(records, RecordsSpec | FileRecords) or not sent.keys:
        return ""
    model, key = records.planhat_model, records.key.field
    kinds: dict[str, Kind] = {
        f"custom.{each.name}": CUSTOM_KINDS.get(each.type, "text") for each in custom_fields(planhat, model)
    }
    company = [model.company_field] if model.company_field else []
    select = list(dict.fromkeys([key, *(each.field for each in records.fields), *company]))
    keys = pl.concat([each.rename(key) for each in sent.keys]).unique(maintain_order=True)
    if len(keys) > _SINGLY or not model.single:
        held = changes(planhat, model, select, None, full=True, kinds=kinds).records
        held = held.join(keys.to_frame(), on=key, how="semi")
    else:
        held = single(planhat, model, select, key, keys, kinds=kinds)
    held = held.unique(key, keep="first", maintain_order=True).sort(key)
    review.updates, review.news = held.height, len(keys) - held.height
    known = {row[key]: row for row in held.iter_rows(named=True)}
    types = {**model.fields, **{name: Field(name, kind) for name, kind in kinds.items()}}
    for name, body in sent.bodies:
        record: dict[str, Any] = json.loads(body)
        names = [each for each in record if each != "custom"]
        names += [f"custom.{each}" for each in record.get("custom", {})]
        (ours,) = frame([record], names, types).iter_rows(named=True)
        theirs: Mapping[str, Any] = known.get(name, {})
        fields = [(each, theirs.get(each), ours[each]) for each in names if each != key]
        told = [each for each in fields if each[1] != each[2]]
        review.changes.append(Change(name, name not in known, told))
    return _digest(held.select(select).rows())


def _digest(what: object) -> str:
    return hashlib.blake2b(repr(what).encode(), digest_size=16).hexdigest()
