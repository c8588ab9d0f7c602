"""Measure work in processes of its own and show the figures.

A case is a module with `lines`, which yields lines of the table, and `WORKS`, the pieces of work it measures: each
takes a `Place`, does what is not to be measured (imports, one small round to warm up), and returns the work itself, a
function that gives the number of rows it took. With `COUNTS_CHILDREN`, processes that the work starts and ends count
too.
"""

from __future__ import annotations

import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

from benchmarks.data import pieces

if TYPE_CHECKING:
    from http.client import HTTPConnection

    from planhat_pipelines.ledger import Ledger
    from planhat_pipelines.planhat.client import Planhat

TOKEN, TENANT = "benchmark", "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Place:
    """What a piece of work gets: files in `folder`, the sink's address, rows to take."""

    folder: str
    sink: str
    rows: int

    def file(self, name: str) -> Path:
        return Path(self.folder) / name


Work = Callable[[Place], Callable[[], int]]


@dataclass(frozen=True)
class Figure:
    """One measurement: seconds of CPU in all threads of the process, seconds on the wall, and its largest memory."""

    rows: int
    cpu: float
    wall: float
    peak_mb: float

    @property
    def us(self) -> float:
        """Microseconds of CPU a row."""
        return self.cpu / self.rows * 1e6


@dataclass(frozen=True)
class Line:
    """One line of the table. `ratio`: by how much it is better than the naive way; `limit`: share of the limit."""

    case: str
    figures: Sequence[Figure]
    ratio: float | None = None
    limit: float | None = None
    target: str = ""
    reached: bool | None = None
    unit: str = "us a row"

    @property
    def best(self) -> Figure:
        return min(self.figures, key=lambda figure: figure.cpu)


@dataclass
class Bench:
    """What cases are given: how many rows and runs, a folder, and how to measure."""

    folder: Path
    rows: Sequence[int]
    runs: int
    _made: set[str] = field(default_factory=set)

    def data(self, kind: str, rows: int) -> str:
        """The name of a parquet file of `rows` rows, see data.py."""
        name = f"{kind}-{rows}.parquet"
        if name not in self._made:
            subprocess.run(
                [sys.executable, "-m", "benchmarks.data", kind, str(rows), self.folder / name], check=True
            )
            self._made.add(name)
        return name

    def in_turn(self, module: str, works: Sequence[str], sink: str, rows: int) -> dict[str, list[Figure]]:
        """Measure pieces of work one after the other, and that several times. All have to send the same."""
        found: dict[str, list[Figure]] = {work: [] for work in works}
        sent: dict[str, object] = {}
        for _ in range(self.runs):
            for work in works:
                with tempfile.TemporaryDirectory(dir=self.folder) as own:
                    for made in self._made:
                        (Path(own) / made).hardlink_to(self.folder / made)
                    found[work].append(measured(module, work, Place(own, sink, rows)))
                sent[work] = json.loads(ask(sink, "/first") or b"[]") if sink else None
        assert all(each == sent[works[0]] for each in sent.values()), (
            f"{module}: {works} do not send the same"
        )
        return found


def measured(module: str, work: str, place: Place) -> Figure:
    """Run one piece of work in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.harness", module, work, json.dumps(asdict(place))]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return Figure(**json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def sink(latency: float = 0.0) -> Iterator[str]:
    """The address of a sink that runs as long as the block."""
    command = [sys.executable, "-m", "benchmarks.sink", str(latency)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


@contextmanager
def connected(place: Place, ledger: str) -> Iterator[tuple[Ledger, Planhat]]:
    """A ledger in the place's folder and a client of the sink, with a budget of which every turn is taken and none is
    waited for."""
    from planhat_pipelines.ledger import Budget, Ledger
    from planhat_pipelines.planhat.account import Account
    from planhat_pipelines.planhat.client import Planhat

    account = Account(TOKEN, TENANT, place.sink, place.sink)
    with Ledger.open(f"sqlite:///{place.file(ledger)}") as book:
        budget = Budget(book, place.sink, rate=1e6, burst=10_000)
        with Planhat(account, budget=budget) as planhat:
            yield book, planhat


def put(connection: HTTPConnection, method: str, path: str, body: bytes) -> None:
    """One bare call; the answer is read and not looked at."""
    connection.request(
        method, path, body, {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    )
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200


def small(place: Place, kind: str, rows: int) -> None:
    """The first rows of the place's file as a file of its own, to warm up with."""
    first = next(pieces(place.file(f"{kind}-{place.rows}.parquet")))[:rows]
    first.write_parquet(place.file(f"{kind}-{rows}.parquet"))


