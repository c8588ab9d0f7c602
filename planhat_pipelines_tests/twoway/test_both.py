"""Both directions over real servers: edits of either side reach the other one, and none is lost in silence."""

from __future__ import annotations

from planhat_pipelines_tests.records.crm import verdicts
from planhat_pipelines_tests.twoway.pair import Pair, quiet


def test_edits_of_either_side_reach_the_other_and_then_all_is_quiet(pair: Pair) -> None:
    pair.accounts(("a", "Acme", "Lund"), ("b", "Bolt", None))
    first = pair.run()
    assert first.sent.verdicts == verdicts(created=2)
    assert quiet(pair.run())
    pair.edit("a", city="Malmö")
    pair.sql("UPDATE {table} SET NAME = 'Bolt AB' WHERE ID = 'b'")
    second = pair.run()
    assert second.sent.verdicts["updated"] == 1
    assert second.back.verdicts["updated"] == 1
    both = {"a": ("Acme", "Malmö"), "b": ("Bolt AB", None)}
    assert pair.rows() == both
    assert pair.fields("name", "city") == both
    pair.sent()
    assert quiet(pair.run())
    assert quiet(pair.run())
    assert pair.sent() == 0


def test_different_fields_of_one_record_are_no_conflict(pair: Pair) -> None:
    pair.accounts(("a", "Acme", "Lund"))
    pair.run()
    pair.edit("a", city="Malmö")
    pair.sql("UPDATE {table} SET NAME = 'Acme AB' WHERE ID = 'a'")
    assert pair.run().conflicts == []
    assert pair.rows() == pair.fields("name", "city") == {"a": ("Acme AB", "Malmö")}
