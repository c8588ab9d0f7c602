"""What people see of a sync in Dagster: mapping tables, column schemas and lineage, counts, masked samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from planhat_pipelines.engine.lineage.lines import Line
from planhat_pipelines.orchestration.pictures import points_by_day, rows_by_verdict

if TYPE_CHECKING:
    from planhat_pipelines.engine.protocols import Source
    from planhat_pipelines.engine.report import Report
    from planhat_pipelines.ledger import NewConflict, RunRecord

_WAYS = {"to_planhat": "to Planhat", "to_snowflake": "to Snowflake", "both": "both ways"}
_CONFLICTS = 50  # in the metadata; the command shows all


def mapping_table(lines: Sequence[Line], table: str) -> dg.MarkdownMetadataValue:
    """Source column to Planhat field, readable before the first run; with its direction where one goes another way."""
    head = ["Planhat field", f"from {table}", "as"]
    cells = [[f"`{line.field}`", ", ".join(line.columns), line.how] for line in lines]
    if any(line.way != "to_planhat" for line in lines):
        head = ["Planhat field", f"column of {table}", "as", "goes"]
        cells = [[*row, _WAYS[line.way]] for row, line in zip(cells, lines, strict=True)]
    rows = [head, ["---"] * len(head), *cells]
    return dg.MetadataValue.md("\n".join(f"| {' | '.join(row)} |" for row in rows))


def column_schema(lines: Iterable[Line], table: str) -> dg.TableSchema:
    """The destination's fields as columns, each saying where it comes from."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(line.field, type=line.kind, description=_description(line, table))
            for line in lines
        ]
    )


def _description(line: Line, table: str) -> str:
    back = ", and back" if line.way == "both" and line.how != "key" else ""
    return f"{line.how}; from {_from(line, table)}{back}"


def column_lineage(lines: Iterable[Line], source: dg.AssetKey) -> dg.TableColumnLineage:
    """The same for tools that draw column lineage."""
    return dg.TableColumnLineage(
        {
            line.field: [dg.TableColumnDep(asset_key=source, column_name=name) for name in line.columns]
            for line in lines
        }
    )


def run_metadata(report: Report, runs: Sequence[RunRecord], prefix: str = "") -> dict[str, Any]:
    """Pictures, counts, cursor, pace, and the first refusals; no value of a customer. `runs`: of the sync, the latest
    first; `prefix`: of their counts."""
    from planhat_pipelines.engine.report import VERDICTS

    metadata: dict[str, Any] = {
        "summary": report.line(),
        **rows_by_verdict(runs, prefix),
        **points_by_day(report.days),
        "dagster/row_count": report.verdicts["submitted"]
        + report.verdicts["created"]
        + report.verdicts["updated"],
        "rows_read": report.rows_read,
        **{verdict: report.verdicts[verdict] for verdict in VERDICTS},
        "recovered": report.recovered,
        "requests": report.requests,
        "rows_per_second": round(report.rows_read / report.seconds) if report.seconds else 0,
        "cursor_from": cursor(report.cursor_from),
        "cursor_to": cursor(report.cursor_to),
    }
    if report.unreadable:
        metadata["unreadable"] = _table([{"what": each} for each in report.unreadable])
    if report.warnings:
        metadata["warnings"] = _table([{"what": each} for each in report.warnings])
    if report.reasons:
        metadata["reasons"] = _table(
            [
                {"rows": count, "field": field, "reason": reason}
                for (field, reason), count in report.reasons.most_common()
            ]
        )
    if report.sample:
        metadata["refused_sample"] = _table(
            [
                {
                    "row": each.row,
                    "key": each.key or "",
                    "stage": each.stage,
                    "field": each.field,
                    "reason": each.reason,
                }
                for each in report.sample
            ]
        )
    return metadata


def conflicts_metadata(conflicts: Sequence[NewConflict], values: bool) -> dict[str, Any]:
    """Fields that both sides had changed, with their values masked unless `values` says to show them."""
    from planhat_pipelines.engine.twoway.report import shown

    rows: list[dict[str, Any]] = []
    for each in conflicts[:_CONFLICTS]:
        key, ours, theirs = shown(each, values=values)
        rows.append(
            {
                "key": key,
                "field": each.field,
                "stays": each.winner,
                "snowflake": ours,
                "planhat": theirs,
                "why": each.why,
            }
        )
    table = {"conflicts_sample": _table(rows)} if rows else {}
    return {"conflicts": len(conflicts), **table}


def source_metadata(source: Source, report: Report) -> dict[str, Any]:
    """What a run saw of its source: how far it read, and of a table its shape, size and last change."""
    from planhat_pipelines.snowflake.records import RecordsTable
    from planhat_pipelines.snowflake.usage import UsageTable

    place = report.cursor_to or {}
    metadata: dict[str, Any] = {"rows_read": report.rows_read, "read_up_to": cursor(report.cursor_to)}
    if isinstance(source, UsageTable | RecordsTable):
        columns = [dg.TableColumn(each.name, type=each.type) for each in source.shape.values()]
        metadata["dagster/column_schema"] = dg.TableSchema(columns=columns)
        metadata["last_change"] = _commit(place.get("commit"))
        rows = source.table.row_count(source.session)
        metadata |= {} if rows is None else {"dagster/row_count": rows}
    return metadata


def drops_table(drops: Iterable[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """The latest drops of a sync: where each lies and what became of its rows."""
    from planhat_pipelines.files.names import shown

    return _table(
        [
            {
                "file": shown(drop["key"]),
                "state": drop["state"],
                "moved": f"{drop['moved_at']:%Y-%m-%d %H:%M} UTC",
                "rows": drop["counts"].get("rows_read", 0),
                "refused": drop["counts"].get("refused", 0),
                "parked": drop["counts"].get("parked", 0),
                "lies at": drop["archive"] or drop["key"],
            }
            for drop in drops
        ]
    )


def _from(line: Line, table: str) -> str:
    return ", ".join(f"{table}.{name}" for name in line.columns) or "the spec itself"


def _commit(nanoseconds: str | None) -> dg.MetadataValue[Any]:
    """When a table was last changed, as Snowflake tells it."""
    if not nanoseconds or not str(nanoseconds).isdigit():
        return dg.MetadataValue.text("Snowflake cannot tell")
    return dg.MetadataValue.timestamp(int(nanoseconds) / 1e9)


def cursor(place: dict[str, Any] | None) -> str:
    """How far a source has been read, in one word."""
    found = (place or {}).get("key") or (place or {}).get("at") or (place or {}).get("stamp")
    return str(found or "start")


def _table(rows: Sequence[dict[str, Any]]) -> dg.TableMetadataValue:
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rows])
