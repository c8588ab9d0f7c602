"""Rows to measure with, the same at every run, as parquet files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

PIECE_ROWS = 100_000
COMPANIES = 2_000
FIELDS = {  # column: field of Company; the key is the first
    "ACCOUNT_ID": "externalId",
    "NAME": "name",
    "PHASE": "phase",
    "COUNTRY": "country",
    "CITY": "city",
    "WEB": "web",
    "PHONE": "phonePrimary",
}
CUSTOM_FIELDS = {  # name in Planhat: column
    "ARR": "ARR",
    "Customer since": "SINCE",
    "Reference": "IS_REFERENCE",
    "Seats": "SEATS",
    "Industry": "INDUSTRY",
}


def external_id(at: int) -> str:
    """The external id of the company number `at`."""
    return f"A{at:07d}"


def accounts(rows: int) -> pl.DataFrame:
    """Twelve columns of customers: seven fields of Planhat's own, five custom ones, one in ten cells empty."""
    import polars as pl

    at = pl.int_range(rows)

    def one_of(*words: str) -> pl.Expr:
        return pl.lit(pl.Series(list(words))).gather((at * 7919) % len(words))

    number = at.cast(pl.String).str.zfill(7)
    return pl.select(
        pl.format("A{}", number).alias("ACCOUNT_ID"),
        pl.format(
            "{} {} AB", one_of("Åkerlund", "Nordic Data", "Brightwell", "Ōta", "Meridian"), number
        ).alias("NAME"),
        one_of("Onboarding", "Adoption", "Growth", "Renewal").alias("PHASE"),
        one_of("Sweden", "Norway", "Germany", "Japan", "Brazil").alias("COUNTRY"),
        pl.when(at % 10 != 3)
        .then(one_of("Stockholm", "Malmö", "Oslo", "Berlin", "東京", "São Paulo"))
        .alias("CITY"),
        pl.format("https://www.customer{}.example", number).alias("WEB"),
        pl.when(at % 10 != 7).then(pl.format("+46 8 {}", number)).alias("PHONE"),
        ((at * 7919 % 1_000_000) / 4).alias("ARR"),
        (pl.date(2015, 1, 1) + pl.duration(days=at % 4000)).alias("SINCE"),
        (at % 3 == 0).alias("IS_REFERENCE"),
        (at % 977).alias("SEATS"),
        one_of("Software", "Retail", "Banking", "Logistics").alias("INDUSTRY"),
    )


def usage(rows: int) -> pl.DataFrame:
    """Usage of a company on a day, in one value."""
    import polars as pl

    at = pl.int_range(rows)
    company = pl.lit(pl.Series([external_id(each) for each in range(COMPANIES)])).gather(at % COMPANIES)
    return pl.select(
        at.alias("ROW_ID"),
        company.alias("ACCOUNT_ID"),
        (pl.date(2024, 1, 1) + pl.duration(days=at // COMPANIES)).alias("USAGE_DATE"),
        ((at * 7919 % 5000) / 2).alias("SEATS"),
    )


def write(kind: str, rows: int, path: Path) -> None:
    """The rows of `accounts` or `usage` as a parquet file, in row groups that are read one at a time."""
    {"accounts": accounts, "usage": usage}[kind](rows).write_parquet(path, row_group_size=PIECE_ROWS)


def pieces(path: Path) -> Iterator[pl.DataFrame]:
    """The file's rows, a piece at a time."""
    import polars as pl
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield pl.DataFrame(file.read_row_group(group))


if __name__ == "__main__":
    write(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
