"""CHANGES and AT over the histories: each such table in a query becomes a sub-query.

Semantics as documented: CHANGES (DEFAULT) is the net difference between the two ends of the window, APPEND_ONLY the
rows added in it as they were when added; both ends include what was committed at that very instant, so windows that
share an end neither repeat nor lose rows. Points are constants.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlglot import Expr, exp

from planhat_pipelines.sandbox.snowflake.clock import Clock
from planhat_pipelines.sandbox.snowflake.errors import missing_object, problem
from planhat_pipelines.sandbox.snowflake.names import TableName, quoted
from planhat_pipelines.sandbox.snowflake.registry import Facts, Registry
from planhat_pipelines.sandbox.snowflake.tracking import Tracker
from planhat_pipelines.sandbox.snowflake.views import View

VARYING = (exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime, exp.Rand)
VARYING_NAMES = {"SYSDATE", "SYSTIMESTAMP", "GETDATE", "LOCALTIMESTAMP", "UUID_STRING", "RANDOM"}


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, or a view over one, as CHANGES and AT see it; `base` and `facts` are the table's."""

    name: TableName
    base: TableName
    facts: Facts
    tracked_since: datetime | None
    base_columns: list[str]
    view: View | None

    def seen(self, rows: str) -> str:
        """A query on the base table's history as this relation shows it, with row identities and digests."""
        return self.view.over(rows, self.base_columns) if self.view else rows

    def listed(self, prefix: str) -> str:
        """The relation's columns, each with a prefix."""
        columns = self.view.columns if self.view else self.base_columns
        return ", ".join(f"{prefix}.{quoted(column)}" for column in columns)


class TimeTravel:
    """Turns a table with AT or CHANGES into SQL on its history.

    Args:
        evaluate: the value of a constant expression.
        completed: when a statement with this query id completed, or None.
    """

    def __init__(
        self,
        registry: Registry,
        tracker: Tracker,
        clock: Clock,
        evaluate: Callable[[Expr], Any],
        completed: Callable[[str], datetime | None],
    ) -> None:
        self._registry = registry
        self._tracker = tracker
        self._clock = clock
        self._evaluate = evaluate
        self._completed = completed

    def sql(self, table: exp.Table, name: TableName) -> str:
        """The DuckDB query to read instead of the table or view."""
        relation = self._relation(name)
        self._tracker.stamp([relation.base])
        changes = table.args.get("changes")
        return self._changes(changes, relation) if changes else self._at(table.args["when"], relation)

    def _relation(self, name: TableName) -> Relation:
        facts = self._registry.get(name)
        view = self._tracker.view(name)
        base = self._registry.get(view.base) if view else facts
        if base is None:
            raise missing_object(str(name))
        since = base.tracked_since
        if view:
            own = facts and facts.tracked_since
            since = max(own, since) if own and since else None
        columns = self._tracker.columns_of(view.base if view else name)
        return Relation(name, view.base if view else name, base, since, columns, view)

    def _at(self, when: Expr, relation: Relation) -> str:
        point = self._point(when, constant=False)
        self._check_retention(point, relation)
        facts = relation.facts
        if not facts.history:
            if point < max(facts.changed, facts.altered):
                raise _no_history(relation.name)
            # without tracking nothing older is kept, but what has not changed since is as it is now
            return f"SELECT * FROM {relation.name.sql}"
        if facts.tracked_since and point < facts.tracked_since:
            raise _no_history(relation.name)
        return f"SELECT {relation.listed('here')} FROM ({self._state(relation, point)}) here"

    def _changes(self, changes: exp.Changes, relation: Relation) -> str:
        start = self._point(changes.args["at_before"], constant=True)
        end = changes.args.get("end")
        until = self._point(end, constant=True) if end else self._clock.now()
        self._check_retention(start, relation)
        if relation.tracked_since is None or start < relation.tracked_since:
            raise _not_tracked(relation.name)
        kind = str(changes.args["information"].name).upper()
        if kind == "APPEND_ONLY":
            return self._added(relation, start, until)
        if kind != "DEFAULT":
            raise problem(1003, "42000", f"SQL compilation error:\nsyntax error: unexpected '{kind}'.")
        history = self._tracker.history_of(relation.base)
        moved = f"SELECT _ct_row FROM {history} WHERE {_within(start, until)}"
        before, after = self._state(relation, start, moved), self._state(relation, until, moved)
        gone = _side("DELETE", relation, before, after)
        come = _side("INSERT", relation, after, before)
        return f"{gone} UNION ALL {come}"

    def _added(self, relation: Relation, start: datetime, end: datetime) -> str:
        first = (
            f"SELECT * FROM {self._tracker.history_of(relation.base)} "
            f"QUALIFY row_number() OVER (PARTITION BY _ct_row ORDER BY _ct_number) = 1"
        )
        added = relation.seen(f"SELECT * FROM ({first}) WHERE {_within(start, end)}")
        return f"SELECT {relation.listed('here')}, {_metadata('INSERT', relation.name, 'false')} FROM ({added}) here"

    def _state(self, relation: Relation, point: datetime, rows: str | None = None) -> str:
        """The rows at a point, of all row identities or of those that `rows` selects."""
        only = f" AND _ct_row IN ({rows})" if rows else ""
        newest = (
            f"SELECT * FROM {self._tracker.history_of(relation.base)} WHERE _ct_at <= {_literal(point)}{only} "
            f"QUALIFY row_number() OVER (PARTITION BY _ct_row ORDER BY _ct_number DESC) = 1"
        )
        return relation.seen(f"SELECT * FROM ({newest}) WHERE _ct_op = 'I'")

    def _point(self, node: Expr, *, constant: bool) -> datetime:
        kind, value = str(node.args["kind"]).upper(), node.args["expression"]
        if kind == "STATEMENT":
            completed = self._completed(value.name)
            if completed is None:
                raise problem(709, "02000", f"Statement {value.name} not found")
            before = str(node.this).upper() == "BEFORE"
            return completed - timedelta(microseconds=1) if before else completed
        if kind not in ("TIMESTAMP", "OFFSET"):
            raise problem(2, "0A000", f"Unsupported feature '{kind} in AT'.")
        if value.find(exp.Column, exp.Query) or (constant and _varies(value)):
            text = f"argument {kind} to function {str(node.this).upper()} needs to be constant, found a varying value"
            raise problem(1015, "22023", f"SQL compilation error:\n{text}")
        found = self._evaluate(value)
        if kind == "OFFSET":
            return self._clock.now() + timedelta(seconds=float(found))
        moment = found if isinstance(found, datetime) else datetime.fromisoformat(str(found))
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def _check_retention(self, point: datetime, relation: Relation) -> None:
        oldest = self._clock.now() - timedelta(days=relation.facts.retention_days)
        if point < max(relation.facts.created, oldest):
            raise _no_history(relation.name)


