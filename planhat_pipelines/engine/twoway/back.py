"""The way back: values that Planhat wins into the table, through the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from planhat_pipelines.engine.deliver import rejections
from planhat_pipelines.engine.protocols import Refusal, Verdict
from planhat_pipelines.engine.report import Report
from planhat_pipelines.engine.twoway.decide import FETCH
from planhat_pipelines.engine.twoway.fields import Side
from planhat_pipelines.ledger import Claim
from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines.snowflake.records import WAS
from planhat_pipelines.snowflake.writeback import Target

WRITE_BACK = "write_back"
MOVED = "changed in Snowflake while it was written back; decided anew in the next run"
_PIECE = 100_000


@dataclass
class WriteBack:
    """Rows to write have `key` and, for each field, its canonical text `v0` ..., whether it is written `d0` ... (FETCH)
    and the new base `n0` ...; WAS is what the row was like when it was read, null for a new one; `company` is written
    to new rows where `company_column` is named. `guarded`: a row is written only where it still is like that."""

    claim: Claim
    target: Target
    fields: Sequence[Side]
    report: Report
    log: Callable[[str], None]
    company_column: str | None = None
    guarded: bool = True
    refused: set[str] = field(default_factory=set[str])  # keys of rows of which something was not written

    def write(self, pieces: Iterable[pl.DataFrame]) -> None:
        """Write the rows, as many in a statement as may be; refuse what the table cannot hold; count every row once."""
        for rows in _gathered(pieces):
            for piece in rows.iter_slices(_PIECE):
                self._piece(piece)
                self.log(self.report.line())

    def _piece(self, rows: pl.DataFrame) -> None:
        frame = self._texts(rows)
        unfit = self.target.unfit(frame)
        labels = {str(each.column): each.label for each in self.fields}
        refused = [
            Refusal(str(key), "write", labels.get(column, str(column)), f"{reason} (column {column})", key)
            for key, column, reason in unfit.iter_rows()
        ]
        self._refuse(refused)
        frame, bases = self._without(unfit, frame, rows)
        written = frame.filter(pl.any_horizontal(self._flags(frame)))
        self.report.count({"refused": rows.height - written.height})
        if not written.height:
            return
        bases = bases.filter(pl.col("key").is_in(written[ROW].implode()))
        batch = self.claim.intend(
            window=None,
            body_hash=hashlib.sha256("\n".join(written[ROW]).encode()).hexdigest()[:32],
            purpose=WRITE_BACK,
            items=written.height,
            rows=written[ROW],
            points=None,
            dimensions=(),
            first_day=None,
            last_day=None,
            bases=bases,
        )
        done = self.target.write(written)
        same = written.height - done.inserted - done.updated - len(done.moved)
        counts: dict[Verdict, int] = {"created": done.inserted, "updated": done.updated, "unchanged": same}
        counts["refused"] = len(done.moved)
        self.claim.settle(
            batch.id,
            {str(verdict): count for verdict, count in counts.items()},
            bases=bases.filter(~pl.col("key").is_in(done.moved)) if done.moved else None,
        )
        self.report.requests += 1
        self.report.items_sent += written.height
        self.report.count(counts)
        # Settling closes what was refused before, and so what is refused now.
        self._refuse([Refusal(key, "write", "", MOVED, key) for key in done.moved])
        self.claim.reject(rejections(refused))

    def _refuse(self, refused: Sequence[Refusal]) -> None:
        self.claim.reject(rejections(refused))
        self.report.refuse(refused)
        self.refused.update(each.row for each in refused)

    def _texts(self, rows: pl.DataFrame) -> pl.DataFrame:
        columns: list[pl.Expr] = []
        for at, each in enumerate(self.fields):
            if each.column is not None:
                columns.append(each.form.written(pl.col(f"v{at}")).alias(each.column))
                columns.append((pl.col(f"d{at}") == FETCH).alias(f"{each.column}?"))
        if self.company_column:
            columns.append(pl.col("company").alias(self.company_column))
            columns.append(pl.col("company").is_not_null().alias(f"{self.company_column}?"))
        guard = [pl.col(WAS)] if self.guarded else []
        return rows.select(pl.col("key").alias(ROW), *guard, *columns)

    def _without(
        self, unfit: pl.DataFrame, frame: pl.DataFrame, rows: pl.DataFrame
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The frame without cells that do not fit, and the bases of those that do."""
        bases: list[pl.Expr] = []
        for at, each in enumerate(self.fields):
            goes = pl.col(f"d{at}") == FETCH
            if each.column is not None and unfit.height:
                wrong = unfit.filter(pl.col("column").is_in([each.column, self.target.key]))["key"]
                frame = frame.with_columns(pl.col(f"{each.column}?") & ~pl.col(ROW).is_in(wrong.implode()))
                goes &= ~pl.col("key").is_in(wrong.implode())
            elif each.column is None:  # of a new row
                goes = pl.col(f"n{at}").is_not_null()
            bases.append(pl.when(goes).then(f"n{at}").alias(each.label))
        return frame, rows.select("key", *bases)

    def _flags(self, frame: pl.DataFrame) -> list[pl.Expr]:
        return [
            pl.col(name) for name in frame.columns if name.endswith("?") and frame.schema[name] == pl.Boolean
        ]


def _gathered(pieces: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    waiting: list[pl.DataFrame] = []
    for rows in pieces:
        waiting.append(rows)
        if sum(each.height for each in waiting) >= _PIECE:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)
