"""A plan of both directions is applied to both sides, or refused once one of them has moved."""

from __future__ import annotations

from pathlib import Path

import pytest

from planhat_pipelines.engine.apply import Moved, compare, held_to
from planhat_pipelines.engine.planfile import markdown
from planhat_pipelines.engine.review import Review, reviewed
from planhat_pipelines.engine.twoway.plan import two_way_plan
from planhat_pipelines.engine.twoway.report import TwoWayReport
from planhat_pipelines_tests.twoway.pair import Pair


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
