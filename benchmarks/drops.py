"""A device log that lies in S3 to metric points of each customer and day: the engine and a script over pandas.

ours     listed, fetched, parsed in a process of its own (which is counted), mapped, summed up, sent through the ledger,
         archived, removed
naive    pandas reads and groups, json and requests send; then copied and deleted; no ledger, no check of anything
careful  the same, but every cell is read as text, so that ids keep their zeros; what is no number, no time or of no
         known customer is left out
limit    for CSV: polars reads and groups and writes the JSON, http.client sends it; the file is on disk
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.harness import TENANT, Bench, Figure, Line, Place, Work, ask, connected, put, sink

COUNTS_CHILDREN = True
ITEMS, WARM = 50_000, 5_000
MOST_IN_A_WORKBOOK = 20_000  # pandas takes two seconds for 10,000 rows of a workbook
BUCKET, ZONE = "drops", "Europe/Stockholm"
FORMS, TIMES = ("csv", "json", "xlsx"), 3.0


def spec(form: str, rows: int) -> dict[str, Any]:
    """What a user writes for the log of this form and size."""
    return {
        "name": form,
        "bucket": BUCKET,
        "prefix": f"in/{form}-{rows}/",
        "every": "5m",
        "settle_seconds": 0,
        "metrics": {
            "target": {"model": "company", "column": "customer", "id": "external"},
            "date": {"column": "seen_at", "timezone": ZONE},
            "values": [
                {"metric": "active", "column": "device", "aggregate": "count_distinct"},
                {"metric": "minutes", "column": "minutes", "aggregate": "sum"},
            ],
        },
    }


def ours(form: str, place: Place) -> Callable[[], int]:
    """A run of the sync, as a schedule starts it when a drop waits."""
    from planhat_pipelines.engine.environment import s3_account
    from planhat_pipelines.engine.syncs.files import files_sync
    from planhat_pipelines.files.formats.parent import PARENT
    from planhat_pipelines.spec.files import FilesSpec

    def send(ledger: str, rows: int) -> int:
        said = FilesSpec.model_validate(spec(form, rows))
        with connected(place, ledger) as (book, planhat):
            spool = place.file("spool")
            sync = files_sync(said, s3_account(os.environ), planhat, book, spool=spool, patience=0)
            report = sync.run("first")
        assert report.verdicts["submitted"] == rows, report.line()
        PARENT.close()  # what the readers took counts once they have ended
        return rows

    dropped(form, WARM)
    send("small.db", WARM)
    ask(place.sink, "/reset", "POST")
    dropped(form, place.rows)
    return lambda: send("ledger.db", place.rows)


def naive(form: str, place: Place, *, careful: bool) -> Callable[[], int]:
    """What one writes in an hour; `careful`, what one writes after the first wrong id, as far as pandas can tell."""
    import io

    import pandas as pd
    import requests

    def read(body: Any) -> pd.DataFrame:
        content = body if form == "csv" else io.BytesIO(body.read())
        if form == "csv":
            return pd.read_csv(content, **({"dtype": str, "keep_default_na": False} if careful else {}))
        if form == "json":
            return pd.read_json(content, **({"dtype": False, "convert_dates": False} if careful else {}))
        return pd.read_excel(content, **({"dtype": str, "keep_default_na": False} if careful else {}))

    def checked(frame: pd.DataFrame) -> pd.DataFrame:
        """Rows that can go, and nothing guessed."""
        frame["minutes"] = pd.to_numeric(frame["minutes"], errors="coerce")
        frame["seen_at"] = pd.to_datetime(frame["seen_at"], utc=True, errors="coerce")
        there = requests.get(f"{place.sink}/leancompanies", params={"limit": 5_000}, timeout=180).json()
        known = frame["customer"].isin([each["externalId"] for each in there])
        return frame[known & frame["minutes"].notna() & frame["seen_at"].notna()]

    def send(rows: int) -> int:
        s3, key = client(), f"in/{form}-{rows}/log.{form}"
        frame = read(s3.get_object(Bucket=BUCKET, Key=key)["Body"])
        frame = checked(frame) if careful else frame
        frame["day"] = pd.to_datetime(frame["seen_at"], utc=True).dt.tz_convert(ZONE).dt.date
        groups = frame.groupby(["day", "customer"], as_index=False).agg(
            active=("device", "nunique"), minutes=("minutes", "sum")
        )
        points = [
            {
                "dimensionId": metric,
                "value": row[metric],
                "externalId": row["customer"],
                "model": "Company",
                "date": str(row["day"]),
            }
            for row in groups.to_dict("records")
            for metric in ("active", "minutes")
        ]
        for start in range(0, len(points), ITEMS):
            url = f"{place.sink}/dimensiondata/{TENANT}"
            requests.post(url, json=points[start : start + ITEMS], timeout=180).raise_for_status()
        s3.copy_object(Bucket=BUCKET, Key=f"processed/{key}", CopySource={"Bucket": BUCKET, "Key": key})
        s3.delete_object(Bucket=BUCKET, Key=key)
        return len(frame)

    dropped(form, WARM)
    send(WARM)
    ask(place.sink, "/reset", "POST")
    dropped(form, place.rows)
    return lambda: send(place.rows)


def limit(place: Place) -> Callable[[], int]:
    """The least that has to be done."""
    import polars as pl

    day = pl.col("seen_at").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC")
    groups = (
        pl.col("device").n_unique().cast(pl.Float64).alias("active"),
        pl.col("minutes").sum().alias("minutes"),
    )

    def send(rows: int) -> int:
        connection = HTTPConnection(urlsplit(place.sink).netloc)
        log = pl.scan_csv(place.file(f"log-{rows}.csv"))
        summed = log.group_by(day.dt.convert_time_zone(ZONE).dt.date().alias("date"), "customer").agg(groups)
        points = (
            summed.sort("date", "customer")
            .collect(engine="streaming")
            .with_row_index("at")
            .unpivot(["active", "minutes"], index=["at", "date", "customer"], variable_name="dimensionId")
            .sort("at", maintain_order=True)
            .select(
                "dimensionId",
                "value",
                pl.col("customer").alias("externalId"),
                model=pl.lit("Company"),
                date="date",
            )
        )
        for part in points.iter_slices(ITEMS):
            put(connection, "POST", f"/dimensiondata/{TENANT}", part.write_json().encode())
        return rows

    for rows in (WARM, place.rows):
        client().download_file(BUCKET, f"kept/log-{rows}.csv", str(place.file(f"log-{rows}.csv")))
    send(WARM)
    ask(place.sink, "/reset", "POST")
    return lambda: send(place.rows)


WORKS: dict[str, Work] = {}
for _form in FORMS:
    WORKS |= {
        f"ours, {_form}": partial(ours, _form),
        f"careful, {_form}": partial(naive, _form, careful=True),
        f"naive, {_form}": partial(naive, _form, careful=False),
    }
WORKS["limit, csv"] = limit


def lines(bench: Bench) -> Iterator[Line]:
    """The figures of each form, for each number of rows."""
    with store(bench.folder / "s3"):
        for form in FORMS:
            most = MOST_IN_A_WORKBOOK if form == "xlsx" else max(bench.rows)
            for rows in sorted({min(rows, most) for rows in bench.rows}):
                for each in (WARM, rows):
                    keep(form, bench.folder / bench.data("devices", each), each)
                works = [name for name in WORKS if name.endswith(form)]
                with sink() as address:
                    found = bench.in_turn(__name__, works, address, rows)
                yield from _compared(found, TIMES if form == "csv" else None)


def _compared(found: Mapping[str, Sequence[Figure]], times: float | None) -> Iterator[Line]:
    """Ours, careful, naive and perhaps the limit, in this order. The target is `times` as fast as careful."""
    lines = [Line(f"drops: {work}", figures) for work, figures in found.items()]
    ours, careful, naive, *limits = (line.best.us for line in lines)
    if times:
        shown = f"{times:g} x careful: {careful / ours:.2f}"
        lines[0] = replace(lines[0], target=shown, reached=careful / ours >= times)
    for line in lines:
        limit = limits[0] / line.best.us if limits else None
        yield replace(line, ratio=naive / line.best.us, limit=limit)


@contextmanager
def store(folder: Path) -> Iterator[None]:
    """A local S3, told to everything that is measured through the environment."""
    from planhat_pipelines.sandbox.s3 import S3Server

    with S3Server(folder, bucket=BUCKET) as s3:
        access = s3.access
        os.environ |= {
            "AWS_REGION": access.region,
            "AWS_ACCESS_KEY_ID": access.access_key_id,
            "AWS_SECRET_ACCESS_KEY": access.secret_access_key,
            "AWS_ENDPOINT_URL_S3": s3.endpoint,
        }
        yield


def client() -> Any:
    """A client of the local S3."""
    import boto3

    return boto3.client("s3", region_name=os.environ["AWS_REGION"])


def keep(form: str, parquet: Path, rows: int) -> None:
    """Put the rows into the bucket as a file of the form, to be dropped from there."""
    import polars as pl

    frame, path = pl.read_parquet(parquet), parquet.with_suffix(f".{form}")
    if form == "csv":
        frame.write_csv(path)
    elif form == "json":
        frame.write_json(path)
    else:
        from openpyxl import Workbook

        book = Workbook(write_only=True)
        page = book.create_sheet()
        page.append(frame.columns)
        for row in frame.iter_rows():
            page.append(row)
        book.save(path)
    client().upload_file(str(path), BUCKET, f"kept/log-{rows}.{form}")


def dropped(form: str, rows: int) -> None:
    """The file lies in the inbox."""
    source = {"Bucket": BUCKET, "Key": f"kept/log-{rows}.{form}"}
    client().copy(source, BUCKET, f"in/{form}-{rows}/log.{form}")
