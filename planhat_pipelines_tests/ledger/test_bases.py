"""What both sides agreed on survives sums, crashes and any order of batches, and says nothing it was not told."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planhat_pipelines.ledger import BatchState, Claim, Ledger
from planhat_pipelines_tests.ledger.help import intend
from planhat_pipelines_tests.ledger.worker import TWO_WAY_STEPS, both_ways, deliver_both_ways, workers

FIELDS = ("name", "custom.ARR")
TOP = 2**64 - 1
ODD = 'it\'s "odd" å'

Known = dict[str, tuple[int | None, ...]]


def bases(**known: tuple[int | None, int | None]) -> pl.DataFrame:
    """A frame of both fields, of `key=(name, ARR)`."""
    rows = [(key, *values) for key, values in known.items()]
    return pl.DataFrame(rows, schema={"key": pl.String} | dict.fromkeys(FIELDS, pl.UInt64), orient="row")


def of(frame: pl.DataFrame) -> Known:
    return {key: values for key, *rest in frame.iter_rows() for values in [tuple(rest)]}


def known(ledger: Ledger, sync: str = "accounts", fields: tuple[str, ...] = FIELDS) -> Known:
    return of(ledger.bases(sync, fields))


def doubtful(ledger: Ledger) -> Known:
    return of(ledger.intended_bases("accounts", FIELDS, "metrics"))


def settle(claim: Claim, body: str, frame: pl.DataFrame) -> None:
    batch = intend(claim, None, body, bases=frame)
    claim.settle(batch.id, {"updated": 1})


def test_a_sync_without_bases_gives_an_empty_frame_of_the_fields_asked_for(ledger: Ledger) -> None:
    for frame in (ledger.bases("accounts", FIELDS), ledger.intended_bases("accounts", FIELDS, "metrics")):
        assert frame.schema == {"key": pl.String, "name": pl.UInt64, "custom.ARR": pl.UInt64}
        assert frame.height == 0


def test_what_is_intended_is_no_base_before_its_batch_is_settled(ledger: Ledger) -> None:
    with ledger.claim("accounts", "r1") as claim:
        batch = intend(claim, None, "1", bases=bases(a=(1, TOP), b=(2, None)))
        assert known(ledger) == {}
        assert doubtful(ledger) == {"a": (1, TOP), "b": (2, None)}
        claim.settle(batch.id, {"updated": 2})
    assert known(ledger) == {"a": (1, TOP), "b": (2, None)}
    assert doubtful(ledger) == {}
    assert known(ledger, "others") == {}


def test_rows_that_were_refused_are_left_out_by_the_receipt(ledger: Ledger) -> None:
    with ledger.claim("accounts", "r1") as claim:
        some, none = (
            intend(claim, None, body, bases=bases(a=(1, 1), b=(2, 2), c=(3, 3))) for body in ("1", "2")
        )
        claim.settle(some.id, {"updated": 2}, bases=bases(a=(1, 1), c=(3, None)))
        claim.settle(none.id, {"refused": 3}, bases=bases())
    assert known(ledger) == {"a": (1, 1), "c": (3, None)}
    assert doubtful(ledger) == {}


def test_the_last_to_be_settled_wins_and_a_null_never_overwrites(ledger: Ledger) -> None:
    with ledger.claim("accounts", "r1") as claim:
        claim.agree(bases(a=(1, 1), b=(1, 1)))
        early = intend(claim, None, "early", bases=bases(a=(2, 2), c=(2, None)))
        late = intend(claim, None, "late", bases=bases(a=(3, None), b=(None, 3)))
        claim.settle(late.id, {"updated": 1})
        claim.settle(early.id, {"updated": 1})
    assert known(ledger) == {"a": (2, 2), "b": (1, 3), "c": (2, None)}


def test_the_last_to_be_intended_wins_among_what_is_in_doubt(ledger: Ledger) -> None:
    with ledger.claim("accounts", "r1") as claim:
        for body, frame in (("1", bases(a=(1, 1))), ("2", bases(a=(2, None))), ("3", bases(b=(3, 3)))):
            intend(claim, None, body, bases=frame)
    assert doubtful(ledger) == {"a": (2, 1), "b": (3, 3)}


def test_a_batch_held_dropped_or_superseded_agrees_on_nothing(ledger: Ledger) -> None:
    rest: dict[str, Any] = {"window": None, "body_hash": "rest", "purpose": "metrics", "items": 1}
    rest |= {"rows": ["b"], "points": None, "dimensions": (), "first_day": None, "last_day": None}
    with ledger.claim("accounts", "r1") as claim:
        held, dropped, old = (intend(claim, None, body, bases=bases(a=(1, 1))) for body in ("1", "2", "3"))
        claim.hold(held.id, "nobody knows")
        claim.drop(dropped.id)
        new = claim.supersede(old.id, {}, None, **rest, bases=bases(b=(2, 2)))
        assert (known(ledger), doubtful(ledger)) == ({}, {"b": (2, 2)})
        with pytest.raises(BatchState):
            claim.settle(held.id, {}, bases=bases(a=(1, 1)))
        claim.settle(new.id, {"updated": 1})
    assert (known(ledger), doubtful(ledger)) == ({"b": (2, 2)}, {})


def test_fields_may_come_go_and_be_asked_for_in_part(ledger: Ledger) -> None:
    new = pl.DataFrame({"key": ["a", "c"], ODD: [5, 6], "unknown": [None, None]}).cast({ODD: pl.UInt64})
    with ledger.claim("accounts", "r1") as claim:
        claim.agree(bases(a=(1, 1), b=(2, None)).drop("custom.ARR"))
        claim.agree(bases(a=(9, 9)).select("key"))
        claim.agree(new)
    assert known(ledger) == {"a": (1, None), "b": (2, None)}
    assert known(ledger, fields=(ODD, "name", "never")) == {
        "a": (5, 1, None),
        "b": (None, 2, None),
        "c": (6, None, None),
    }
    assert known(ledger, fields=("never",)) == known(ledger, fields=()) == {}


def test_a_sum_takes_the_place_of_all_before_it_and_lets_go_of_what_it_is_not_told(ledger: Ledger) -> None:
    with ledger.claim("accounts", "r1") as claim:
        settle(claim, "1", bases(a=(1, 1), b=(1, 1)))
        doubt = intend(claim, None, "doubt", bases=bases(b=(9, None)))
        claim.remember_bases(ledger.bases("accounts", FIELDS))
        assert known(ledger) == {"a": (1, 1), "b": (1, 1)}
        settle(claim, "2", bases(a=(None, 2)))
        claim.settle(doubt.id, {"updated": 1})
        assert known(ledger) == {"a": (1, 2), "b": (9, 1)}
        claim.remember_bases(bases(z=(7, 7)))
        assert known(ledger) == {"z": (7, 7)}
        claim.remember_bases(bases())
        settle(claim, "3", bases(a=(3, 3)))
    assert known(ledger) == {"a": (3, 3)}


def test_a_record_that_is_gone_is_forgotten_and_may_come_back(ledger: Ledger) -> None:
    with ledger.claim("accounts", "r1") as claim, ledger.claim("others", "r1") as other:
        other.agree(bases(a=(4, 4)))
        claim.agree(bases(a=(1, 1), b=(1, 1)))
        settle(claim, "1", bases(a=(2, None), c=(2, 2)))
        claim.forget_bases(["a", "unheard of"])
        assert known(ledger) == {"b": (1, 1), "c": (2, 2)}
        claim.forget_bases(pl.Series(["b", "c"]))
        claim.forget_bases([])
        assert known(ledger) == {}
        settle(claim, "2", bases(a=(None, 3)))
    assert known(ledger) == {"a": (None, 3)}
    assert known(ledger, "others") == {"a": (4, 4)}


def test_one_key_twice_in_a_frame_counts_as_its_last_row(ledger: Ledger) -> None:
    with ledger.claim("accounts", "r1") as claim:
        claim.agree(pl.concat([bases(a=(1, 1)), bases(a=(2, 2))]))
    assert known(ledger) == {"a": (2, 2)}


def test_values_in_the_place_of_fingerprints_are_refused_and_not_shown(ledger: Ledger) -> None:
    wrong = pl.DataFrame({"key": ["a"], "name": ["Acme"]})
    with ledger.claim("accounts", "r1") as claim:
        with pytest.raises(TypeError, match="'accounts': bases are fingerprints") as caught:
            intend(claim, None, "1", bases=wrong)
        assert "Acme" not in str(caught.value)
        assert ledger.batches("accounts") == []


def test_bases_of_any_size_come_back_as_they_were(ledger: Ledger) -> None:
    count = 250_001
    keys = pl.Series("key", [f"k{n}\n'\"日" for n in range(count)], dtype=pl.String)
    frame = pl.DataFrame({"key": keys, "name": range(count)}, schema_overrides={"name": pl.UInt64})
    with ledger.claim("accounts", "r1") as claim:
        claim.agree(frame)
        assert ledger.bases("accounts", ["name"]).equals(frame)
        batch = intend(claim, None, "1", bases=frame.with_columns(pl.col("name") + 1))
        assert (
            ledger.intended_bases("accounts", ["name"], "metrics")["name"].sum()
            == frame["name"].sum() + count
        )
        claim.settle(batch.id, {"updated": count})
        claim.remember_bases(ledger.bases("accounts", ["name"]))
    last = ledger.bases("accounts", ["name"])
    assert last["key"].n_unique() == last.height == count
    assert last["name"].sum() == frame["name"].sum() + count


fingerprints = st.none() | st.sampled_from([0, 1, TOP])
frames = st.dictionaries(st.sampled_from("abc"), st.tuples(fingerprints, fingerprints), max_size=3)
steps = st.lists(st.tuples(st.sampled_from(["agree", "settle", "forget", "sum"]), frames), max_size=12)


@given(steps=steps)
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_order_of_steps_gives_what_a_dictionary_gives(
    ledger: Ledger, steps: list[tuple[str, dict[str, tuple[int | None, int | None]]]]
) -> None:
    model: dict[str, dict[str, int]] = {}
    with ledger.claim("accounts", "run") as claim:
        claim.remember_bases(bases())
        for step, rows in steps:
            if step == "sum":
                claim.remember_bases(ledger.bases("accounts", FIELDS))
            elif step == "forget":
                claim.forget_bases(list(rows))
                for key in rows:
                    model.pop(key, None)
            else:
                claim.agree(bases(**rows)) if step == "agree" else settle(claim, "x", bases(**rows))
                for key, values in rows.items():
                    told = {
                        field: value for field, value in zip(FIELDS, values, strict=True) if value is not None
                    }
                    model[key] = model.get(key, {}) | told
    assert known(ledger) == {
        key: tuple(told.get(field) for field in FIELDS) for key, told in model.items() if told
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Known, Known]]:
    """What both sides agreed on, and what is in doubt, before and after each step of a run nobody kills."""
    with Ledger.open(f"sqlite:///{tmp_path_factory.mktemp('undisturbed') / 'ledger.db'}") as ledger:
        return [picture(ledger), *(picture(ledger) for _ in both_ways(ledger, "undisturbed"))]


def picture(ledger: Ledger) -> tuple[Known, Known]:
    return known(ledger), doubtful(ledger)


@pytest.mark.matrix
@pytest.mark.parametrize("steps", range(1, len(TWO_WAY_STEPS)), ids=lambda steps: TWO_WAY_STEPS[steps])
def test_a_kill_just_before_the_commit_of_a_step_loses_no_base_and_makes_none_up(
    ledger: Ledger, url: str, undisturbed: list[tuple[Known, Known]], steps: int
) -> None:
    with workers(1, deliver_both_ways, url) as (worker,):
        assert worker.hear() == "ready"
        for step in TWO_WAY_STEPS[:steps]:
            worker.say("go on")
            assert worker.hear() == step
        worker.say("stall")
        assert worker.hear() == "about to commit"
        worker.kill()
    assert picture(ledger) == undisturbed[steps]
    with ledger.claim("accounts", "next") as claim:
        claim.remember_bases(ledger.bases("accounts", FIELDS))
    assert picture(ledger) == undisturbed[steps]


def test_the_killed_run_went_through_doubt_agreement_and_sum(undisturbed: list[tuple[Known, Known]]) -> None:
    assert dict(zip(("", *TWO_WAY_STEPS), undisturbed, strict=True)) == {
        "": ({}, {}),
        "claimed": ({}, {}),
        "agreed": ({"a": (1, 1), "b": (1, 1)}, {}),
        "intended": ({"a": (1, 1), "b": (1, 1)}, {"a": (2, None), "c": (2, 2)}),
        "settled": ({"a": (2, 1), "b": (1, 1), "c": (2, 2)}, {}),
        "intended to write back": ({"a": (2, 1), "b": (1, 1), "c": (2, 2)}, {"b": (None, 3)}),
        "summed up": ({"a": (2, 1), "b": (1, 1), "c": (2, 2)}, {"b": (None, 3)}),
        "written back": ({"a": (2, 1), "b": (1, 3), "c": (2, 2)}, {}),
        "forgotten": ({"b": (1, 3), "c": (2, 2)}, {}),
    }
