"""CHANGES and AT over the histories: each such table in a query becomes a sub-query.

Semantics as documented: CHANGES (DEFAULT) is the net difference between the two ends of the window, APPEND_ONLY the
rows added in it as they were when added; both ends include what was committed at that very instant, so windows that
share an end neither repeat nor lose rows. Points are constants.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlglot import Expr, exp

from planhat_pipelines.sandbox.snowflake.clock import Clock
from planhat_pipelines.sandbox.snowflake.errors import missing_object, problem
from planhat_pipelines.sandbox.snowflake.names import TableName, quoted
from planhat_pipelines.sandbox.snowflake.registry import Facts, Registry
from planhat_pipelines.sandbox.snowflake.tracking import Tracker

VARYING = (exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime, exp.Rand)
VARYING_NAMES = {"SYSDATE", "SYSTIMESTAMP", "GETDATE", "LOCALTIMESTAMP", "UUID_STRING", "RANDOM"}


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
        """The DuckDB query to read instead of the table."""
        self._tracker.stamp([name])
        facts = self._registry.get(name)
        if facts is None:
            raise missing_object(str(name))
        changes = table.args.get("changes")
        if changes:
            return self._changes(changes, name, facts)
        point = self._point(table.args["when"], constant=False)
        self._check_retention(point, name, facts)
        if not facts.history:
            return _present(point, name, facts)
        if facts.tracked_since and point < facts.tracked_since:
            raise _no_history(name)
        return f"SELECT {self._columns(name, 'rows')} FROM ({self._state(name, point)}) rows"

    def _changes(self, changes: exp.Changes, name: TableName, facts: Facts) -> str:
        start = self._point(changes.args["at_before"], constant=True)
        end = changes.args.get("end")
        until = self._point(end, constant=True) if end else self._clock.now()
        self._check_retention(start, name, facts)
        if not facts.history or not facts.tracked_since or start < facts.tracked_since:
            raise _not_tracked(name)
        kind = str(changes.args["information"].name).upper()
        if kind == "APPEND_ONLY":
            return self._added(name, start, until)
        if kind != "DEFAULT":
            raise problem(1003, "42000", f"SQL compilation error:\nsyntax error: unexpected '{kind}'.")
        gone = self._side("DELETE", name, start, until, there=start, not_there=until)
        come = self._side("INSERT", name, start, until, there=until, not_there=start)
        return f"{gone} UNION ALL {come}"

    def _side(
        self,
        action: str,
        name: TableName,
        start: datetime,
        end: datetime,
        *,
        there: datetime,
        not_there: datetime,
    ) -> str:
        moved = f"SELECT _ct_row FROM {self._tracker.history_of(name)} WHERE {_within(start, end)}"
        return (
            f"SELECT {self._columns(name, 'here')}, {_metadata(action, name, 'away._ct_row IS NOT NULL')} "
            f"FROM ({self._state(name, there, moved)}) here "
            f"LEFT JOIN ({self._state(name, not_there, moved)}) away USING (_ct_row) "
            f"WHERE away._ct_row IS NULL OR away._ct_digest <> here._ct_digest"
        )

    def _added(self, name: TableName, start: datetime, end: datetime) -> str:
        first = (
            f"SELECT * FROM {self._tracker.history_of(name)} "
            f"QUALIFY row_number() OVER (PARTITION BY _ct_row ORDER BY _ct_number) = 1"
        )
        return (
            f"SELECT {self._columns(name, 'here')}, {_metadata('INSERT', name, 'false')} "
            f"FROM ({first}) here WHERE {_within(start, end)}"
        )

    def _state(self, name: TableName, point: datetime, rows: str | None = None) -> str:
        """The table's rows at a point, of all row identities or of those that `rows` selects."""
        only = f" AND _ct_row IN ({rows})" if rows else ""
        newest = (
            f"SELECT * FROM {self._tracker.history_of(name)} WHERE _ct_at <= {_literal(point)}{only} "
            f"QUALIFY row_number() OVER (PARTITION BY _ct_row ORDER BY _ct_number DESC) = 1"
        )
        return f"SELECT * FROM ({newest}) WHERE _ct_op = 'I'"

    def _columns(self, name: TableName, prefix: str) -> str:
        return ", ".join(f"{prefix}.{quoted(column)}" for column in self._tracker.columns_of(name))

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

    def _check_retention(self, point: datetime, name: TableName, facts: Facts) -> None:
        oldest = self._clock.now() - timedelta(days=facts.retention_days)
        if point < max(facts.created, oldest):
            raise _no_history(name)


def _varies(value: Expr) -> bool:
    named = any(function.name.upper() in VARYING_NAMES for function in value.find_all(exp.Anonymous))
    return named or value.find(*VARYING) is not None


def _within(start: datetime, end: datetime) -> str:
    return f"_ct_at > {_literal(start)} AND _ct_at <= {_literal(end)}"


def _literal(moment: datetime) -> str:
    return f"'{moment.isoformat()}'::TIMESTAMPTZ"


def _metadata(action: str, name: TableName, is_update: str) -> str:
    row_id = f"sha1('{name.table.replace(chr(39), '')}' || here._ct_row::VARCHAR)"
    return f"""'{action}' AS "METADATA$ACTION", {is_update} AS "METADATA$ISUPDATE", {row_id} AS "METADATA$ROW_ID" """


def _present(point: datetime, name: TableName, facts: Facts) -> str:
    """A table without tracking has no history here; what has not changed since is read as it is now."""
    if point < max(facts.changed, facts.altered):
        raise _no_history(name)
    return f"SELECT * FROM {name.sql}"


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
