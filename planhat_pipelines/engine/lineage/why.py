"""Why a field of a record is what it is: what writes it, from which row and column, and what happened to that row last.
It is told from the specs and the ledger alone, so no value of a customer is in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from planhat_pipelines.engine.lineage.lines import Line
from planhat_pipelines.engine.lineage.traced import Traced, traced
from planhat_pipelines.ledger import Batch, Conflict, Cursor, Ledger, Parked, Rejection, RunRecord
from planhat_pipelines.mapping.addresses import hidden, masked
from planhat_pipelines.spec.files import FileRecords, FilesSpec
from planhat_pipelines.spec.kinds import AnySpec
from planhat_pipelines.spec.records import RecordsSpec


class NoSuchField(Exception):
    """No sync maps that field of that model; the text names those that are mapped."""


@dataclass(frozen=True, slots=True)
class Story:
    """One sync that has to do with the field. `key`: the record's key as people may see it. `batches`: the newest of
    each purpose that held the row. `points`: the newest that held points of the metric. `waiting`: parked rows, the
    record's own or those that wait for it."""

    trace: Traced
    line: Line
    key_field: str | None
    key: str
    batches: dict[str, Batch]
    rejections: Sequence[Rejection]
    waiting: Sequence[Parked]
    conflicts: Sequence[Conflict]
    cursor: Cursor
    last_run: RunRecord | None
    query: str | None
    points: Sequence[Batch] = ()

    @property
    def sent(self) -> Batch | None:
        """The batch that last told Planhat of the record."""
        sent = [each for purpose, each in self.batches.items() if purpose in ("records", "push")]
        return max(sent, key=lambda each: each.intended_at, default=None)

    @property
    def written_back(self) -> Batch | None:
        """The batch that last told Snowflake of it."""
        return self.batches.get("write_back")


def why(
    specs: Iterable[AnySpec], ledger: Ledger, model: str, key: str, field: str, day: date | None = None
) -> list[Story]:
    """The syncs that map `field` of `model`, the one that sent the record last first. `key` is the id that their
    `key:` or `target:` names; `day`: of a metric, the day that is asked for. Raises NoSuchField."""
    all_of_model = [each for each in map(traced, specs) if _model(each.spec) == model]
    stories = [
        _story(each, line, ledger, model, key, day)
        for each in all_of_model
        for line in each.lines
        if line.field == field
    ]
    if not stories:
        known = dict.fromkeys(line.field for each in all_of_model for line in each.lines)
        raise NoSuchField(
            f"No sync maps {field} of {model}. Mapped are: {', '.join(known)}."
            if known
            else f"No sync has to do with {model}."
        )
    return sorted(
        stories, key=lambda each: each.sent.intended_at.timestamp() if each.sent else 0, reverse=True
    )


def _model(spec: AnySpec) -> str:
    if records := _records(spec):
        return records.model
    metrics = None if isinstance(spec, RecordsSpec) else spec.metrics
    return metrics.target.model if metrics else "enduser"


def _records(spec: AnySpec) -> RecordsSpec | FileRecords | None:
    return spec if isinstance(spec, RecordsSpec) else spec.records if isinstance(spec, FilesSpec) else None


def _story(each: Traced, line: Line, ledger: Ledger, model: str, key: str, day: date | None) -> Story:
    name, records = each.spec.name, _records(each.spec)
    by_address = bool(records and records.key.field == "email")
    kept = hidden(key) if by_address else key
    runs = ledger.runs(name, limit=1)
    return Story(
        each,
        line,
        records.key.field if records else None,
        masked(key) if by_address else key,
        ledger.last_batches(name, kept) if records else {},
        [found for found in ledger.rejections(name) if kept in (found.row, found.key)],
        [
            found
            for found in ledger.parked(name)
            if (found.row == kept if records else (found.model, found.target) == (model, kept))
        ],
        [found for found in ledger.conflicts(name) if (found.row, found.field) == (kept, line.field)],
        ledger.cursor(name),
        runs[0] if runs else None,
        None if by_address else _query(each, line, key, day),
        [] if records else ledger.batches_of_points(name, line.field, day and (day - date(1970, 1, 1)).days),
    )


def _query(each: Traced, line: Line, key: str, day: date | None) -> str | None:
    """SQL that shows the columns of the row, or of a metric's rows with their keys, to whoever may see them."""
    spec, when, order = each.spec, "", ""
    if isinstance(spec, FilesSpec) or not line.columns:
        return None
    if isinstance(spec, RecordsSpec):
        columns, key_column = list(line.columns), spec.key.column
    elif spec.metrics and not (spec.metrics.target.path or spec.metrics.date.path):
        key_column, on = spec.metrics.target.column, spec.metrics.date.column
        columns = [spec.incrementing_key, on, *line.columns]
        when = f" AND TO_DATE({_identifier(on)}) = '{day}'" if day else ""
        order = f" ORDER BY {_identifier(spec.incrementing_key)}"
    else:
        return None
    named = ", ".join(map(_identifier, dict.fromkeys(columns)))
    literal = key.replace("\\", "\\\\").replace("'", "''")
    where = f"TRIM(TO_VARCHAR({_identifier(key_column)})) = '{literal}'{when}"
    return f"SELECT {named} FROM {spec.table} WHERE {where}{order};"  # noqa: S608  (shown, not run)


def _identifier(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$]*", name) else '"' + name.replace('"', '""') + '"'
