"""What Planhat was told of every record survives sums, restarts and any order of batches."""

from __future__ import annotations

import polars as pl
import pytest

from planhat_pipelines.ledger import Claim, Ledger
from planhat_pipelines_tests.ledger.help import intend, points

CREATED = {"created": 1}


def tell(claim: Claim, body: str, **hashes: int) -> None:
    """One settled batch of records."""
    batch = intend(
        claim, None, body, *hashes, purpose="records", points=points(*hashes.values()), dimensions=()
    )
    claim.settle(batch.id, CREATED)


def known(ledger: Ledger, sync: str = "accounts") -> dict[str, int]:
    return dict(ledger.records(sync).iter_rows())


def test_the_last_thing_told_of_a_record_counts(ledger: Ledger) -> None:
    with ledger.claim("accounts", "r1") as claim:
        tell(claim, "1", a=1, b=2)
        tell(claim, "2", b=3, c=2**64 - 1)
    assert known(ledger) == {"a": 1, "b": 3, "c": 2**64 - 1}
    assert known(ledger, "others") == {}


def test_a_sum_replaces_the_batches_and_batches_lie_on_top_of_a_sum(ledger: Ledger) -> None:
    with ledger.claim("accounts", "r1") as claim:
        tell(claim, "1", a=1, b=2)
        claim.remember(ledger.records("accounts"))
        assert known(ledger) == {"a": 1, "b": 2}
        tell(claim, "2", b=5)
        assert known(ledger) == {"a": 1, "b": 5}
        claim.remember(
            pl.DataFrame({"key": ["z"], "hash": [9]}, schema={"key": pl.String, "hash": pl.UInt64})
        )
    assert known(ledger) == {"z": 9}
    with ledger.claim("accounts", "r2") as claim:
        claim.remember(ledger.records("accounts").clear())
    assert known(ledger) == {}


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
        claim.remember(ledger.records("accounts"))
        (kept,) = ledger.batches("accounts", "settled", window=window.id)
        assert list(kept.rows) == ["a", "b"]
    assert known(ledger) == {"a": 1, "b": 2}


@pytest.mark.parametrize("count", [0, 1, 250_001])
def test_a_sum_of_any_size_comes_back_as_it_was(ledger: Ledger, count: int) -> None:
    keys = pl.Series("key", [f"k{n}\n'\"日" for n in range(count)], dtype=pl.String)
    records = pl.DataFrame({"key": keys, "hash": pl.Series(range(count), dtype=pl.UInt64)})
    with ledger.claim("accounts", "r1") as claim:
        claim.remember(records)
    assert ledger.records("accounts").equals(records)
