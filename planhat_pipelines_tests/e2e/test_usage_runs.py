"""Usage rows from a real table to points in a real store, one run after the other."""

from __future__ import annotations

from planhat_pipelines_tests.e2e.place import Place, oracle

ROWS = [(1, "c-1", "2026-01-01", 5), (2, "c-2", "2026-01-01", 7), (3, "c-1", "2026-01-02", 6.5)]


def test_every_row_becomes_its_point_once_and_only_once_over_several_runs(place: Place) -> None:
    place.companies("c-1", "c-2")
    place.seats(ROWS)
    first, second = place.run(), place.run()
    assert (first.verdicts["submitted"], first.rows_read) == (3, 3)
    assert second.rows_read == second.requests == 0
    assert place.points() == oracle(ROWS)
    assert place.nothing_was_dropped()
    assert place.cursor()["key"] == "3"
