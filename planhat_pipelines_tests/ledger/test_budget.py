"""The call budget holds over all processes that share a ledger, and is used to the full."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from planhat_pipelines.ledger import Budget, Ledger, schema
from planhat_pipelines_tests.ledger.worker import CONTEXT, Worker, call_for_ever, hammer, workers


def calls_of_four(
    url: str, seconds: float, duration: float, **limits: float
) -> list[list[tuple[float, float]]]:
    """When the calls of four processes that call as fast as they may began and ended."""
    with workers(4, hammer, url, CONTEXT.Barrier(4), seconds, duration, limits) as started:
        return [worker.hear() for worker in started]


def test_four_processes_together_keep_the_rate_and_use_it(url: str) -> None:
    rate, burst, seconds = 10, 10, 4.0  # few enough that four processes keep it on a busy machine
    each = calls_of_four(url, seconds, 0.0, rate=rate, burst=burst, parallel=50)
    begins = sorted(began for calls in each for began, _ in calls)
    # Nowhere more than the burst and the rate; what began was let go at most 0.1 s before, on a busy machine.
    for first in range(0, len(begins), 5):
        for last in range(first, len(begins), 5):
            assert last - first + 1 <= burst + rate * (begins[last] - begins[first] + 0.1) + 1
    assert len(begins) >= burst + 0.95 * rate * (begins[-1] - begins[0]) - 1
    assert begins[-1] - begins[0] > 0.8 * seconds
    assert min(len(calls) for calls in each) >= len(begins) / 4 / 4  # nobody starves


def test_four_processes_together_never_call_more_at_once_than_they_may(url: str) -> None:
    each = calls_of_four(url, 3.0, 0.05, rate=1000, burst=1000, parallel=3)
    events = sorted(event for calls in each for began, ended in calls for event in ((began, 1), (ended, -1)))
    at_once = most = 0
    for _, change in events:
        at_once += change
        most = max(most, at_once)
    assert most <= 3
    assert min(len(calls) for calls in each) >= 2  # nobody starves


def test_a_minute_s_calls_leave_room_for_calls_that_take_longer_on_their_way(ledger: Ledger) -> None:
    for calls in (10, 30, 200, 60_000):
        pace = Budget.of_minute(ledger, f"{calls} calls", calls)
        assert pace.burst + 60 * pace.rate <= 0.98 * calls
    pace = Budget.of_minute(ledger, "all", 200)
    assert 60 * pace.rate >= 0.95 * 200
    assert pace.parallel <= 50


def test_threads_of_a_process_share_its_slots(ledger: Ledger) -> None:
    shared = Budget(ledger, "tenant", rate=1000, burst=1000, parallel=4)
    at_once, most, lock = 0, 0, threading.Lock()

    def call() -> None:
        nonlocal at_once, most
        with shared.call():
            with lock:
                at_once += 1
                most = max(most, at_once)
            time.sleep(0.05)
            with lock:
                at_once -= 1

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 4


def seconds_of(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def call(of: Budget) -> None:
    with of.call():
        pass


def test_a_429_makes_everybody_wait_and_lets_no_burst_loose_afterwards(ledger: Ledger, url: str) -> None:
    limits: dict[str, Any] = {"rate": 10, "burst": 5, "parallel": 50}
    with Ledger.open(url) as another:
        first, second = Budget(ledger, "tenant", **limits), Budget(another, "tenant", **limits)
        call(first)
        first.throttled(0.6)
        first.throttled(0.1)  # a shorter wait does not shorten the longer one
        assert 0.5 < seconds_of(lambda: call(second)) < 3
        assert seconds_of(lambda: [call(first) for _ in range(4)]) > 0.35


def test_a_429_reaches_those_who_wait_already(ledger: Ledger) -> None:
    shared = Budget(ledger, "tenant", rate=4, burst=1)
    call(shared)
    began = time.monotonic()
    waiting = threading.Thread(target=call, args=(shared,))
    waiting.start()
    time.sleep(0.05)
    shared.throttled(1.0)
    waiting.join()
    assert time.monotonic() - began > 0.95


def test_tenants_do_not_wait_for_each_other(ledger: Ledger) -> None:
    one, other = Budget(ledger, "one", rate=1, burst=1), Budget(ledger, "other", rate=1, burst=1)
    one.throttled(30)
    assert seconds_of(lambda: call(other)) < 1


def test_the_slots_of_a_killed_process_of_this_machine_are_free_at_once(ledger: Ledger, url: str) -> None:
    limits: dict[str, Any] = {"rate": 1000, "burst": 1000, "parallel": 2, "lease": 600.0}
    started = [Worker(call_for_ever, url, limits) for _ in range(2)]
    try:
        assert [worker.hear() for worker in started] == ["calling", "calling"]
        waited = threading.Thread(target=call, args=(Budget(ledger, "tenant", **limits),))
        waited.start()
        waited.join(0.5)
        assert waited.is_alive()
        began = time.monotonic()
        started[0].kill()
        waited.join(10)
        assert not waited.is_alive()
        assert time.monotonic() - began < 2
    finally:
        for worker in started:
            worker.kill()


def test_the_slots_of_a_process_elsewhere_are_free_after_their_lease(ledger: Ledger) -> None:
    limits: dict[str, Any] = {"rate": 1000, "burst": 1000, "parallel": 1}
    holder = Budget(ledger, "tenant", **limits, lease=1.0).call()
    holder.__enter__()
    with ledger.database.write() as connection:
        connection.execute(
            schema.slots.update().values(process={"host": "elsewhere", "pid": 1, "started": "1"})
        )
    assert 0.5 < seconds_of(lambda: call(Budget(ledger, "tenant", **limits))) < 5
    holder.__exit__(None, None, None)


def test_a_call_that_fails_frees_its_slot(ledger: Ledger) -> None:
    single = Budget(ledger, "tenant", rate=1000, burst=1000, parallel=1)
    for _ in range(3):
        with pytest.raises(ConnectionError), single.call():
            raise ConnectionError
    assert seconds_of(lambda: call(single)) < 1


def test_a_waiting_caller_sleeps(ledger: Ledger) -> None:
    slow = Budget(ledger, "tenant", rate=1, burst=1, parallel=1)
    call(slow)
    cpu = time.process_time()
    assert seconds_of(lambda: call(slow)) > 0.9
    assert time.process_time() - cpu < 0.2


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_does_not_stop_the_calls(ledger: Ledger, hours: int) -> None:
    shared = Budget(ledger, "tenant", rate=5, burst=2)
    for _ in range(3):
        call(shared)
    with ledger.database.write() as connection:
        ahead = schema.budgets.c.seen - 3600.0 * hours
        connection.execute(schema.budgets.update().values(seen=ahead))
    assert seconds_of(lambda: [call(shared) for _ in range(3)]) < 3