def _varies(value: Expr) -> bool:
    named = any(function.name.upper() in VARYING_NAMES for function in value.find_all(exp.Anonymous))
    return named or value.find(*VARYING) is not None


def _side(action: str, relation: Relation, here: str, away: str) -> str:
    """The rows that are here and not, or not alike, on the other side."""
    return (
        f"SELECT {relation.listed('here')}, {_metadata(action, relation.name, 'away._ct_row IS NOT NULL')} "
        f"FROM ({here}) here LEFT JOIN ({away}) away USING (_ct_row) "
        f"WHERE away._ct_row IS NULL OR away._ct_digest <> here._ct_digest"
    )


def _within(start: datetime, end: datetime) -> str:
    return f"_ct_at > {_literal(start)} AND _ct_at <= {_literal(end)}"


def _literal(moment: datetime) -> str:
    return f"'{moment.isoformat()}'::TIMESTAMPTZ"


def _metadata(action: str, name: TableName, is_update: str) -> str:
    row_id = f"sha1('{name.table.replace(chr(39), '')}' || here._ct_row::VARCHAR)"
    return f"""'{action}' AS "METADATA$ACTION", {is_update} AS "METADATA$ISUPDATE", {row_id} AS "METADATA$ROW_ID" """


def _no_history(name: TableName) -> Exception:
    return problem(
        707,
        "02000",
        f"Time travel data is not available for table {name.table}. The requested time is either beyond the "
        "allowed time travel period or before the object creation time.",
    )


def _not_tracked(name: TableName) -> Exception:
    return problem(
        91930,
        "2F003",
        "SQL compilation error:\nChange tracking is not enabled or has been missing for the time range requested "
        f"on table '{name.table}'.",
    )
