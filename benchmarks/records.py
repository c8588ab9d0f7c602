"""Rows of a CRM table to acknowledged records: the engine, a naive script, and the limit of this machine.

ours     mapping, comparison with what was sent before, ledger, budget, requests, answers read
naive    pandas, to_dict, json, requests; no ledger, no check of the answer but its status
limit    polars writes the JSON, http.client sends it; nothing is checked at all
again    the engine once more, when nothing has changed
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from io import BytesIO
from urllib.parse import urlsplit

from benchmarks.data import CUSTOM_FIELDS, FIELDS, pieces
from benchmarks.harness import TOKEN, Bench, Line, Place, Work, ask, connected, put, side_by_side, sink, small

ITEMS = 5_000
SPEC = {
    "name": "accounts",
    "table": "CRM.PUBLIC.ACCOUNTS",
    "model": "company",
    "key": {"column": "ACCOUNT_ID", "field": "externalId"},
    "every": "1h",
    "fields": [
        *({"column": column, "field": name} for column, name in list(FIELDS.items())[1:]),
        *({"column": column, "field": f"custom.{name}"} for name, column in CUSTOM_FIELDS.items()),
    ],
}


def ours(place: Place) -> Callable[[], int]:
    """The engine's first run over a table."""
    small(place, "accounts", ITEMS)
    _sync(place, "small.db", ITEMS)
    ask(place.sink, "/reset", "POST")
    return lambda: _sync(place, "ledger.db", place.rows)


def again(place: Place) -> Callable[[], int]:
    """The engine's second run over the same table."""
    _sync(place, "ledger.db", place.rows)
    return lambda: _sync(place, "ledger.db", place.rows, verdict="unchanged")


def _sync(place: Place, ledger: str, rows: int, verdict: str = "created") -> int:
    from benchmarks.source import ParquetSource
    from planhat_pipelines.engine.destinations.records import RecordsDestination
    from planhat_pipelines.engine.run import Sync
    from planhat_pipelines.engine.syncs.records import records_mapping
    from planhat_pipelines.spec.records import RecordsSpec

    spec = RecordsSpec.model_validate(SPEC)
    with connected(place, ledger) as (book, planhat):
        mapping = records_mapping(spec.name, spec, planhat)
        destination = RecordsDestination(spec.name, planhat, book, mapping)
        source = ParquetSource(place.file(f"accounts-{rows}.parquet"), "ACCOUNT_ID", copies=True)
        report = Sync(spec.name, source, destination, book).run(verdict)
    assert report.verdicts[verdict] == rows, report.line()  # type: ignore[index]
    return rows


def naive(place: Place) -> Callable[[], int]:
    """What one writes in an hour."""
    import pandas as pd
    import requests

    def send(rows: int) -> int:
        frame = pd.read_parquet(place.file(f"accounts-{rows}.parquet"))
        frame["SINCE"] = frame["SINCE"].astype(str)
        frame = frame.astype(object).where(frame.notna(), None)
        for start in range(0, len(frame), ITEMS):
            records = [
                {field: row[column] for column, field in FIELDS.items()}
                | {"custom": {name: row[column] for name, column in CUSTOM_FIELDS.items()}}
                for row in frame[start : start + ITEMS].to_dict("records")
            ]
            headers = {"Authorization": f"Bearer {TOKEN}"}
            requests.put(
                f"{place.sink}/companies", json=records, headers=headers, timeout=180
            ).raise_for_status()
        return len(frame)

    small(place, "accounts", ITEMS)
    send(ITEMS)
    ask(place.sink, "/reset", "POST")
    return lambda: send(place.rows)


def limit(place: Place) -> Callable[[], int]:
    """The least that has to be done."""
    import polars as pl

    custom = [pl.col(column).alias(name) for name, column in CUSTOM_FIELDS.items()]
    fields = [
        *(pl.col(column).alias(field) for column, field in FIELDS.items()),
        pl.struct(custom).alias("custom"),
    ]

    def send(rows: int) -> int:
        connection = HTTPConnection(urlsplit(place.sink).netloc, timeout=180)
        for piece in pieces(place.file(f"accounts-{rows}.parquet")):
            for part in piece.select(fields).iter_slices(ITEMS):
                body = BytesIO()  # text would be decoded and encoded again
                part.write_json(body)
                put(connection, "PUT", "/companies", body.getvalue())
        return rows

    small(place, "accounts", ITEMS)
    send(ITEMS)
    ask(place.sink, "/reset", "POST")
    return lambda: send(place.rows)


WORKS: dict[str, Work] = {"ours": ours, "again": again, "naive": naive, "limit": limit}


def lines(bench: Bench) -> Iterator[Line]:
    """The figures, for each number of rows."""
    yield from side_by_side(bench, __name__, "accounts", "records", times=3, share=0.7)
    for rows in bench.rows:
        bench.data("accounts", rows)
        with sink() as address:
            found = bench.in_turn(__name__, ["again"], address, rows)
        yield Line("records, nothing changed: ours", found["again"])
