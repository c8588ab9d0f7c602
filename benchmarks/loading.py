"""Loading the code location with sixty syncs: what it costs over importing dagster, up to Dagster's repository."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.harness import Bench, Line, Place, Work

SYNCS = 60
MOST = 1.0  # CPU seconds
_RECORDS = """\
type: planhat_pipelines.SnowflakeRecords
attributes:
  name: accounts_{at}
  table: CRM.PUBLIC.ACCOUNTS_{at}
  model: company
  key: {{column: ACCOUNT_ID, field: externalId}}
  every: 1h
  fields:
    - {{column: NAME, field: name}}
    - {{column: PHASE, field: phase}}
    - {{column: COUNTRY, field: country}}
    - {{column: ARR, field: custom.ARR, type: number}}
    - {{column: PROFILE, path: industry.name, field: custom.Industry}}
"""
_USAGE = """\
type: planhat_pipelines.SnowflakeUsage
attributes:
  name: usage_{at}
  table: PRODUCT.PUBLIC.USAGE_{at}
  incrementing_key: ROW_ID
  every: 5m
  metrics:
    target: {{model: company, column: ACCOUNT_ID, id: external}}
    date: USAGE_DATE
    values:
      - {{metric: seats_{at}, column: SEATS}}
      - {{metric: calls_{at}, column: CALLS}}
"""


def write_syncs(folder: Path, syncs: int) -> None:
    """A folder of definitions, half of them records, half usage."""
    for at in range(syncs):
        own = folder / f"sync_{at}"
        own.mkdir(parents=True)
        (own / "defs.yaml").write_text((_RECORDS if at % 2 else _USAGE).format(at=at))


def load(place: Place) -> Callable[[], int]:
    """As a code server does, in a process that has dagster already."""
    import dagster

    defs = place.file("defs")
    write_syncs(defs, place.rows)
    os.environ["PLANHAT_PIPELINES_DEFS"] = str(defs)
    assert dagster.__version__

    def work() -> int:
        from planhat_pipelines.definitions import defs

        repository = defs().get_repository_def()
        assert len(repository.schedule_defs) >= place.rows
        return place.rows

    return work


WORKS: dict[str, Work] = {"load": load}


def lines(bench: Bench) -> Iterator[Line]:
    """Sixty syncs and one, to tell what a sync costs from what is paid once."""
    for syncs in (SYNCS, 1):
        figures = bench.in_turn(__name__, ["load"], "", syncs)["load"]
        best = min(figure.cpu for figure in figures)
        yield Line(
            f"loading {syncs} syncs", figures, target=f"{MOST:g} s", reached=best < MOST, unit="s in all"
        )
