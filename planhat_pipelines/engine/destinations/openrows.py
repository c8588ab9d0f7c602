"""Rows that the ledger holds open, refused or parked, and what a window says of them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from planhat_pipelines.ledger import Parked, Rejection
from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines.mapping.records import NO_KEY

_STILL = "refused before by Planhat, and unchanged since"


class OpenRows:
    """`refused`: ROW and `reason` of the rows that Planhat refused when it was last told of them, in its words.
    `refused_keys`: what Planhat would know them by."""

    def __init__(self, rejected: Sequence[Rejection], parked: Sequence[Parked]) -> None:
        by_planhat = [each for each in rejected if each.stage == "planhat" or each.reason.startswith(_STILL)]
        words = [
            each.reason if each.reason.startswith(_STILL) else f"{_STILL}: {each.reason}"
            for each in by_planhat
        ]
        schema = {ROW: pl.String, "reason": pl.String}
        self.refused = pl.DataFrame({ROW: [each.row for each in by_planhat], "reason": words}, schema=schema)
        self.refused_keys = [each.key for each in by_planhat if each.stage == "planhat"]
        self._rejected = {each.row for each in rejected}
        self._parked = {each.row for each in parked}
        self._rows = pl.Series(sorted(self._rejected | self._parked), dtype=pl.String)
        self._seen, self._quiet = set[str](), set[str]()
        self._misfits, self._waiting = set[str](), set[str]()

    def see(self, rows: pl.Series) -> None:
        """These rows were read, whether they are there or gone."""
        self._seen |= self._among(rows.fill_null(NO_KEY))

    def see_ends(self, *, quiet: pl.Series, misfits: pl.Series, waiting: pl.Series) -> None:
        """Nothing is left to say of the quiet rows; the mapping refused the misfits; the others are parked."""
        self._quiet |= self._among(quiet)
        self._misfits |= self._among(misfits)
        self._waiting |= self._among(waiting)

    def closed(self, *, whole: bool) -> list[str]:
        """Of the refused rows, those that are so no longer though no batch answered them. In a window that is `whole`,
        these are also those that it did not have."""
        gone = self._rejected - self._seen if whole else set[str]()
        return sorted(self._rejected & (self._quiet | gone) - self._misfits)

    def answered(self, *, whole: bool) -> list[str]:
        """The parked rows that wait no longer."""
        return sorted((self._parked if whole else self._parked & self._seen) - self._waiting)

    def lost(self) -> list[str]:
        """Rows that Planhat refused and that then stopped to fit: when they fit again, nothing is known of them."""
        return sorted(self._misfits.intersection(self.refused[ROW]))

    def _among(self, rows: pl.Series) -> set[str]:
        return set(rows.filter(rows.is_in(self._rows.implode()))) if len(self._rows) else set()
