"""YAML files for the tests of the reader."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from planhat_pipelines.spec.load import Loaded, load
from planhat_pipelines.spec.positions import Problem

SEATS = """\
type: planhat_pipelines.SnowflakeUsage
attributes:
  name: seats
  table: PRODUCT.PUBLIC.DAILY_SEATS
  incrementing_key: ROW_ID
  overlap: 500
  every: {at: daily at 06:00, timezone: Europe/Stockholm}
  metrics:
    target: {model: company, column: ACCOUNT_ID, id: external}
    date:
      column: USAGE_DATE
      timezone: UTC
    values:
      - {metric: active_seats, column: ACTIVE_SEATS}
      - metric: idle_seats
        column: SEATS
        path: idle.count
"""

LOGINS = """\
type: planhat_pipelines.SnowflakeUsage
attributes:
  name: logins
  table: PRODUCT.PUBLIC.LOGINS
  incrementing_key: ROW_ID
  every: 5m
  activities:
    enduser: {column: EMAIL, id: email}
    action: {value: signed in}
    date: AT
"""


def write(folder: Path, text: str | bytes, name: str = "defs.yaml") -> Path:
    """`text` as `folder/name`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_bytes(dedent(text).encode() if isinstance(text, str) else text)
    return file


def load_text(folder: Path, text: str | bytes) -> Loaded:
    """What is read from a folder with one sync folder that holds `text`."""
    write(folder / "sync", text)
    return load(folder)


def only_problem(folder: Path, text: str | bytes) -> Problem:
    """The single problem of `text`, which must be in its file."""
    problems = load_text(folder, text).problems
    assert len(problems) == 1, problems
    assert problems[0].file == folder / "sync" / "defs.yaml"
    return problems[0]
