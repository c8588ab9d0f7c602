"""What the ledger keeps and what it refuses, on both databases."""

from __future__ import annotations

import polars as pl
import pytest
import sqlalchemy as sa

from planhat_pipelines.ledger import (
    BatchState,
    Ledger,
    NewParked,
    NewRejection,
    OpenBatches,
    StaleCursor,
    WindowClosed,
    WindowOpen,
    schema,
)
from planhat_pipelines_tests.ledger.help import intend, picture, points


def test_a_new_sync_has_no_cursor_no_window_and_no_batches(ledger: Ledger) -> None:
    cursor = ledger.cursor("seats")
    assert (cursor.value, cursor.version, cursor.moved_at) == (None, 0, None)
    assert ledger.open_window("seats") is None
    assert ledger.batches("seats") == ledger.rejections() == ledger.parked() == ledger.runs() == []


def test_what_one_ledger_wrote_another_one_reads(ledger: Ledger, url: str) -> None:
    with ledger.claim("seats", "run 1") as claim:
        window = claim.begin({"from": 1, "to": "2026-11-22T00:00:00"}, 0)
        batch = intend(claim, window, "body", "a", "b")
        with Ledger.open(url) as other:
            assert other.open_window("seats") == window
            assert other.batches("seats", "intended") == [batch]
            claim.settle(batch.id, {"created": 2})
            cursor = claim.commit(window, {"to": 2})
            assert other.cursor("seats") == cursor
            assert (cursor.value, cursor.version, cursor.run) == ({"to": 2}, 1, "run 1")
            assert other.open_window("seats") is None


def test_row_keys_of_any_script_and_with_line_breaks_come_back_as_they_were(ledger: Ledger) -> None:
    keys = ["1", "Å ö 漢字 🦊", "two\nlines", 'quote " and \\u0000', "nul \0", ""]
    with ledger.claim("seats", "run") as claim:
        assert intend(claim, None, "list", rows=keys).rows == keys
        assert intend(claim, None, "series", rows=pl.Series(keys)).rows == keys
    assert [batch.rows for batch in ledger.batches("seats")] == [keys, keys]


def test_points_come_back_over_the_whole_range(ledger: Ledger) -> None:
    with ledger.claim("seats", "run") as claim:
        intend(claim, None, "body", "a", "b", points=points(0, 2**64 - 1))
        intend(claim, None, "records", points=None, dimensions=(), first_day=None, last_day=None)
    first, second = ledger.batches("seats")
    assert first.points is not None
    assert first.points.tolist() == [0, 2**64 - 1]
    assert second.points is None


def test_a_batch_gets_the_same_id_wherever_it_is_intended_and_equal_bodies_get_different_ones(
    ledger: Ledger,
) -> None:
    with ledger.claim("seats", "run") as claim:
        window = claim.begin({}, 0)
        first, second = intend(claim, window, "same"), intend(claim, window, "same")
        assert first.id != second.id
        claim.drop(second.id)
        assert intend(claim, window, "same").id == second.id
        claim.drop(first.id)
        assert intend(claim, window, "same").id not in {first.id, second.id}


def test_batches_are_found_by_state_and_window_in_the_order_of_sending(ledger: Ledger) -> None:
    with ledger.claim("seats", "run") as claim:
        window = claim.begin({}, 0)
        a, b, c = intend(claim, window, "a"), intend(claim, None, "b"), intend(claim, window, "c")
        claim.settle(c.id, {})
        claim.hold(b.id, "read-back gave nothing")

        def found(*states: str, **where: int) -> list[str]:
            return [batch.id for batch in ledger.batches("seats", *states, **where)]

        assert found() == [a.id, b.id, c.id]
        assert found("intended") == [a.id]
        assert found("held", "settled") == [b.id, c.id]
        assert found(window=window.id) == [a.id, c.id]
        assert ledger.batches("seats", "held")[0].reason == "read-back gave nothing"
        assert ledger.batches("another") == []


