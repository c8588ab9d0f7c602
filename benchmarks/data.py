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


def devices(rows: int) -> pl.DataFrame:
    """A log of devices in use: 200 customers, a month, six columns of which two are not mapped."""
    import polars as pl

    at = pl.int_range(rows)
    customer = pl.lit(pl.Series([external_id(each) for each in range(200)])).gather(at * 7919 % 200)
    seen = pl.datetime(2026, 10, 1) + pl.duration(seconds=at * 104_729 % (30 * 86_400))
    return pl.select(
        pl.format("D-{}", (at * 31 % 40_000).cast(pl.String).str.zfill(6)).alias("device"),
        customer.alias("customer"),
        seen.dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("seen_at"),
        ((at * 7919 % 960) / 2).alias("minutes"),
        pl.lit(pl.Series(["9.1.0", "9.1.4", "9.2.0"])).gather(at % 3).alias("firmware"),
        pl.format("{} dBm", -30 - at % 60).alias("signal"),
    )


def write(kind: str, rows: int, path: Path) -> None:
    """The rows of `accounts`, `usage` or `devices` as a parquet file, in row groups that are read one at a time."""
    made = {"accounts": accounts, "usage": usage, "devices": devices}[kind](rows)
    made.write_parquet(path, row_group_size=PIECE_ROWS)


def pieces(path: Path) -> Iterator[pl.DataFrame]:
    """The file's rows, a piece at a time."""
    import polars as pl
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield pl.DataFrame(file.read_row_group(group))


if __name__ == "__main__":
    write(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
