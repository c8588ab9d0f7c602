"""Drops of a bucket as a source: one drop, one window."""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from itertools import groupby
from pathlib import Path

import polars as pl

from planhat_pipelines.engine.drops.book import DIGITS, DropBook, entry_of
from planhat_pipelines.engine.drops.window import DropWindow, key_of, private_folder
from planhat_pipelines.engine.protocols import JsonObject
from planhat_pipelines.files import Bucket, Drop, Entry, Inbox, Layout, NotThere, Superseded
from planhat_pipelines.files import errors as s3
from planhat_pipelines.files.formats import FileOptions, Limits, Reading, Unreadable, read
from planhat_pipelines.files.formats.model import LINE
from planhat_pipelines.files.names import shown
from planhat_pipelines.files.spool import Spool
from planhat_pipelines.ledger import Claim, Ledger, LedgerUnavailable
from planhat_pipelines.mapping.columns import ROW, MappingError
from planhat_pipelines.mapping.records import COPIES, KEY
from planhat_pipelines.planhat import errors as planhat

_TRIES = 5
_LAST = "__last"
_OUTSIDE = {
    each.__name__
    for each in (
        *(
            planhat.SignInError,
            planhat.PermissionDenied,
            planhat.Unreachable,
            planhat.Throttled,
            planhat.TimedOut,
        ),
        *(planhat.ConnectionLost, planhat.ServerError, planhat.UnreadableAnswer),
        *(s3.SignInError, s3.AccessDenied, s3.WrongRegion, s3.NoSuchBucket, s3.Temporary, s3.Damaged),
        LedgerUnavailable,
    )
}
"""Errors with which a run may end again and again through no fault of the drop."""


