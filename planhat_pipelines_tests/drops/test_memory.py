"""The memory of an import does not grow with its file."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from planhat_pipelines_tests.drops.dock import Dock, csv


def imported(dock: Dock, rows: int) -> dict[str, int]:
    """How much memory (in KB) it takes to bring so many rows to points of a month."""
    lines = (
        (f"c-{at % 20}", f"2026-10-{at % 30 + 1:02}T08:00:00Z", f"device {at % 999}", at % 60)
        for at in range(rows)
    )
    dock.drop(f"{rows}.csv", csv("customer,at,device,minutes", lines))
    command = [sys.executable, "-m", "planhat_pipelines_tests.drops.peak"]
    environment = {**os.environ, **dock.environment, "POLARS_MAX_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        command, input=json.dumps(dock.facts()), env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("submitted") == rows
    return found


@pytest.mark.long
def test_ten_times_the_rows_take_hardly_more_memory(dock: Dock) -> None:
    dock.companies(*(f"c-{number}" for number in range(20)))
    small, large = imported(dock, 30_000), imported(dock, 300_000)
    assert large["run"] < 1.3 * small["run"]
    assert large["reader"] < 1.5 * small["reader"]
