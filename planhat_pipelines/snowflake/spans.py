"""Sets of whole numbers kept as spans, since keys that were read lie mostly side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

_SCHEMA = {"first": pl.Int64, "last": pl.Int64}


@dataclass(frozen=True)
class Spans:
    """Sorted, disjoint spans `first..last`, both ends in."""

    frame: pl.DataFrame

    @classmethod
    def of(cls, spans: Sequence[Sequence[int]] = ()) -> Spans:
        """From pairs, as `to_json` gives them."""
        return cls(pl.DataFrame(list(spans), schema=_SCHEMA, orient="row"))

    @classmethod
    def covering(cls, keys: pl.Series) -> Spans:
        """The spans of these keys, in any order."""
        ordered = keys.cast(pl.Int64).unique().sort().to_frame("key")
        run = (pl.col("key").diff() != 1).fill_null(True).cum_sum()
        spans = ordered.group_by(run.alias("run"), maintain_order=True).agg(
            pl.col("key").first().alias("first"), pl.col("key").last().alias("last")
        )
        return cls(spans.select("first", "last"))

    def holds(self, keys: pl.Series) -> pl.Series:
        """Which keys lie in a span."""
        at = self.frame["first"].search_sorted(keys, side="right").cast(pl.Int64) - 1
        last = self.frame["last"].gather(at.clip(lower_bound=0)) if len(self.frame) else None
        if last is None:
            return pl.repeat(False, len(keys), eager=True)
        return (at >= 0) & (keys <= last)

    def and_also(self, other: Spans) -> Spans:
        """The union."""
        both = pl.concat([self.frame, other.frame]).sort("first")
        reach = pl.col("last").cum_max().shift(1)
        run = (pl.col("first") > reach + 1).fill_null(True).cum_sum()
        return Spans(
            both.group_by(run.alias("run"), maintain_order=True)
            .agg(pl.col("first").min(), pl.col("last").max())
            .select("first", "last")
        )

    def above(self, low: int) -> Spans:
        """What lies above `low`."""
        kept = self.frame.filter(pl.col("last") > low)
        return Spans(kept.with_columns(pl.col("first").clip(lower_bound=low + 1)))

    def to_json(self) -> list[list[int]]:
        """Pairs, as the ledger keeps them in a cursor."""
        return [list(span) for span in self.frame.iter_rows()]
