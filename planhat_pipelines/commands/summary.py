"""What a demo tells at its end: what Planhat holds, each round of each sync, what came back, what did not go, and where
to look."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planhat_pipelines.commands import stage
from planhat_pipelines.commands.table import columns
from planhat_pipelines.planhat.catalogue import model

_VERDICTS = ("created", "updated", "unchanged", "submitted", "refused", "parked", "held", "duplicate")
_EDITED = {
    "phase": "PHASE",
    "city": "CITY",
    "csmScore": "CSM_SCORE",
}  # fields of companies, and their columns
_SHOWN = ("company", "enduser", "license", "asset", "project", "task", "opportunity")

Edits = Sequence[Mapping[str, Any]]
"""Changed fields of companies, each with the externalId."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One sync in one round, as the ledger counted it."""

    round: int
    sync: str
    counts: Mapping[str, int]
    seconds: float
    failure: str | None

    @property
    def goes_both_ways(self) -> bool:
        """Whether its counts tell of a way back."""
        return "back_rows_read" in self.counts

    @property
    def ends(self) -> dict[str, int]:
        """How many rows ended how, and of those that came back how many changed the table."""
        back = self.counts.get("back_created", 0) + self.counts.get("back_updated", 0)
        verdicts = {name: self.counts.get(name, 0) for name in _VERDICTS}
        return verdicts | {"written back": back, "in conflict": self.counts.get("conflicts", 0)}


def line(ran: Ran) -> str:
    """One run in words."""
    if ran.failure:
        return f"failed: {ran.failure}"
    ends = ", ".join(f"{count:,} {name}" for name, count in ran.ends.items() if count)
    return f"{ran.counts.get('rows_read', 0):>7,} rows: {ends or 'nothing new'} ({ran.seconds:.1f} s)"


def all_told(
    environment: Mapping[str, str], ran: Sequence[Ran], edits: Edits, folder: Path, *, kept: bool
) -> Iterator[str]:
    """The whole summary. `edits`: what people changed in Planhat between the rounds."""
    yield from _held(environment)
    yield ""
    yield from _table(ran)
    yield ""
    yield from _came_back(environment, ran, edits)
    yield ""
    yield from _did_not_go(environment)
    yield ""
    yield from _where_next(environment, folder, kept=kept)


def _table(ran: Sequence[Ran]) -> Iterator[str]:
    used = list(dict.fromkeys(name for each in ran for name, count in each.ends.items() if count))
    used.sort(key=list(ran[0].ends).index)
    order = list(dict.fromkeys(each.sync for each in ran))
    rows = [
        (
            each.sync,
            each.round,
            each.counts.get("rows_read", 0),
            *(each.ends[name] or None for name in used),
        )
        for each in sorted(ran, key=lambda each: (order.index(each.sync), each.round))
    ]
    yield "How each row that was read ended, sync by sync (an empty cell is none):"
    yield from columns(["sync", "round", "rows read", *used], rows)


def _came_back(environment: Mapping[str, str], ran: Sequence[Ran], edits: Edits) -> Iterator[str]:
    """Each edit that a person made in Planhat, beside what Snowflake holds by now."""
    from planhat_pipelines.sandbox.fill import ask

    yield "Edited in Planhat between rounds 1 and 2, and what Snowflake holds by now:"
    _, rows = ask(environment, "SELECT ACCOUNT_ID, PHASE, CITY, CSM_SCORE FROM ACCOUNTS")
    holds = {account: dict(zip(_EDITED, values, strict=True)) for account, *values in rows}
    lines: list[tuple[object, ...]] = []
    for edit in edits:
        for field in _EDITED:
            if field in edit:
                now = str(holds[str(edit["externalId"])][field])
                why = "" if now == str(edit[field]) else "was changed there, too: on_conflict decided"
                lines.append((edit["externalId"], field, str(edit[field]), now, why))
    yield from columns(["company", "field", "edited to", "Snowflake holds", ""], lines)
    third = [each for each in ran if each.round == 3 and each.goes_both_ways]
    moved = sum(each.ends[name] for each in third for name in ("created", "updated", "written back"))
    yield f"Round 3 sent and wrote {f'{moved:,} rows' if moved else 'nothing'}: a sync's own writes are no news to it."


def _held(environment: Mapping[str, str]) -> Iterator[str]:
    """Counts of the local Planhat, from its admin view."""
    import requests

    state = requests.get(f"{environment['PLANHAT_API_URL']}/_sandbox/state", timeout=30).json()
    records = [
        f"{state['records'][name]:,} {model(name).path}" for name in _SHOWN if state["records"].get(name)
    ]
    yield f"Planhat now holds {', '.join(records)},"
    yield f"{state['points']:,} metric points and {state['activities']:,} activities."


def _did_not_go(environment: Mapping[str, str]) -> Iterator[str]:
    from planhat_pipelines.engine.environment import open_ledger

    with open_ledger(environment) as ledger:
        refused, parked = ledger.rejections(), ledger.parked()
    if refused:
        yield f"{len(refused):,} rows were refused:"
    reasons = Counter((each.sync, each.field, each.reason) for each in refused)
    for (sync, field, reason), count in reasons.most_common(10):
        yield f"  {count:>6,}  {sync}: {field} {reason}"
    if parked:
        yield f"{len(parked):,} rows name a record that Planhat does not hold; they go by themselves when it does:"
    for (sync, name), count in Counter((each.sync, each.model) for each in parked).most_common():
        targets = len({each.target for each in parked if (each.sync, each.model) == (sync, name)})
        missing = f"1 {name} is" if targets == 1 else f"{targets:,} {model(name).path} are"
        yield f"  {count:>6,}  {sync}: {missing} missing"


def _where_next(environment: Mapping[str, str], folder: Path, *, kept: bool) -> Iterator[str]:
    sandbox = stage.sandbox_folder(folder)
    other = "" if folder == stage.STATE else f" --folder {shlex.quote(str(folder))}"
    box = "" if folder == stage.STATE else f" --folder {shlex.quote(str(sandbox))}"
    dev = f"planhat-pipelines dev{other}" if other else "make dev"
    if kept:
        yield f"Planhat is open at {environment['PLANHAT_API_URL']}: customers, curves, requests, faults on order."
        yield "In another terminal:"
    else:
        yield f"The servers have stopped; what they held stays in {folder}. Next:"
    yield ""
    steps = {
        dev: "Dagster over this sandbox: lineage, checks, the runs above",
        f"source {shlex.quote(_near(sandbox / 'env'))}": "for the commands below: where to sign in",
        "planhat-pipelines rejections": "every refused row; --parked: what waits for which record",
        "planhat-pipelines conflicts": "fields that both sides had changed; --show-values: with both values",
        "planhat-pipelines check": "try what the syncs promise of the three accounts",
        f"planhat-pipelines sandbox --next-day{box}": "let another day pass (while the sandbox runs)",
    }
    for command, what in steps.items():
        yield f"  {command:<{max(map(len, steps))}}  {what}"
    yield ""
    yield "Ctrl-C stops the servers; the state stays." if kept else f"To forget it all, delete {folder}."


def _near(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
