"""What Planhat was told of every record survives sums, restarts and any order of batches."""

from __future__ import annotations

import polars as pl
import pytest

from planhat_pipelines.ledger import Claim, Ledger, records
from planhat_pipelines_tests.ledger.help import intend, points

CREATED = {"created": 1}


def tell(claim: Claim, body: str, **hashes: int) -> None:
    """One settled batch of records."""
    batch = intend(
        claim, None, body, *hashes, purpose="records", points=points(*hashes.values()), dimensions=()
    )
    claim.settle(batch.id, CREATED)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three batches are many, and two records fill a page."""
    monkeypatch.setattr(records, "_MANY", 2)
    monkeypatch.setattr(records, "_PAGE", 2)


def known(ledger: Ledger, sync: str = "accounts") -> dict[str, int]:
    return dict(ledger.records(sync).iter_rows())


def heights(ledger: Ledger) -> list[int]:
    """How many records each page and each batch on top of them has."""
    return [part.height for part in ledger.record_parts("accounts")]


def test_the_last_thing_told_of_a_record_counts(ledger: Ledger) -> None:
    with ledger.claim("accounts", "r1") as claim:
        tell(claim, "1", a=1, b=2)
        tell(claim, "2", b=3, c=2**64 - 1)
    assert known(ledger) == {"a": 1, "b": 3, "c": 2**64 - 1}
    assert known(ledger, "others") == {}


def test_a_sum_replaces_the_batches_and_batches_lie_on_top_of_a_sum(ledger: Ledger) -> None:
    with ledger.claim("accounts", "r1") as claim:
        tell(claim, "1", a=1, b=2)
        claim.sum_up(["c"])
        assert known(ledger) == {"a": 1, "b": 2}
        tell(claim, "2", b=5)
        assert known(ledger) == {"a": 1, "b": 5}
        claim.sum_up(["a"])
    assert known(ledger) == {"b": 5}
    with ledger.claim("accounts", "r2") as claim:
        claim.sum_up(["b"])
    assert known(ledger) == {}


@pytest.mark.usefixtures("few")
def test_batches_are_summed_up_when_there_are_many_and_left_alone_until_then(ledger: Ledger) -> None:
    with ledger.claim("accounts", "r1") as claim:
        tell(claim, "1", a=1, b=2, c=3)
        tell(claim, "2", b=4)
        claim.sum_up()
        assert heights(ledger) == [3, 1]
        tell(claim, "3", d=5, a=6)
        claim.sum_up()
        assert heights(ledger) == [2, 2]
        assert known(ledger) == {"a": 6, "b": 4, "c": 3, "d": 5}
        for body in "456":
            tell(claim, body, c=int(body))
        claim.sum_up()
    assert known(ledger) == {"a": 6, "b": 4, "c": 6, "d": 5}
    assert sum(heights(ledger)) == 4


def test_what_was_only_intended_or_belongs_to_metrics_was_not_told(ledger: Ledger) -> None:
    with ledger.claim("accounts", "r1") as claim:
        intend(claim, None, "1", "a", purpose="records", points=points(1), dimensions=())
        settled = intend(claim, None, "2", "b", points=points(2))
        claim.settle(settled.id, {"submitted": 1})
    assert known(ledger) == {}


def test_the_keys_of_summed_batches_still_say_what_an_open_window_has_answered(ledger: Ledger) -> None:
    with ledger.claim("accounts", "r1") as claim:
        window = claim.begin({}, 0)
        batch = intend(claim, window, "1", "a", "b", purpose="records", points=points(1, 2), dimensions=())
        claim.settle(batch.id, {"created": 2})
        claim.sum_up(["z"])
        (kept,) = ledger.batches("accounts", "settled", window=window.id)
        assert list(kept.rows) == ["a", "b"]
    assert known(ledger) == {"a": 1, "b": 2}


@pytest.mark.parametrize("count", [0, 1, 250_001])
def test_a_sum_of_any_size_comes_back_as_it_was(ledger: Ledger, count: int) -> None:
    keys = pl.Series("key", [f"k{n}\n'\"日" for n in range(count)], dtype=pl.String)
    told = pl.DataFrame({"key": keys, "hash": pl.Series(range(count), dtype=pl.UInt64)})
    with ledger.claim("accounts", "r1") as claim:
        batch = intend(
            claim, None, "1", *keys, purpose="records", points=told["hash"].to_numpy(), dimensions=()
        )
        claim.settle(batch.id, CREATED)
        claim.sum_up(["z"])
    assert ledger.records("accounts").equals(told)
    assert all(height <= 100_000 for height in heights(ledger))
