"""Drops of a bucket as a source: one drop, one window."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path

import polars as pl

from planhat_pipelines.engine.dropbook import DropBook, entry_of
from planhat_pipelines.engine.dropwindow import DIGITS, DropWindow
from planhat_pipelines.engine.protocols import JsonObject
from planhat_pipelines.files import Bucket, Entry, Inbox, Layout, Superseded
from planhat_pipelines.files.formats import FileOptions, Limits, Reading, Unreadable, read
from planhat_pipelines.files.formats.model import LINE
from planhat_pipelines.files.names import shown
from planhat_pipelines.ledger import Claim, Ledger
from planhat_pipelines.mapping.columns import ROW, MappingError
from planhat_pipelines.mapping.records import COPIES, KEY

_TRIES = 5


@dataclass
class DropsSource:
    """The drops of one sync, oldest first. `key`: the column by which a later row of a drop replaces an earlier one;
    `columns`: those the mapping reads."""

    sync: str
    bucket: Bucket
    layout: Layout
    ledger: Ledger
    spool: Path
    columns: Sequence[str]
    key: str | None = None
    options: FileOptions = field(default_factory=FileOptions)
    limits: Limits = field(default_factory=Limits)
    log: Callable[[str], None] = lambda _: None
    unreadable: list[str] = field(default_factory=list[str])
    _claim: Claim | None = None

    @cached_property
    def inbox(self) -> Inbox:
        """The inbox, with the book that this run may write."""
        return Inbox(
            self.sync, self.bucket, self.layout, DropBook(self.sync, self.ledger, self._claim), self.spool
        )

    def claimed(self, claim: Claim) -> None:
        """From now on the run may take drops."""
        self._claim = claim
        self.__dict__.pop("inbox", None)

    def changed(self, cursor: JsonObject | None) -> bool:
        """Whether a drop waits, or one is under way."""
        return self.inbox.book.under_way() is not None or bool(self.inbox.waiting().drops)

    def next(self, cursor: JsonObject | None) -> DropWindow | None:
        """The oldest drop that can be read; those that cannot go to `failed/` with a report."""
        while entry := self.inbox.next():
            opened = self._open(entry)
            if opened is not None:
                return opened
        return None

    def again(self, bounds: JsonObject) -> DropWindow | None:
        """The drop of a window that was begun; None when it was overwritten meanwhile."""
        entry = self.inbox.next()
        if entry is None or entry.drop.id != bounds["drop"]:
            return None
        return self._open(entry)

    def rows(self, keys: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Rows by place (`drop:line`), read again from the archive; for `drop:...` of groups, the drop's rows."""
        given = False
        for start, some in groupby(sorted(keys), lambda key: key[:DIGITS]):
            lines = {key for key in some if key[DIGITS + 1 :].isdigit()}
            for piece in self._archived(start):
                given = True
                yield piece.filter(pl.col(ROW).is_in(list(lines))) if lines else piece
        if not given:
            names = [ROW, *([KEY] if self.key else []), *self.columns]
            nothing = pl.DataFrame(schema={name: pl.String for name in names})
            yield nothing.with_columns(pl.lit(1, pl.Int64).alias(COPIES))

    def _archived(self, start: str) -> Iterator[pl.DataFrame]:
        row = self.ledger.find_drop(self.sync, start)
        if row is None:
            return
        entry = entry_of(row)
        with tempfile.TemporaryDirectory(prefix="planhat-") as name:
            path = Path(name) / "drop"
            if entry.archive is not None:
                path.write_bytes(self.bucket.read(entry.archive))
            elif self.inbox.spool.holds(entry.drop.id, entry.sha256):
                shutil.copyfile(self.inbox.spool.path(entry.drop.id), path)
            else:
                return
            yield from self.pieces(read(path, Path(name) / "rows", self.options, self.limits), start)

    def _open(self, entry: Entry) -> DropWindow | None:
        name = shown(entry.drop.key)
        if entry.tries > _TRIES:
            self._reject(entry, f"its import was begun {entry.tries - 1} times and never came to its end")
            return None
        try:
            entry, path = self.inbox.fetch(entry)
        except Superseded as error:
            self.log(f"{self.sync}: {error}")
            return None
        shutil.rmtree(self.spool / "rows", ignore_errors=True)  # of the drop before, or of a killed run
        try:
            reading = read(path, self.spool / "rows", self.options, self.limits)
            self._fits(reading)
        except (Unreadable, MappingError) as error:
            self._reject(entry, str(error))
            return None
        for warning in reading.warnings:
            self.log(f"{self.sync}: {name}: {warning}")
        self.log(
            f"{self.sync}: {name}: {reading.format}, {reading.rows:,} rows, {len(reading.columns)} columns"
        )
        return DropWindow(self, entry, reading)

    def _reject(self, entry: Entry, reason: str) -> None:
        self.log(f"{self.sync}: {shown(entry.drop.key)} cannot be imported: {reason}")
        self.unreadable.append(f"{shown(entry.drop.key)}: {reason}")
        self.inbox.finish(self.inbox.reject(entry, {"reason": reason}))

    def _fits(self, reading: Reading) -> None:
        lacking = [name for name in dict.fromkeys(self.columns) if name not in reading.columns]
        if lacking:
            raise MappingError(
                f"the file has no column {', '.join(lacking)}. It has {', '.join(reading.columns)}. Correct the "
                f"file's header, or the mapping of {self.sync}."
            )

    def pieces(self, reading: Reading, start: str) -> Iterator[pl.DataFrame]:
        """The rows of a reading, with their places; of rows with one key only the last."""
        last = self._last_lines(reading)
        for path in reading.pieces:
            piece = pl.read_parquet(path).with_columns(
                pl.concat_str(pl.lit(f"{start}:"), LINE).alias(ROW), pl.lit(1, pl.Int64).alias(COPIES)
            )
            if self.key is not None and last is not None:
                key = pl.col(self.key).str.strip_chars().replace("", None)
                piece = piece.with_columns(key.alias(KEY)).join(
                    last, on=KEY, how="left", maintain_order="left"
                )
                piece = piece.filter(pl.col("last").is_null() | (pl.col(LINE) == pl.col("last"))).drop("last")
            yield piece.drop(LINE)

    def _last_lines(self, reading: Reading) -> pl.DataFrame | None:
        """For each key the line that counts: the last one."""
        if self.key is None or not reading.pieces:
            return None
        key = pl.col(self.key).str.strip_chars().replace("", None)
        lines = pl.scan_parquet(list(reading.pieces)).select(key.alias(KEY), LINE).drop_nulls(KEY)
        return lines.group_by(KEY).agg(pl.col(LINE).max().alias("last")).collect()