def test_a_settled_held_or_dropped_batch_takes_no_further_step(ledger: Ledger) -> None:
    with ledger.claim("seats", "run") as claim:
        settled, held, dropped = (intend(claim, None, body, "a") for body in ("a", "b", "c"))
        claim.settle(settled.id, {"created": 1})
        claim.hold(held.id, "nobody knows")
        claim.drop(dropped.id)
        before = picture(ledger, "seats")
        for batch, state in ((settled, "settled"), (held, "held"), (dropped, None)):
            rest = {"body_hash": "rest", "purpose": "metrics", "items": 0, "rows": [], "points": None}
            rest |= {"window": None, "dimensions": (), "first_day": None, "last_day": None}
            for step in (
                lambda id: claim.settle(id, {}, rejections=[NewRejection("a", "planhat", "no")]),
                lambda id: claim.hold(id, "why"),
                claim.drop,
                lambda id, rest=rest: claim.supersede(id, {}, None, **rest),
            ):
                with pytest.raises(BatchState, match="sync 'seats'") as caught:
                    step(batch.id)
                assert caught.value.state == state
        assert picture(ledger, "seats") == before


def test_a_batch_of_another_sync_can_not_be_touched(ledger: Ledger) -> None:
    with ledger.claim("seats", "run") as claim, ledger.claim("logins", "run") as other:
        batch = intend(claim, None, "body")
        with pytest.raises(BatchState):
            other.settle(batch.id, {})
        window = claim.begin({}, 0)
        with pytest.raises(WindowClosed):
            other.commit(window, {})
        with pytest.raises(WindowClosed):
            intend(other, window, "body")


def test_settling_writes_receipt_rejections_unparked_rows_and_points_in_one_step(ledger: Ledger) -> None:
    with ledger.claim("seats", "run") as claim:
        claim.park(
            [NewParked("a", "company", "externalId", "c1"), NewParked("z", "company", "externalId", "c2")]
        )
        batch = intend(claim, None, "body", "a", "b", "c")
        claim.settle(
            batch.id,
            {"created": 2, "refused": 1},
            rejections=[NewRejection("b", "planhat", "value is not in the list", field="status", key="B-1")],
            unpark=["a"],
            points=points(7, 9),
        )
    (settled,) = ledger.batches("seats", "settled")
    assert settled.counts == {"created": 2, "refused": 1}
    assert settled.settled_at is not None
    assert settled.settled_at >= settled.intended_at
    assert ledger.fingerprints(["seats"], 10, 12).tolist() == [7, 9]
    assert [row.row for row in ledger.parked("seats")] == ["z"]
    (rejection,) = ledger.rejections("seats")
    assert (rejection.row, rejection.field, rejection.key) == ("b", "status", "B-1")


def test_superseding_settles_what_was_found_and_intends_the_rest(ledger: Ledger) -> None:
    with ledger.claim("seats", "run") as claim:
        window = claim.begin({}, 0)
        old = intend(claim, window, "all", "a", "b")
        rest = claim.supersede(
            old.id,
            {"submitted": 1},
            points(0),
            window=window.id,
            body_hash="rest",
            purpose="metrics",
            items=1,
            rows=["b"],
            points=points(1),
            dimensions=["seats"],
            first_day=11,
            last_day=11,
        )
        assert [batch.id for batch in ledger.batches("seats", "settled")] == [old.id]
        assert ledger.batches("seats", "intended") == [rest]
        assert ledger.fingerprints(["seats"], 0, 99).tolist() == [0]


def test_fingerprints_are_those_of_settled_batches_near_in_dimension_and_days_of_any_sync(
    ledger: Ledger,
) -> None:
    with ledger.claim("seats", "run") as seats, ledger.claim("backfill", "run") as backfill:
        a = intend(seats, None, "a", points=points(1), first_day=10, last_day=12)
        b = intend(backfill, None, "b", points=points(2), first_day=12, last_day=20)
        c = intend(seats, None, "c", points=points(3), dimensions=("logins", "seats", "seats"), last_day=10)
        d = intend(seats, None, "d", points=points(4), dimensions=("logins",))
        intend(seats, None, "intended", points=points(5))
        held = intend(seats, None, "held", points=points(6))
        seats.hold(held.id, "nobody knows")
        for claim, batch in ((seats, a), (backfill, b), (seats, c), (seats, d)):
            claim.settle(batch.id, {})

    def near(*dimensions: str, days: tuple[int, int], **excluding: list[str]) -> list[int]:
        return sorted(ledger.fingerprints(dimensions, *days, **excluding).tolist())

    assert near("seats", days=(12, 12)) == [1, 2]
    assert near("seats", days=(0, 9)) == []
    assert near("seats", days=(21, 99)) == []
    assert near("seats", days=(10, 10)) == [1, 3]
    assert near("seats", "logins", days=(0, 99)) == [1, 2, 3, 4]
    assert near("seats", "logins", days=(0, 99), excluding=[a.id, d.id]) == [2, 3]
    assert near(days=(0, 99)) == []
    assert ledger.fingerprints(["seats"], 0, 9).dtype == "uint64"


