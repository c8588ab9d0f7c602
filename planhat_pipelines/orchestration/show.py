"""What people see of a sync in Dagster: mapping tables, column schemas and lineage, counts, masked samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from planhat_pipelines.engine import markdown
from planhat_pipelines.engine.lineage.lines import Line
from planhat_pipelines.engine.markdown import Code
from planhat_pipelines.orchestration.pictures import points_by_day, rows_by_verdict

if TYPE_CHECKING:
    from planhat_pipelines.engine.protocols import Source
    from planhat_pipelines.engine.report import Report
    from planhat_pipelines.ledger import NewConflict, RunRecord

_WAYS = {"to_planhat": "to Planhat", "to_snowflake": "to Snowflake", "both": "both ways"}
_CONFLICTS = 50  # in the metadata; the command shows all
_AT_SIGHT = 999  # characters: of a longer Markdown, Dagster's pages only show a link


def mapping_table(lines: Sequence[Line], table: str) -> dg.MarkdownMetadataValue:
    """Source column to Planhat field, readable before the first run; with its direction where one goes another way."""
    head = ["Planhat field", f"from {table}", "as"]
    rows = [[Code(line.field), ", ".join(line.columns), line.how] for line in lines]
    if any(line.way != "to_planhat" for line in lines):
        head = ["Planhat field", f"column of {table}", "as", "goes"]
        rows = [[*row, _WAYS[line.way]] for row, line in zip(rows, lines, strict=True)]
    return dg.MetadataValue.md(markdown.table(head, rows))


def column_schema(lines: Iterable[Line], table: str) -> dg.TableSchema:
    """The destination's fields as columns, each saying where it comes from."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                line.field,
                type=line.kind,
                description=_description(line, table),
                tags={"pii": "yes"} if line.is_pii else {},
            )
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
    }
    if report.unreadable:
        metadata["unreadable"] = table([{"what": each} for each in report.unreadable])
    if report.warnings:
        metadata["warnings"] = table([{"what": each} for each in report.warnings])
    if report.reasons:
        metadata["reasons"] = table(
            [
                {"rows": count, "field": field, "reason": reason}
                for (field, reason), count in report.reasons.most_common()
            ],
            "planhat-pipelines rejections",
        )
    if report.sample:
        metadata["refused_sample"] = table(
            [
                {
                    "row": each.row,
                    "field": each.field,
                    "reason": each.reason,
                    "key": each.key or "",
                    "stage": each.stage,
                }
                for each in report.sample
            ],
            "planhat-pipelines rejections",
        )
    return metadata | {
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
    sample = {"conflicts_sample": table(rows, "planhat-pipelines conflicts")} if rows else {}
    return {"conflicts": len(conflicts), **sample}


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


def drops_table(drops: Iterable[Mapping[str, Any]]) -> dg.MarkdownMetadataValue:
    """The latest drops of a sync: where each lies and what became of its rows."""
    from planhat_pipelines.files.names import shown

    return table(
        [
            {
                "file": shown(drop["key"]),
                "state": drop["state"],
                "rows": drop["counts"].get("rows_read", 0),
                "refused": drop["counts"].get("refused", 0),
                "parked": drop["counts"].get("parked", 0),
                "lies at": drop["archive"] or drop["key"],
                "moved": f"{drop['moved_at']:%Y-%m-%d %H:%M} UTC",
            }
            for drop in drops
        ],
        "planhat-pipelines drops",
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


def table(rows: Sequence[Mapping[str, Any]], command: str = "") -> dg.MarkdownMetadataValue:
    """Rows as people read them: Dagster's own tables cut every text after some 20 characters. `command`: shows all of
    them, so that here stand only the first ones, as many as a page draws at sight."""
    if not rows:
        return dg.MetadataValue.md("none")
    head, cells = list(rows[0]), [list(row.values()) for row in rows]
    shown = markdown.table(head, cells)
    while command and len(shown) > _AT_SIGHT and len(cells) > 1:
        cells.pop()
        more = f"... and {len(rows) - len(cells):,} more: `{command}`"
        shown = f"{markdown.table(head, cells)}\n\n{more}"
    return dg.MetadataValue.md(shown)
