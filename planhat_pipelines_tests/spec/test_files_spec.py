"""What people write for files is checked before a file is touched, and every refusal says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from planhat_pipelines.spec.files import FilesSpec
from planhat_pipelines_tests.spec.files import load_text, only_problem

DEVICES = """\
type: planhat_pipelines.S3Files
attributes:
  name: devices
  bucket: acme-drops
  prefix: devices/
  pattern: "*.csv"
  every: 5m
  files: {format: csv, delimiter: ";"}
  metrics:
    target: {model: company, column: customer, id: external}
    date: {column: seen_at, timezone: Europe/Stockholm}
    values:
      - {metric: active_devices, column: device_id, aggregate: count_distinct}
      - {metric: minutes_used, column: minutes}
"""


def test_what_is_left_out_is_found_from_the_file_or_has_a_sane_default(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, DEVICES)
    assert loaded.problems == ()
    spec = loaded.syncs[0].spec
    assert isinstance(spec, FilesSpec)
    assert spec.metrics
    assert [each.aggregate for each in spec.metrics.values] == ["count_distinct", "sum"]
    assert (spec.files.encoding, spec.files.header_row, spec.settle_seconds) == (None, None, 30)
    assert (spec.processed, spec.failed, spec.rejected) == ("processed/", "failed/", "rejected/")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("bucket: acme-drops", "bucket: s3://acme-drops", "bucket"),
        ("prefix: devices/", "prefix: /devices/", "prefix"),
        ('pattern: "*.csv"', 'pattern: ""', "pattern"),
        ("every: 5m", 'every: 5m\n  done_marker: ""', "done_marker"),
        ("every: 5m", "every: 5m\n  processed: done", "processed"),
        ("every: 5m", "every: 5m\n  settle_seconds: -1", "settle_seconds"),
        ("format: csv", "encoding: utf-7000", "there is no encoding 'utf-7000'"),
        ("format: csv", "format: parquet", "format"),
        ("format: csv", "header_row: 0", "header_row"),
        ("aggregate: count_distinct", "aggregate: median", "aggregate"),
        ("metric: minutes_used", "metric: active_devices", "is mapped 2 times"),
        ("every: 5m", "every: 5m\n  failed: processed/", "share a folder"),
    ],
)
def test_a_value_that_cannot_be_is_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert DEVICES.count(old) == 1
    problem = only_problem(tmp_path, DEVICES.replace(old, new))
    assert words in f"{problem}"


@pytest.mark.parametrize(
    ("prefix", "pattern", "fits"),
    [
        ("", "*.csv", True),
        ("", "**", False),
        ("", "**/*.csv", False),
        ("in/", "**", True),
        ("processed/", "*.csv", False),
        ("processed/more/", "*.csv", False),
    ],
)
def test_files_that_were_moved_away_can_never_be_listed_again(
    tmp_path: Path, prefix: str, pattern: str, fits: bool
) -> None:
    text = DEVICES.replace("prefix: devices/", f'prefix: "{prefix}"').replace('"*.csv"', f'"{pattern}"')
    if fits:
        assert load_text(tmp_path, text).problems == ()
    else:
        assert "would be imported again" in f"{only_problem(tmp_path, text)}"


def test_rows_go_to_exactly_one_place(tmp_path: Path) -> None:
    records = "  records: {model: company, key: {column: a, field: externalId}, fields: [{column: b, field: name}]}\n"
    assert "write exactly one of" in f"{only_problem(tmp_path, DEVICES + records)}"
    nowhere = DEVICES.partition("  metrics:")[0]
    assert "nothing says where the rows go" in f"{only_problem(tmp_path, nowhere)}"
