"""From a file of any format to pieces: what runs inside the child."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from planhat_pipelines.files.formats.delimited import read_delimited
from planhat_pipelines.files.formats.detect import binary_format, text_format
from planhat_pipelines.files.formats.json_rows import read_json
from planhat_pipelines.files.formats.model import FileOptions, Limits
from planhat_pipelines.files.formats.pieces import Pieces
from planhat_pipelines.files.formats.text import as_text
from planhat_pipelines.files.formats.unpack import unpacked


def convert(path: Path, folder: Path, options: FileOptions, limits: Limits) -> dict[str, Any]:
    """Read the file into `folder`; the answer holds the fields of a Reading, with the names of the pieces."""
    plain = unpacked(path, folder, limits)
    pieces = Pieces(folder)
    found: dict[str, Any]
    if kind := binary_format(plain, options):
        from planhat_pipelines.files.formats.sheets import read_workbook

        found = {"format": kind} | read_workbook(plain, kind, pieces, options, limits)
    else:
        text = as_text(plain, folder, options.encoding, limits)
        kind = text_format(text, options, limits)
        found = {"format": kind, "encoding": text.encoding}
        if kind in ("json", "ndjson"):
            found["columns"] = read_json(text, kind, pieces, options, limits)
        else:
            found |= read_delimited(text, pieces, replace(options, format=kind), limits)
    pieces.finish(found["columns"])
    for name in ("unpacked", "text"):
        (folder / name).unlink(missing_ok=True)
    return found | {
        "rows": pieces.good.rows,
        "refused": pieces.refused.rows,
        "pieces": pieces.good.names,
        "refused_pieces": pieces.refused.names,
    }
