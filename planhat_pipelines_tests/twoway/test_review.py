"""A plan of both directions is applied to both sides, or refused once one of them has moved."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from planhat_pipelines.engine.again import try_again
from planhat_pipelines.engine.plans.apply import Moved, compare, held_to
from planhat_pipelines.engine.plans.planfile import markdown
from planhat_pipelines.engine.plans.review import Review, reviewed
from planhat_pipelines.engine.twoway.plan import two_way_plan
from planhat_pipelines.engine.twoway.report import TwoWayReport
from planhat_pipelines_tests.records.crm import of
from planhat_pipelines_tests.twoway.pair import Pair, make_small


def review(pair: Pair) -> Review:
    with pair.place.client() as planhat:
        plan = two_way_plan(pair.spec(), pair.place.session, planhat, pair.ledger)
        return reviewed(pair.spec(), plan, planhat, pair.ledger)


def test_what_was_reviewed_goes_each_way_and_any_edit_in_between_is_refused(
    pair: Pair, tmp_path: Path
) -> None:
    pair.accounts(*((key, f"Name of {key}", "Lund") for key in "abc"))
    for _ in range(2):
        pair.run()
    pair.edit("a", city="Kiruna")
    pair.edit("c", city="Uppsala")
    pair.sql("UPDATE {table} SET NAME = 'Other' WHERE ID = 'b'")
    pair.sql("UPDATE {table} SET CITY = 'Oslo' WHERE ID = 'c'")
    before = (pair.rows(), pair.fields("name", "city"), pair.ledger.cursor("accounts"))
    first = review(pair)
    text = "\n".join(markdown(first, values=True))
    assert "| b | name | Name of b | Other |" in text
    assert "| c | city | Uppsala | Oslo |" in text
    assert "| a | CITY |" in text
    assert "| c | city | snowflake | Oslo | Uppsala |" in text
    assert before == (pair.rows(), pair.fields("name", "city"), pair.ledger.cursor("accounts"))
    compare(first.marks, review(pair), "accounts")
    pair.edit("a", city="Luleå")
    with pytest.raises(Moved, match="Planhat: records") as refused:
        compare(first.marks, review(pair), "accounts")
    assert "the source" not in str(refused.value)
    with pair.place.client() as planhat:
        with pytest.raises(Moved, match="was not reviewed"):
            held_to(pair.ready(pair.spec(), planhat), []).run("apply 1")
        now = review(pair)
        report = held_to(pair.ready(pair.spec(), planhat), now.requests).run("apply 2")
    assert isinstance(report, TwoWayReport)
    assert pair.rows()["a"] == ("Name of a", "Luleå")
    assert pair.fields("name", "city") == pair.rows()


def test_refused_rows_of_both_directions_are_tried_again_on_demand_and_only_once(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_small(monkeypatch.setattr)
    pair.overlap = 0.0
    pair.place.companies(*"vwxyz")
    time.sleep(0.01)  # they are older
    pair.accounts(*((key, f"Name of {key}", "Lund") for key in "abcde"))
    pair.fault("partial", keys=["a"])
    assert of(pair.run().sent)["refused"] == 1
    pair.run()  # sees what the first one made
    pair.place.calm()
    pair.run()
    assert "a" not in pair.held()  # nothing about the row has changed
    assert try_again(pair.ledger, "accounts") == 1
    assert of(pair.run().sent)["created"] == 1
    assert len(pair.held()) == 10
    assert (pair.ledger.rejections(), pair.ledger.parked()) == ([], [])
    pair.add((None, "Nameless"))
    pair.run()
    assert try_again(pair.ledger, "accounts") == 1
    pair.run()
    assert (len(pair.ledger.rejections()), pair.ledger.parked()) == (1, [])