def test_a_batch_with_dimensions_and_without_days_is_refused_whole(ledger: Ledger) -> None:
    with ledger.claim("seats", "run") as claim:
        with pytest.raises(ValueError, match="first and last day"):
            intend(claim, None, "body", first_day=None)
        assert ledger.batches("seats") == []


def test_the_cursor_does_not_move_while_a_batch_of_the_window_is_intended(ledger: Ledger) -> None:
    with ledger.claim("seats", "run") as claim:
        window = claim.begin({}, 0)
        first, second = intend(claim, window, "a"), intend(claim, window, "b")
        intend(claim, None, "of no window")
        claim.settle(first.id, {})
        for close in (lambda: claim.commit(window, {"at": 1}), lambda: claim.abandon(window)):
            with pytest.raises(OpenBatches, match="1 batch") as caught:
                close()
            assert caught.value.batches == 1
        assert ledger.cursor("seats").version == 0
        assert ledger.open_window("seats") == window
        claim.hold(second.id, "nobody knows")
        assert claim.commit(window, {"at": 1}).version == 1


def test_a_window_begins_only_from_the_cursor_as_it_is(ledger: Ledger) -> None:
    with ledger.claim("seats", "run") as claim:
        with pytest.raises(StaleCursor, match="version 3, but it is now at version 0"):
            claim.begin({}, 3)
        claim.commit(claim.begin({}, 0), {"at": 1})
        with pytest.raises(StaleCursor):
            claim.begin({}, 0)
        assert claim.begin({}, 1).cursor_version == 1


def test_a_sync_has_one_open_window_and_a_closed_one_stays_closed(ledger: Ledger) -> None:
    with ledger.claim("seats", "run") as claim:
        window = claim.begin({"to": 1}, 0)
        with pytest.raises(WindowOpen):
            claim.begin({"to": 2}, 0)
        claim.abandon(window)
        assert ledger.open_window("seats") is None
        assert ledger.cursor("seats").version == 0
        for step in (
            lambda: claim.commit(window, {"at": 1}),
            lambda: claim.abandon(window),
            lambda: intend(claim, window, "late"),
        ):
            with pytest.raises(WindowClosed):
                step()
        assert claim.begin({"to": 2}, 0).id != window.id


def test_a_repeated_rejection_keeps_its_first_date_and_counts_up(ledger: Ledger) -> None:
    with ledger.claim("seats", "run 1") as claim:
        claim.reject(
            [NewRejection("a", "map", "not a number", field="ARR"), NewRejection("b", "map", "empty")]
        )
        claim.reject([NewRejection("a", "planhat", "unknown field")])
    newest, older = ledger.rejections("seats")
    assert (newest.row, newest.stage, newest.field, newest.reason, newest.times) == (
        "a",
        "planhat",
        None,
        "unknown field",
        2,
    )
    assert newest.first_seen == older.first_seen < newest.last_seen
    assert [row.row for row in ledger.rejections(limit=1)] == ["a"]


def test_one_row_twice_in_one_call_is_one_rejection_and_one_parked_row(ledger: Ledger) -> None:
    with ledger.claim("seats", "run") as claim:
        claim.reject([NewRejection("a", "map", "first"), NewRejection("a", "map", "second")])
        claim.park(
            [NewParked("p", "company", "externalId", "c1"), NewParked("p", "company", "externalId", "c2")]
        )
    assert [(row.row, row.reason, row.times) for row in ledger.rejections()] == [("a", "second", 2)]
    assert [(row.row, row.target) for row in ledger.parked()] == [("p", "c2")]


def test_thousands_of_rejections_go_in_at_once_and_are_closed_at_once(ledger: Ledger) -> None:
    with ledger.claim("seats", "run") as claim:
        claim.reject(NewRejection(str(number), "map", "empty") for number in range(12_345))
        assert len(ledger.rejections("seats")) == 12_345
        claim.resolve(pl.Series([str(number) for number in range(12_344)]))
        assert [row.row for row in ledger.rejections("seats")] == ["12344"]


