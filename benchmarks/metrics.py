"""Usage rows to metric points that Planhat took: the engine, a naive script, and the limit of this machine.

The three are as in records.py. All match the rows' companies and drop nothing, as all companies are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from io import BytesIO
from urllib.parse import urlsplit

from benchmarks.data import pieces
from benchmarks.harness import TENANT, Bench, Line, Place, Work, ask, connected, put, side_by_side, small

ITEMS = 50_000
_METRICS = {
    "target": {"model": "company", "column": "ACCOUNT_ID", "id": "external"},
    "date": "USAGE_DATE",
    "values": [{"metric": "seats", "column": "SEATS"}],
}


def ours(place: Place) -> Callable[[], int]:
    """The engine: every company looked up, every point with its fingerprint in the ledger."""
    from benchmarks.source import ParquetSource
    from planhat_pipelines.engine.destinations.metrics import MetricsDestination
    from planhat_pipelines.engine.run import Sync
    from planhat_pipelines.engine.syncs.usage import metrics_mapping
    from planhat_pipelines.spec.usage import Metrics

    mapping = metrics_mapping(Metrics.model_validate(_METRICS))

    def send(ledger: str, rows: int) -> int:
        with connected(place, ledger) as (book, planhat):
            source = ParquetSource(place.file(f"usage-{rows}.parquet"), "ROW_ID")
            report = Sync("usage", source, MetricsDestination(planhat, mapping), book).run("first")
        assert report.verdicts["submitted"] == rows, report.line()
        return rows

    small(place, "usage", ITEMS)
    send("small.db", ITEMS)
    ask(place.sink, "/reset", "POST")
    return lambda: send("ledger.db", place.rows)


def naive(place: Place) -> Callable[[], int]:
    """What one writes in an hour."""
    import pandas as pd
    import requests

    def send(rows: int) -> int:
        frame = pd.read_parquet(place.file(f"usage-{rows}.parquet"))
        frame["USAGE_DATE"] = frame["USAGE_DATE"].astype(str)
        for start in range(0, len(frame), ITEMS):
            points = [
                {
                    "dimensionId": "seats",
                    "value": row["SEATS"],
                    "externalId": row["ACCOUNT_ID"],
                    "model": "Company",
                    "date": row["USAGE_DATE"],
                }
                for row in frame[start : start + ITEMS].to_dict("records")
            ]
            requests.post(f"{place.sink}/dimensiondata/{TENANT}", json=points, timeout=180).raise_for_status()
        return len(frame)

    small(place, "usage", ITEMS)
    send(ITEMS)
    ask(place.sink, "/reset", "POST")
    return lambda: send(place.rows)


def limit(place: Place) -> Callable[[], int]:
    """The least that has to be done."""
    import polars as pl

    fields = (
        pl.lit("seats").alias("dimensionId"),
        pl.col("SEATS").alias("value"),
        pl.col("ACCOUNT_ID").alias("externalId"),
        pl.lit("Company").alias("model"),
        pl.col("USAGE_DATE").alias("date"),
    )

    def send(rows: int) -> int:
        connection = HTTPConnection(urlsplit(place.sink).netloc, timeout=180)
        for piece in pieces(place.file(f"usage-{rows}.parquet")):
            for part in piece.select(fields).iter_slices(ITEMS):
                body = BytesIO()  # text would be decoded and encoded again
                part.write_json(body)
                put(connection, "POST", f"/dimensiondata/{TENANT}", body.getvalue())
        return rows

    small(place, "usage", ITEMS)
    send(ITEMS)
    ask(place.sink, "/reset", "POST")
    return lambda: send(place.rows)


WORKS: dict[str, Work] = {"ours": ours, "naive": naive, "limit": limit}


def lines(bench: Bench) -> Iterator[Line]:
    """The figures, for each number of rows."""
    yield from side_by_side(bench, __name__, "usage", "metrics", times=3)