def ask(address: str, path: str, method: str = "GET") -> bytes:
    """One call to the sink's own pages."""
    with urlopen(Request(address + path, method=method), timeout=30) as answer:  # noqa: S310  (loopback)
        return answer.read()


def side_by_side(
    bench: Bench, module: str, kind: str, name: str, *, times: float, share: float | None = None
) -> Iterator[Line]:
    """`ours`, `naive` and `limit` of a case in turn, over the same rows. The target: `times` as good as the naive way,
    and that `share` of the limit."""
    for rows in bench.rows:
        bench.data(kind, rows)
        with sink() as address:
            found = bench.in_turn(module, ("ours", "naive", "limit"), address, rows)
        ours, naive, limit = (Line(f"{name}: {work}", figures) for work, figures in found.items())
        ratio, part = naive.best.us / ours.best.us, limit.best.us / ours.best.us
        target = f"{times:g} x naive" + (f", {share:.0%}" if share else "")
        reached = ratio >= times and part >= (share or 0)
        yield replace(ours, ratio=ratio, limit=part, target=target, reached=reached)
        yield replace(naive, ratio=1.0, limit=limit.best.us / naive.best.us)
        yield replace(limit, ratio=naive.best.us / limit.best.us, limit=1.0)


def table(lines: Sequence[Line]) -> str:
    """The lines as a Markdown table; CPU is the best run's, with the median in brackets."""
    names = (
        "case",
        "rows",
        "CPU us a row",
        "rows/s",
        "peak MB",
        "ratio to naive",
        "of the limit",
        "target",
        "reached",
    )
    cells: list[tuple[str, ...]] = [names]
    for line in lines:
        best = line.best
        median = statistics.median(figure.us for figure in line.figures)
        cpu = (
            f"{best.us:,.2f} ({median:,.2f})" if line.unit.startswith("us") else f"{best.cpu:.2f} {line.unit}"
        )
        cells.append(
            (
                line.case,
                f"{best.rows:,}",
                cpu,
                f"{best.rows / min(figure.wall for figure in line.figures):,.0f}",
                f"{min(figure.peak_mb for figure in line.figures):,.0f}",
                "" if line.ratio is None else f"{line.ratio:.2f}",
                "" if line.limit is None else f"{line.limit:.0%}",
                line.target,
                "" if line.reached is None else "yes" if line.reached else "NO",
            )
        )
    widths = [max(len(row[at]) for row in cells) for at in range(len(names))]
    rows = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    return "\n".join([rows[0], "| " + " | ".join("-" * width for width in widths) + " |", *rows[1:]])


def _child(module: str, work: str, place: Mapping[str, object]) -> None:
    import resource

    case = importlib.import_module(module)
    counted = [resource.RUSAGE_SELF]
    counted += [resource.RUSAGE_CHILDREN] if getattr(case, "COUNTS_CHILDREN", False) else []

    def used() -> float:
        usages = [resource.getrusage(whose) for whose in counted]
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)

    ready = case.WORKS[work](Place(**place))  # type: ignore[arg-type]
    before, start = used(), time.perf_counter()
    rows = ready()
    wall, cpu = time.perf_counter() - start, used() - before
    scale = 2**20 if sys.platform == "darwin" else 2**10
    peak = max(resource.getrusage(whose).ru_maxrss for whose in counted) / scale
    print(json.dumps(asdict(Figure(rows, cpu, wall, peak))))


if __name__ == "__main__":
    _child(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
