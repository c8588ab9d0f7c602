"""Files with bytes changed, lost or put in: they end in rows or in an error that says what is wrong, and in no other
way."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import zipfile

from hypothesis import example, given, settings
from hypothesis import strategies as st

from planhat_pipelines.files.formats import Limits, Unreadable
from planhat_pipelines_tests.files.formats.help import inline, table, workbook

ROWS = [("id", "name", "note"), *((f"k{n}", f"Ä{n}", 'a "b", c\nd') for n in range(8))]
CSV = "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in ROWS).encode()
NDJSON = "".join(json.dumps(dict(zip(ROWS[0], row, strict=True))) + "\n" for row in ROWS[1:]).encode()
ARRAY = b"[" + NDJSON.strip().replace(b"\n", b",") + b"]"
BOOK = workbook("".join(inline(at, "id", "name", f"v{at}") for at in range(1, 9)))
LIMITS = Limits(file_bytes=1_000_000, unpacked_bytes=1_000_000, line_bytes=100_000, field_bytes=50_000)


def zipped(content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("drop.csv", content)
    return target.getvalue()


SEEDS = {
    "csv": CSV,
    "utf-16": CSV.decode().encode("utf-16"),
    "ndjson": NDJSON,
    "array": ARRAY,
    "gzip": gzip.compress(CSV, mtime=0),
    "zip": zipped(CSV),
    "workbook": BOOK,
    "bomb": gzip.compress(b"a" * 5_000_000, mtime=0),
}
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "put", "lose", "double"]), st.floats(0, 1), st.binary(max_size=4)
    ),
    min_size=1,
    max_size=3,
)


def edited(content: bytes, how: str, where: float, some: bytes) -> bytes:
    at = int(where * max(0, len(content) - 1))
    match how:
        case "flip":
            return (
                content[:at] + bytes([content[at] ^ (1 << len(some))]) + content[at + 1 :] if content else b""
            )
        case "cut":
            return content[:at]
        case "put":
            return content[:at] + some + content[at:]
        case "lose":
            return content[:at] + content[at + 1 + len(some) :]
        case _:
            return content + content[at:]


@example("workbook", [("lose", 0.5, b"")])
@example("zip", [("put", 0.5, b"\0")])
@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(SEEDS)), EDITS)
def test_a_file_that_was_damaged_gives_rows_or_says_why_not(
    kind: str, edits: list[tuple[str, float, bytes]]
) -> None:
    content = SEEDS[kind]
    for edit in edits:
        content = edited(content, *edit)
    with contextlib.suppress(Unreadable):
        read = table(content, LIMITS)
        assert all(len(row) == len(read.columns) for row in read.rows)
        assert all(reason for _, reason, _ in read.refused)
