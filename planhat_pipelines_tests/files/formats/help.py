"""Read bytes as a dropped file, and make workbooks down to their XML."""

from __future__ import annotations

import io
import tempfile
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from planhat_pipelines.files.formats import FileOptions, Limits
from planhat_pipelines.files.formats.convert import convert

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_STRINGS = (
    '<Override PartName="/xl/sharedStrings.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>'
)
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


@dataclass
class Table:
    """A file as it was read: its columns, the lines and cells of its rows, and what was refused of it."""

    found: dict[str, Any]
    columns: list[str]
    lines: list[int]
    rows: list[tuple[str | None, ...]]
    refused: list[tuple[int, str, list[str | None]]]

    @property
    def warnings(self) -> str:
        return " / ".join(self.found.get("warnings", ()))


def table(content: bytes, limits: Limits | None = None, **options: Any) -> Table:
    """What the reader makes of a file, in this process."""
    with tempfile.TemporaryDirectory() as name:
        path, folder = Path(name) / "drop", Path(name) / "pieces"
        path.write_bytes(content)
        folder.mkdir()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl's, as in the child
            found = convert(path, folder, FileOptions(**options), limits or Limits())
        pieces = [pl.read_parquet(folder / piece) for piece in found["pieces"]]
        refused = [row for piece in found["refused_pieces"] for row in pl.read_parquet(folder / piece).rows()]
        left = {path.name for path in folder.iterdir()}
        assert left == {*found["pieces"], *found["refused_pieces"]}, "only pieces stay behind"
    rows = [row for piece in pieces for row in piece.rows()]
    assert all(piece.columns == ["__line", *found["columns"]] for piece in pieces)
    assert all(set(piece.dtypes[1:]) <= {pl.String} for piece in pieces)
    return Table(found, list(found["columns"]), [row[0] for row in rows], [row[1:] for row in rows], refused)


def workbook(
    sheet_data: str = "",
    *,
    sheet: str | None = None,
    sheets: str = '<sheet name="One" sheetId="1" r:id="r1"/>',
    strings: str | None = None,
    styles: str = "",
    properties: str = "",
    prolog: str = "",
    extra: dict[str, bytes] | None = None,
) -> bytes:
    """A workbook of one sheet part from raw XML: `sheet_data` are its rows, `sheet` replaces the whole part."""
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": head
        + '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/xl/workbook.xml" ContentType='
        '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        # openpyxl expects each part that is declared
         + (_STRINGS if strings is not None else "") + "</Types>",
        "_rels/.rels": head
        + '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="r1" Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'{head}{prolog}<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}">{properties}'
        f"<sheets>{sheets}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": head
        + '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="r1" Type="{RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{RELATIONS}/worksheet" Target="/xl/worksheets/sheet2.xml"/></Relationships>',
        "xl/styles.xml": f'{head}<styleSheet xmlns="{MAIN}">{styles}</styleSheet>',
        "xl/worksheets/sheet1.xml": sheet
        or f'{head}<worksheet xmlns="{MAIN}"><sheetData>{sheet_data}</sheetData></worksheet>',
        **(extra or {}),
    }
    if strings is not None:
        parts["xl/sharedStrings.xml"] = f'{head}<sst xmlns="{MAIN}">{strings}</sst>'
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return target.getvalue()


def inline(row: int, *texts: str) -> str:
    """A row of text cells from column A on."""
    cells = "".join(
        f'<c r="{chr(65 + place)}{row}" t="inlineStr"><is><t>{text}</t></is></c>'
        for place, text in enumerate(texts)
    )
    return f'<row r="{row}">{cells}</row>'