@dataclass
class DropsSource:
    """The drops of one sync, oldest first. `key`: the column by which a later row of a drop replaces an earlier one,
    and `key_field` what Planhat calls it; `columns`: those the mapping reads."""

    sync: str
    bucket: Bucket
    layout: Layout
    ledger: Ledger
    spool: Path
    columns: Sequence[str]
    key: str | None = None
    key_field: str = ""
    options: FileOptions = field(default_factory=FileOptions)
    limits: Limits = field(default_factory=Limits)
    log: Callable[[str], None] = lambda _: None
    unreadable: list[str] = field(default_factory=list[str])
    _claim: Claim | None = None
    _listed: deque[Drop] = field(
        default_factory=deque[Drop]
    )  # those that wait, as far as the last listing knew

    @cached_property
    def inbox(self) -> Inbox:
        """The inbox, with the book that this run may write."""
        return Inbox(
            self.sync, self.bucket, self.layout, DropBook(self.sync, self.ledger, self._claim), self.spool
        )

    def claimed(self, claim: Claim) -> None:
        """From now on the run may take drops. Rows that a killed run left on disk are removed."""
        self._claim = claim
        self.__dict__.pop("inbox", None)
        for folder in (self.scratch, self._parsed):
            shutil.rmtree(folder, ignore_errors=True)

    def changed(self, cursor: JsonObject | None) -> bool:
        """Whether a drop waits, or one is under way."""
        return self.inbox.book.under_way() is not None or bool(self.inbox.waiting().drops)

    def next(self, cursor: JsonObject | None) -> DropWindow | None:
        """The oldest drop that can be read; those that cannot go to `failed/` with a report."""
        while entry := self._take():
            opened = self._open(entry)
            if opened is not None:
                return opened
        return None

    def _take(self) -> Entry | None:
        """The drop under way, else the oldest that waits. An inbox of thousands is not listed anew for each."""
        if self.inbox.book.under_way():
            return self.inbox.next()
        if not self._listed:
            self._listed.extend(self.inbox.waiting().drops)
        while self._listed:
            if entry := self.inbox.claim(self._listed.popleft()):
                return entry
        return None

    def again(self, bounds: JsonObject) -> DropWindow | None:
        """The drop of a window that was begun; None when it was overwritten meanwhile."""
        entry = self.inbox.next()
        if entry is None or entry.drop.id != bounds["drop"]:
            return None
        opened = self._open(entry)
        if opened and self._claim:  # they are read with all others, and some may not have to wait any more
            start = entry.drop.id[:DIGITS]
            waiting = [each.row for each in self.ledger.parked(self.sync) if each.row.startswith(f"{start}:")]
            self._claim.unpark(waiting)
        return opened

    def rows(self, keys: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Rows by place (`drop:line`), read again from the archive; for `drop:...` of groups, the drop's rows. Those
        of older drops come first."""
        given = False
        by_drop = {start: list(some) for start, some in groupby(sorted(keys), lambda key: key[:DIGITS])}
        found = [row for start in by_drop if (row := self.ledger.find_drop(self.sync, start))]
        for entry in sorted(map(entry_of, found), key=lambda entry: entry.drop.order):
            some = by_drop[entry.drop.id[:DIGITS]]
            lines = [key for key in some if key[DIGITS + 1 :].isdigit()]
            for piece in self._archived(entry):
                given = True
                yield piece.filter(pl.col(ROW).is_in(lines)) if lines else piece
        if not given:
            names = [ROW, *([KEY] if self.key else []), *self.columns]
            nothing = pl.DataFrame(schema=dict.fromkeys(names, pl.String))
            yield nothing.with_columns(pl.lit(1, pl.Int64).alias(COPIES))

    def _archived(self, entry: Entry) -> Iterator[pl.DataFrame]:
        """A drop's rows once more; none when it cannot be read any more."""
        private_folder(self.scratch)
        with tempfile.TemporaryDirectory(dir=self.scratch) as name:
            try:
                path = self._bytes_of(entry, Path(name))
                reading = read(path, Path(name) / "rows", self.options, self.limits) if path else None
                if reading:
                    self._fits(reading)
            except (NotThere, Unreadable, MappingError) as error:
                self.log(f"{self.sync}: {shown(entry.drop.key)} cannot be read again: {error}")
                return
            if reading:
                yield from self.pieces(reading, entry.drop.id[:DIGITS])

    def _bytes_of(self, entry: Entry, folder: Path) -> Path | None:
        if entry.archive is None:
            here = self.inbox.spool.holds(entry.drop.id, entry.sha256)
            return self.inbox.spool.path(entry.drop.id) if here else None
        path = folder / entry.drop.id
        self.bucket.fetch(self.bucket.look(entry.archive), Spool(folder), path)
        return path

    def _open(self, entry: Entry) -> DropWindow | None:
        name = shown(entry.drop.key)
        if entry.tries > _TRIES and self._failed(entry) >= _TRIES:
            self._reject(entry, f"its import was begun {entry.tries - 1} times and never came to its end")
            return None
        try:
            entry, path = self.inbox.fetch(entry)
        except Superseded as error:
            self.log(f"{self.sync}: {error}")
            return None
        try:
            reading = read(path, self._parsed, self.options, self.limits)
            self._fits(reading)
        except (Unreadable, MappingError) as error:
            self._reject(entry, str(error))
            return None
        for warning in reading.warnings:
            self.log(f"{self.sync}: {name}: {warning}")
        self.log(
            f"{self.sync}: {name}: {reading.format}, {reading.rows:,} rows, {len(reading.columns)} columns"
            + (f"; {len(self._listed):,} more files wait" if self._listed else "")
        )
        return DropWindow(self, entry, reading)

    def _failed(self, entry: Entry) -> int:
        """How many of the runs that had the drop may have failed because of it: all but those to which Planhat, S3 or
        the ledger were closed."""
        runs = self.ledger.runs(self.sync, limit=entry.tries)[1:]  # the first is this one
        return sum(run.state == "failed" and run.message.partition(":")[0] not in _OUTSIDE for run in runs)

    def _reject(self, entry: Entry, reason: str) -> None:
        self.log(f"{self.sync}: {shown(entry.drop.key)} cannot be imported: {reason}")
        self.unreadable.append(f"{shown(entry.drop.key)}: {reason}")
        self.inbox.finish(self.inbox.reject(entry, {"reason": reason}))
        self.forget()

    @property
    def scratch(self) -> Path:
        """A folder of the sync's own for what is needed for a moment; emptied when a run begins."""
        return self.spool / "scratch"

    @property
    def _parsed(self) -> Path:
        return self.spool / "rows"

    def forget(self) -> None:
        """Remove the rows of the drop that was open."""
        shutil.rmtree(self._parsed, ignore_errors=True)

    def _fits(self, reading: Reading) -> None:
        lacking = [name for name in dict.fromkeys(self.columns) if name not in reading.columns]
        if not lacking:
            return
        # Only names like the wanted ones are shown: of a file without a header the names are the first row's values.
        like = {name for wanted in lacking for name in get_close_matches(wanted, reading.columns, cutoff=0.8)}
        like |= {name for name in reading.columns if name.lower() in {wanted.lower() for wanted in lacking}}
        raise MappingError(
            f"the file has no column {', '.join(lacking)} among its {len(reading.columns)}"
            + (f", but {', '.join(sorted(like))}" if like else "")
            + f". Correct the file's header, or the mapping of {self.sync}."
        )

    def pieces(self, reading: Reading, start: str) -> Iterator[pl.DataFrame]:
        """The rows of a reading, with their places; of rows with one key only the last."""
        last = self._last_lines(reading)
        mapped = set[str]([*self.columns, *([self.key] if self.key else [])])
        for path in reading.pieces:
            piece = pl.read_parquet(path, columns=[LINE, *mapped]).with_columns(
                pl.concat_str(pl.lit(f"{start}:"), LINE).alias(ROW), pl.lit(1, pl.Int64).alias(COPIES)
            )
            if self.key is not None and last is not None:
                piece = piece.with_columns(key_of(self.key).alias(KEY)).join(
                    last, on=KEY, how="left", maintain_order="left"
                )
                piece = piece.filter(pl.col(_LAST).is_null() | (pl.col(LINE) == pl.col(_LAST))).drop(_LAST)
            yield piece.drop(LINE)

    def _last_lines(self, reading: Reading) -> pl.DataFrame | None:
        """For each key the line that counts: the last one."""
        if self.key is None or not reading.pieces:
            return None
        key = key_of(self.key).alias(KEY)
        lines = pl.scan_parquet(list(reading.pieces)).select(key, LINE).drop_nulls(KEY)
        return lines.group_by(KEY).agg(pl.col(LINE).max().alias(_LAST)).collect()
