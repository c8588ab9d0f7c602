"""What a demo tells at its end: each round of each sync, what Planhat holds, what did not go, and where to look."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from planhat_pipelines.commands import stage
from planhat_pipelines.commands.table import columns
from planhat_pipelines.planhat.catalogue import model

_VERDICTS = ("created", "updated", "unchanged", "submitted", "refused", "parked", "held", "duplicate")
_SHOWN = ("company", "enduser", "license", "asset", "project", "task", "opportunity")


@dataclass(frozen=True, slots=True)
class Ran:
    """One sync in one round, as the ledger counted it."""

    round: int
    sync: str
    counts: Mapping[str, int]
    seconds: float
    failure: str | None


def line(ran: Ran) -> str:
    """One run in words."""
    if ran.failure:
        return f"failed: {ran.failure}"
    ends = ", ".join(f"{ran.counts[name]:,} {name}" for name in _VERDICTS if ran.counts.get(name))
    return f"{ran.counts.get('rows_read', 0):>7,} rows: {ends or 'nothing new'} ({ran.seconds:.1f} s)"


def all_told(
    environment: Mapping[str, str], ran: Sequence[Ran], folder: Path, *, kept: bool
) -> Iterator[str]:
    """The whole summary."""
    yield from _table(ran)
    yield ""
    yield from _held(environment)
    yield ""
    yield from _did_not_go(environment)
    yield ""
    yield from _where_next(environment, folder, kept=kept)


def _table(ran: Sequence[Ran]) -> Iterator[str]:
    used = [name for name in _VERDICTS if any(each.counts.get(name) for each in ran)]
    order = list(dict.fromkeys(each.sync for each in ran))
    rows = [
        (
            each.sync,
            each.round,
            each.counts.get("rows_read", 0),
            *(each.counts.get(name, 0) for name in used),
            round(each.seconds, 1),
        )
        for each in sorted(ran, key=lambda each: (order.index(each.sync), each.round))
    ]
    yield from columns(["sync", "round", "rows read", *used, "seconds"], rows)


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
        yield f"  {count:>6,}  {sync}: {targets:,} {model(name).path} are missing"


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
