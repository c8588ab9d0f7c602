"""One drop as a window: its rows, those that could not be read, and its way to the archive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from planhat_pipelines.engine.drops.book import DIGITS, row_of
from planhat_pipelines.engine.drops.overtaking import Overtaken, Overtaking
from planhat_pipelines.engine.protocols import JsonObject
from planhat_pipelines.files import Entry
from planhat_pipelines.files.formats import Reading
from planhat_pipelines.files.formats.model import LINE
from planhat_pipelines.files.names import shown
from planhat_pipelines.mapping.addresses import private
from planhat_pipelines.mapping.columns import ROW

if TYPE_CHECKING:
    from planhat_pipelines.engine.drops.source import DropsSource

_REASON = "__reason"


def private_folder(folder: Path) -> None:
    """Make a folder of which only this user sees the content."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def key_of(column: str) -> pl.Expr:
    """The key in a column of a drop's rows, as the mapping reads it."""
    return pl.col(column).str.strip_chars().replace("", None)


@dataclass
class DropWindow:
    """One drop as a window."""

    source: DropsSource
    entry: Entry
    reading: Reading
    whole: bool = False
    _kept: int = 0

    @property
    def bounds(self) -> JsonObject:
        """Enough to read the very same drop again."""
        found = self.entry.drop.object
        return {"drop": self.entry.drop.id, "key": found.key, "etag": found.etag, "version": found.version}

    @property
    def _start(self) -> str:
        return self.entry.drop.id[:DIGITS]

    def pieces(self) -> Iterator[pl.DataFrame]:
        """The drop's rows, in the order of the file."""
        self._kept = 0
        for piece in self.source.pieces(self.reading, self._start):
            self._kept += piece.height
            yield piece

    def cursor(self) -> JsonObject:
        """The last drop that was imported; drops are known one by one, so it only tells people how far things are."""
        return {"key": self.entry.drop.key, "at": self.entry.drop.object.modified.isoformat()}

    def duplicates(self) -> int:
        """Rows that a later row of the drop replaces."""
        return self.reading.rows - self._kept

    def unread(self) -> Iterator[pl.DataFrame]:
        """Rows that could not be read, such as those of the wrong width."""
        for path in self.reading.refused_pieces:
            yield pl.read_parquet(path).select(
                pl.concat_str(pl.lit(f"{self._start}:"), LINE).alias(ROW),
                pl.lit(None, pl.String).alias("key"),
                pl.lit("").alias("field"),
                "reason",
            )

    def answered(self, counts: JsonObject) -> JsonObject:
        """Put the refused rows beside, and return the drop as imported."""
        inbox = self.source.inbox
        refused = self._refused()
        if refused.height:
            key = inbox.put_refused_rows(self.entry, [refused])
            self.source.log(f"{self.source.sync}: {refused.height:,} refused rows are in {shown(key)}")
        imported = self.entry.moved("imported")
        row = row_of(imported) | {"counts": counts}
        self.entry = imported
        return row

    def overtaken(self) -> Overtaken:
        """What the drop makes void of earlier ones."""
        among = self._keys_among if self.source.key is not None else None
        return Overtaking(self.entry.drop, self.source.ledger, among).overtaken()

    def _keys_among(self, keys: set[str]) -> set[str]:
        if not self.reading.pieces:
            return set()
        rows = pl.scan_parquet(list(self.reading.pieces))
        held = rows.select(key_of(self.source.key or "").unique()).collect().to_series()
        return keys & set(private(held, self.source.key_field))

    def closed(self) -> None:
        """Move the drop to `processed/` and forget the local copies."""
        self.source.forget()
        self.entry = self.source.inbox.finish(self.entry)

    def _refused(self) -> pl.DataFrame:
        reasons = pl.DataFrame(
            [
                (int(each.row[DIGITS + 1 :]), f"{each.field or ''} {each.reason}".strip())
                for each in self.source.ledger.rejections(self.source.sync)
                if each.row.startswith(f"{self._start}:") and each.row[DIGITS + 1 :].isdigit()
            ],
            schema={LINE: pl.Int64, _REASON: pl.String},
            orient="row",
        )
        if not reasons.height:
            return reasons
        parts: list[Any] = [pl.scan_parquet(path) for path in self.reading.pieces]
        parts += [self._cells(path) for path in self.reading.refused_pieces]
        rows = pl.concat(parts, how="diagonal").join(reasons.lazy(), on=LINE, how="inner").sort(LINE)
        # A file of refused rows that was corrected in part and dropped again has the two columns already.
        own = [name for name in self.reading.columns if name not in ("row", "reason")]
        return rows.select(*own, pl.col(LINE).alias("row"), pl.col(_REASON).alias("reason")).collect()

    def _cells(self, path: Path) -> pl.LazyFrame:
        """Rows of the wrong width, as far as they fit under the columns."""
        named = [
            pl.col("cells").list.get(at, null_on_oob=True).alias(name)
            for at, name in enumerate(self.reading.columns)
        ]
        return pl.scan_parquet(path).select(LINE, *named)
