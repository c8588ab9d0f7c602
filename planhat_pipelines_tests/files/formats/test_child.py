from __future__ import annotations

import contextlib
import os
import pickle
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from planhat_pipelines.files.formats import FileOptions, Limits, Reading, Unreadable, read
from planhat_pipelines_tests.files.formats.help import inline, workbook


def _drop(folder: Path, content: bytes) -> Path:
    path = folder / "drop.bin"
    path.write_bytes(content)
    return path


def _long_csv(rows: int) -> bytes:
    return b"id,note\n" + b"".join(b'%d,"a ""quoted"" note"\r1,x\n' % n for n in range(rows))


def test_a_file_is_read_into_a_folder_that_others_cannot_enter(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "pieces"
    reading = read(_drop(tmp_path, b"id;name\n007;x\n8\n"), folder, FileOptions(delimiter=";"))
    assert reading == Reading(
        format="csv",
        columns=("id", "name"),
        rows=1,
        refused=1,
        pieces=(folder / "rows-00000.parquet",),
        refused_pieces=(folder / "refused-00000.parquet",),
        encoding="utf-8",
        delimiter=";",
        header_row=1,
    )
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    piece = pl.read_parquet(reading.pieces[0])
    assert piece.schema == {"__line": pl.Int64, "id": pl.String, "name": pl.String}
    assert piece.rows() == [(2, "007", "x")]
    assert pl.read_parquet(reading.refused_pieces[0]).rows() == [
        (3, "it has 1 cells, where 2 were expected", ["8"])
    ]


def test_a_workbook_is_read_within_the_default_limits(tmp_path: Path) -> None:
    reading = read(_drop(tmp_path, workbook(inline(1, "a", "b") + inline(2, "x", "y"))), tmp_path / "pieces")
    assert (reading.format, reading.sheet, reading.rows, reading.numeric) == ("xlsx", "One", 1, ())


def test_a_folder_in_use_is_not_written_to(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not empty"):
        read(_drop(tmp_path, b"a\n1\n"), tmp_path)


def test_why_a_file_is_unreadable_comes_back_in_its_parts(tmp_path: Path) -> None:
    with pytest.raises(Unreadable) as raised:
        read(_drop(tmp_path, b'id,name\n1,"secret\n'), tmp_path / "pieces")
    error = raised.value
    assert (error.what, error.where) == ("a quote is opened and never closed", "line 2")
    assert error.cure
    assert "secret" not in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301


def test_a_file_above_the_size_limit_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="the file has 1,001 bytes, more than the 1,000"):
        read(_drop(tmp_path, b"x" * 1_001), tmp_path / "pieces", limits=Limits(file_bytes=1_000))


def test_a_reader_out_of_memory_leaves_this_process_alive(tmp_path: Path) -> None:
    limits = Limits(memory_bytes=1_000_000_000, line_bytes=200_000_000, field_bytes=200_000_000)
    content = b'{"a":"' + b"x" * 150_000_000 + b'"}'
    with pytest.raises(Unreadable, match="MB of memory"):
        read(_drop(tmp_path, content), tmp_path / "pieces", limits=limits)


def test_a_reader_that_takes_too_much_cpu_or_time_is_ended(tmp_path: Path, endless: Path) -> None:
    with pytest.raises(Unreadable, match="more than 1 seconds of CPU"):
        read(_drop(tmp_path, _long_csv(1_500_000)), tmp_path / "cpu", limits=Limits(cpu_seconds=1))
    with pytest.raises(Unreadable, match="took longer than 1 seconds"):
        read(endless, tmp_path / "wall", limits=Limits(wall_seconds=1))


def test_an_error_nobody_foresaw_is_told_without_the_values_in_it(tmp_path: Path) -> None:
    styles = '<cellXfs count="1"><xf numFmtId="secret"/></cellXfs>'
    with pytest.raises(
        Unreadable, match=r"a way the reader does not know \(ValueError, xlsx_book.py"
    ) as raised:
        read(_drop(tmp_path, workbook(inline(1, "a"), styles=styles)), tmp_path / "pieces")
    assert "secret" not in str(raised.value)


def test_a_full_disk_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="File too large"):
        read(_drop(tmp_path, _long_csv(20)), tmp_path / "pieces", limits=Limits(unpacked_bytes=100))


def test_the_reader_ends_when_its_parent_is_killed(tmp_path: Path, endless: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from planhat_pipelines.files.formats import read; "
        "read(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(endless), str(tmp_path / "pieces")])
    try:
        with endless.open("wb"):  # once it is read
            family = _readers(parent.pid)
            assert len(family) == 3
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
    _wait(lambda: not set(family) & set(_parents()))


def test_readers_do_not_wait_for_each_other_and_go_on_when_what_they_are_forked_from_is_killed(
    tmp_path: Path, endless: Path
) -> None:
    short = _drop(tmp_path, b"a\n1\n")
    with ThreadPoolExecutor() as pool:
        first = pool.submit(read, endless, tmp_path / "1")
        with endless.open("wb"):
            forker, _, reader = _readers(os.getpid())
            try:
                assert read(short, tmp_path / "2").rows == 1
                os.kill(forker, signal.SIGKILL)
                assert read(short, tmp_path / "3").rows == 1
            finally:
                os.kill(reader, signal.SIGKILL)
        with pytest.raises(Unreadable, match=r"the reader crashed \(SIGKILL\)"):
            first.result(20)


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """What is read for ever, and opened for writing as soon as it is read."""
    path = tmp_path / "endless"
    os.mkfifo(path)
    return path


def _readers(parent: int) -> list[int]:
    """The process that forks, the one that watches, and the one that reads, of which there is only one."""
    family = [parent]
    while children := [child for child, of in _parents().items() if of == family[-1] and _is_reader(child)]:
        family.append(children[0])
    return family[1:]


def _parents() -> dict[int, int]:
    """Every living process, and its parent."""
    found: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent, *_ = entry.read_text().rpartition(")")[2].split()
            if state != "Z":
                found[int(entry.parent.name)] = int(parent)
    return found


def _is_reader(process: int) -> bool:
    with contextlib.suppress(OSError):
        return b"planhat_pipelines.files.formats.child" in Path(f"/proc/{process}/cmdline").read_bytes()
    return False


def _wait(test: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not test():
        assert time.monotonic() < deadline
        time.sleep(0.05)
