"""`planhat-pipelines why MODEL KEY FIELD`: what writes a field of a record, from where, and what happened last."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from planhat_pipelines.commands.syncs import add_defs
from planhat_pipelines.spec.load import load
from planhat_pipelines.spec.positions import printable

if TYPE_CHECKING:
    from planhat_pipelines.engine.lineage.why import Story
    from planhat_pipelines.ledger import Batch

_LABEL = 11


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `why`."""
    parser.description = (
        "Say which syncs map a field of a Planhat record: from which row, column and expression, when a run last sent "
        "the record, or points of the metric, whether it is refused, parked or in conflict. Reads the specs and the "
        "ledger (PLANHAT_LEDGER_URL), connects to nothing else and shows no value."
    )
    parser.epilog = (
        "examples:\n  planhat-pipelines why company acme custom.ARR\n"
        "  planhat-pipelines why company acme active_seats --day 2026-11-22"
    )
    parser.add_argument("model", metavar="MODEL", help="company, enduser, license ...")
    parser.add_argument("key", metavar="KEY", help="the record's id, of the kind that the sync's key: names")
    parser.add_argument("field", metavar="FIELD", help="a field, custom.NAME, or a metric")
    parser.add_argument(
        "--day", metavar="YYYY-MM-DD", type=date.fromisoformat, help="of a metric, the day that is asked for"
    )
    add_defs(parser)


def run(args: argparse.Namespace) -> int:
    """Tell the story of each sync; 1 when no sync maps the field or the ledger cannot be read."""
    from planhat_pipelines.engine.environment import open_ledger
    from planhat_pipelines.engine.lineage.why import NoSuchField, why
    from planhat_pipelines.ledger import LedgerError

    specs = [declared.spec for declared in load(args.defs).syncs]
    try:
        with open_ledger(os.environ) as ledger:
            stories = why(specs, ledger, args.model, args.key, args.field, args.day)
    except (LedgerError, NoSuchField) as error:
        print(error, file=sys.stderr)
        return 1
    print(printable(f"{args.model} {stories[0].key}, {args.field}"))
    for story in stories:
        print()
        print(f"{story.trace.spec.name}  {_every(story)}")
        for label, text in _facts(story):
            print(f"  {label:<{_LABEL}} {printable(text, 1000)}")
    if len([story for story in stories if story.sent]) > 1:
        print(f"\n{stories[0].trace.spec.name} sent it last, so its value counts.")
    return 0


def _every(story: Story) -> str:
    spec = story.trace.spec
    return " · ".join([spec.every.at, *spec.owners])


def _facts(story: Story) -> Iterator[tuple[str, str]]:
    from planhat_pipelines.engine.again import is_again

    line, trace, spec = story.line, story.trace, story.trace.spec
    ways = {"to_planhat": "->", "to_snowflake": "<-", "both": "<->"}
    columns = ", ".join(line.columns)
    yield (
        "value",
        f"{trace.source} {columns} {ways[line.way]} {line.field} ({line.how})" if columns else line.how,
    )
    if story.key_field:
        yield "row", f"the one whose key ({story.key_field}) is {story.key}"
        if line.way != "to_snowflake":
            yield "sent", _batch(story.sent) or "never, as far as the ledger knows"
        if line.way != "to_planhat":
            yield "came back", _batch(story.written_back) or "never, as far as the ledger knows"
    else:
        target = next((each for each in trace.lines if each.field in ("target", "enduser")), line)
        yield (
            "rows",
            f"all whose {', '.join(target.columns)} is {story.key}; the ledger keeps no list of them",
        )
        for each in story.points:
            yield "sent", f"points of {_days(each)} for all targets, {_batch(each)}"
        if not story.points and target.field == "target" and line.field not in ("target", "date"):
            yield "sent", "no points of it, as far as the ledger knows"
    for each in story.rejections:
        about = f"{each.field}: " if each.field else ""
        yield (
            "refused",
            f"{about}{each.reason} (since {_at(each.first_seen)}, seen {each.times}x, run {each.run})",
        )
    if story.waiting:
        first = story.waiting[0]
        many = f"{len(story.waiting)} rows" if len(story.waiting) > 1 else "one row"
        yield (
            "parked",
            f"{many} since {_at(first.since)}: "
            + (
                "tried again by the next run, as asked"
                if is_again(first)
                else f"no {first.model} has the {first.id_kind} id {first.target}"
            ),
        )
    for each in story.conflicts:
        yield "conflict", f"{each.winner} stayed, {_at(each.at)}, run {each.run}: {each.why}"
    if last := story.last_run:
        yield "last run", f"{last.id}, {_at(last.started_at)}, {last.state}{_message(last.message)}"
    else:
        yield "last run", f"none of {spec.name} yet"
    if story.query:
        yield "look", story.query


def _batch(batch: Batch | None) -> str | None:
    if batch is None:
        return None
    others = batch.items - 1
    of = f"with {others:,} {'other' if others == 1 else 'others'}" if others else "alone"
    if batch.state == "intended":
        return f"{_at(batch.intended_at)} by run {batch.run}, {of}; no answer yet"
    ends = ", ".join(f"{count:,} {verdict}" for verdict, count in batch.counts.items() if count)
    return f"{_at(batch.settled_at or batch.intended_at)} by run {batch.run}, {of}: {ends or batch.state}"


def _days(batch: Batch) -> str:
    first, last = (date(1970, 1, 1) + timedelta(day or 0) for day in (batch.first_day, batch.last_day))
    return f"{first}" if first == last else f"{first} to {last}"


def _message(message: str) -> str:
    return f": {message}" if message else ""


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