def test_keys_no_index_can_hold_are_kept_in_short(ledger: Ledger) -> None:
    long, with_nul = "k" * 100_000, "a\0b"
    with ledger.claim("seats", "run") as claim:
        claim.reject(
            [NewRejection(long, "read", "quote without an end" * 1000), NewRejection(with_nul, "map", "\0")]
        )
        claim.reject([NewRejection(long, "read", "again")])
        claim.park([NewParked(long + "2", "company", "externalId", long)])
        claim.tried([long + "2"])
        assert sorted(row.times for row in ledger.rejections()) == [1, 2]
        assert ledger.parked()[0].tries == 1
        claim.resolve([long, with_nul])
        claim.unpark([long + "2"])
    assert ledger.rejections() == ledger.parked() == []


def test_a_settled_batch_closes_what_earlier_runs_rejected_of_its_rows(ledger: Ledger) -> None:
    with ledger.claim("seats", "run 1") as claim:
        claim.reject(NewRejection(row, "map", "empty") for row in ("a", "b", "c", "d"))
    with ledger.claim("logins", "run 1") as other:
        other.reject([NewRejection("a", "map", "empty")])
    with ledger.claim("seats", "run 2") as claim:
        claim.reject([NewRejection("c", "map", "another line of the same key is empty")])
        batch = intend(claim, None, "body", "a", "b", "c")
        claim.settle(batch.id, {"created": 2, "refused": 1}, rejections=[NewRejection("b", "planhat", "no")])
    assert sorted((row.row, row.times) for row in ledger.rejections("seats")) == [
        ("b", 2),
        ("c", 2),
        ("d", 1),
    ]
    assert [row.row for row in ledger.rejections("logins")] == ["a"]


def test_parked_rows_keep_their_date_count_their_tries_and_go(ledger: Ledger) -> None:
    with ledger.claim("seats", "run") as claim:
        claim.park(
            [NewParked("a", "company", "externalId", "c1"), NewParked("b", "company", "sourceId", "c2")]
        )
        claim.tried(["a", "b"])
        claim.tried(["a"])
        claim.park([NewParked("a", "company", "externalId", "c3")])
        first, second = ledger.parked("seats")
        assert (first.row, first.target, first.tries, second.tries) == ("a", "c3", 2, 1)
        assert first.since == second.since
        assert first.tried_at is not None
        assert second.tried_at is not None
        assert first.tried_at > second.tried_at
        claim.unpark(["a", "unheard of"])
        claim.unpark([])
        assert [row.row for row in ledger.parked()] == ["b"]


def test_runs_are_listed_the_latest_first_with_how_they_ended(ledger: Ledger) -> None:
    with ledger.claim("seats", "run 1") as claim:
        assert [run.state for run in ledger.runs()] == ["running"]
        claim.finish("done", {"created": 3}, "three rows")
    with pytest.raises(ZeroDivisionError), ledger.claim("seats", "run 2"):
        _ = 1 / 0
    with ledger.claim("seats", "run 3"):
        pass
    with ledger.claim("logins", "run 3") as claim:
        claim.finish("failed", {}, "token refused")
    assert [(run.sync, run.id, run.state, run.message) for run in ledger.runs()] == [
        ("logins", "run 3", "failed", "token refused"),
        ("seats", "run 3", "failed", "ended without a result"),
        ("seats", "run 2", "failed", "ended with ZeroDivisionError"),
        ("seats", "run 1", "done", "three rows"),
    ]
    assert [run.id for run in ledger.runs("seats", limit=1)] == ["run 3"]
    assert ledger.runs("seats")[-1].counts == {"created": 3}


def test_a_repeated_run_is_one_record(ledger: Ledger) -> None:
    with pytest.raises(ZeroDivisionError), ledger.claim("seats", "run"):
        _ = 1 / 0
    with ledger.claim("seats", "run") as claim:
        claim.finish("done", {"created": 1})
    assert [(run.state, run.message) for run in ledger.runs()] == [("done", "")]


def test_only_conflicts_have_columns_for_a_customers_value(ledger: Ledger) -> None:
    with ledger.database.read() as connection:
        inspector = sa.inspect(connection)
        found = {
            name: {c["name"] for c in inspector.get_columns(name)} for name in inspector.get_table_names()
        }
    assert found == {name: set(table.c.keys()) for name, table in schema.metadata.tables.items()}
    assert found["planhat_batches"] & {"body", "values", "payload"} == set()
    assert [name for name, columns in found.items() if columns & {"snowflake", "planhat"}] == [
        "planhat_conflicts"
    ]
