"""The account of a run balances, or it says by how much it does not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_pipelines.engine.protocols import Refusal, Verdict
from planhat_pipelines.engine.report import SAMPLE, VERDICTS, Report, Unbalanced


@given(st.dictionaries(st.sampled_from(VERDICTS), st.integers(0, 50)), st.integers(-3, 3))
def test_a_report_balances_only_when_every_row_has_one_verdict(counts: dict[Verdict, int], off: int) -> None:
    report = Report("seats", "run", rows_read=sum(counts.values()) + off)
    report.count(counts)
    if off == 0:
        report.balance()
    else:
        with pytest.raises(Unbalanced, match=re.escape(f"({-off:+d})")):
            report.balance()
    assert {verdict: report.counts[verdict] for verdict in counts} == counts


def test_a_report_keeps_a_sample_of_refusals_and_counts_all_by_reason() -> None:
    report = Report("seats", "run")
    report.refuse(Refusal(str(row), "map", "DAY", "is empty") for row in range(3 * SAMPLE))
    assert len(report.sample) == SAMPLE
    assert report.reasons == {("DAY", "is empty"): 3 * SAMPLE}
