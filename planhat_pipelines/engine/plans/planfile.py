"""A plan in a file: Markdown for people, with a block at its end by which `apply` knows what was reviewed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from planhat_pipelines.engine.markdown import cell, table
from planhat_pipelines.engine.plans.plan import Plan
from planhat_pipelines.engine.plans.review import Review
from planhat_pipelines.engine.twoway.plan import TwoWayPlan
from planhat_pipelines.engine.twoway.report import length, shown
from planhat_pipelines.mapping.addresses import masked

_FENCE = "```json planhat-plan"
_WORDS = {
    "created": "new to this sync",
    "changed": "changed since they were sent",
    "archived": "gone from the table, to be archived",
    "submitted": "rows of usage, to be added",
    "unchanged": "unchanged, not sent",
    "refused": "refused",
    "parked": "parked until their record exists",
    "duplicate": "replaced by a later row of the same key",
}
_BACK = _WORDS | {
    "created": "to be inserted",
    "changed": "written where they differ",
    "archived": "marked as gone",
}


class NoPlan(Exception):
    """The file holds no plan that this program can read."""


class PlanFile(BaseModel):
    """What a run is held to. cannot: why nobody can apply it. how: the options it was planned with."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    version: int = 1
    sync: str
    made_at: str
    how: dict[str, bool]
    marks: dict[str, str]
    requests: tuple[str, ...]
    cannot: str | None = None


def write(
    path: Path, sync: str, review: Review, *, how: dict[str, bool], cannot: str | None, values: bool
) -> None:
    """Write the plan; the file is for its owner alone, as it names records. `values`: show them."""
    made_at = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    facts = PlanFile(
        sync=sync,
        made_at=made_at,
        how=how,
        marks=review.marks,
        requests=tuple(review.requests),
        cannot=cannot,
    )
    head = [f"# Plan of {sync}", "", f"Made at {made_at}. Nothing was sent."]
    if cannot:
        head.append(f"**It cannot be applied:** {cannot}")
    else:
        head.append(
            f"Apply it with `planhat-pipelines apply {path.name}`, which refuses once the mapping, the ledger, the "
            "source or the records of Planhat have moved."
        )
    lines = [*head, *markdown(review, values=values), "", _FENCE]
    text = "\n".join([*lines, facts.model_dump_json(indent=1), "```", ""])
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def read(path: Path) -> PlanFile:
    """The plan of a file. Raises NoPlan and OSError."""
    found = path.read_text(encoding="utf-8").rpartition(f"\n{_FENCE}\n")[2].rpartition("\n```")[0]
    try:
        plan = PlanFile.model_validate_json(found)
    except ValidationError:
        raise NoPlan(
            f"{path} holds no plan, or one that was cut or edited at its end. Make one: "
            "planhat-pipelines plan SYNC --out FILE"
        ) from None
    if plan.version != PlanFile.model_fields["version"].default:
        raise NoPlan(f"{path} was written by another release. Plan again.")
    return plan


def markdown(review: Review, *, values: bool) -> Iterator[str]:
    """The plan as people read it."""
    plan, sent = review.plan, review.sent
    for text in (sent.problem, *sent.warnings):
        if text:
            yield ""
            yield f"**{cell(text)}**"
    if sent.missing:
        yield from _table(
            "Custom fields to create first",
            ("name", "type"),
            [(each.name, each.type) for each in sent.missing],
        )
    yield from _counts("To Planhat", sent, _WORDS)
    if sent.drops:
        yield from _table("Files", ("file", "holds"), sent.drops)
    if sent.points:
        yield from _table("Points", ("metric", "points"), sorted(sent.points.items()))
    if sent.keys:
        yield ""
        yield f"Of the records to be sent Planhat holds {review.updates:,} and does not hold {review.news:,}."
    yield from _changes(review, values=values)
    yield from _listed(sent)
    if isinstance(plan, TwoWayPlan):
        yield from _counts("To Snowflake", plan.back, _BACK)
        yield from _ends(plan.back, ("created", "changed", "archived", "refused"), _BACK)
        yield from _conflicts(plan, values=values)


def _changes(review: Review, *, values: bool) -> Iterator[str]:
    name = masked if review.sent.by_address else str
    told = str if values else length
    for title, is_new in (("New records", True), ("Changed records", False)):
        rows: list[Sequence[object]] = []
        for each in review.changes:
            if each.is_new == is_new and not each.fields:
                rows.append((name(each.key), "(no field differs)", "", ""))
            elif each.is_new == is_new:
                rows += [
                    (name(each.key), at, told(old or ""), told(new or "")) for at, old, new in each.fields
                ]
        if is_new:
            rows = [(key, at, new) for key, at, _, new in rows]
        head = ("key", "field", "value") if is_new else ("key", "field", "in Planhat", "would be")
        yield from _table(title, head, rows)
    total = sum(map(len, review.sent.keys))
    if total > len(review.changes):
        yield ""
        yield f"... and {total - len(review.changes):,} more records, which the plan is held to as well."


def _listed(plan: Plan) -> Iterator[str]:
    if plan.reasons:
        rows = [(count, *reason) for reason, count in plan.reasons.most_common()]
        yield from _table("Reasons of refusals", ("rows", "field", "reason"), rows)
    yield from _ends(plan, ("archived", "refused", "parked"), _WORDS)


def _ends(plan: Plan, ends: Sequence[Any], words: dict[str, str]) -> Iterator[str]:
    for end in ends:
        rows = plan.sample.get(end, [])
        yield from _table(words[end].capitalize(), ("key", "what"), rows)
        if rows and plan.counts[end] > len(rows):
            yield ""
            yield f"... and {plan.counts[end] - len(rows):,} more."


def _conflicts(plan: TwoWayPlan, *, values: bool) -> Iterator[str]:
    rows = [
        (key, each.field, each.winner, ours, theirs, each.why)
        for each in plan.conflicts
        for key, ours, theirs in [shown(each, values=values)]
    ]
    yield from _table(
        "Changed on both sides", ("key", "field", "stays", "Snowflake", "Planhat", "because"), rows
    )


def _counts(title: str, plan: Plan, words: dict[str, str]) -> Iterator[str]:
    rows = [(count, words[end]) for end, count in plan.counts.items() if count]
    yield from _table(title, ("rows", "are"), rows or [(0, "there is nothing new")])


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    if rows:
        yield from ("", f"## {title}", "", table(head, rows))
