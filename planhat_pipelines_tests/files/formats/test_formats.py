from __future__ import annotations

import pytest

from planhat_pipelines.files.formats import Unreadable
from planhat_pipelines_tests.files.formats.help import inline, table, workbook

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html><table><tr><td>id</td></tr></table></html>", "HTML or XML, whatever its name says"),
        (b"\r\n<?xml version='1.0'?><Workbook/>", "HTML or XML"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"BZh9", "bzip2"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (_OLE + "EncryptedPackage".encode("utf-16-le"), "locked with a password"),
        (_OLE + "WordDocument".encode("utf-16-le"), "not an Excel workbook"),
        (b"PK\x03\x04 and no more", "zip directory cannot be read"),
        (
            workbook(extra={"xl/workbook.bin": b""}).replace(b"xl/workbook.xml", b"xl/workbook.xxx"),
            "binary workbook",
        ),
        (b"\x89PNG\r\n\x1a\n\0\0", "not valid UTF-8"),
    ],
)
def test_files_of_other_formats_are_named(content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        table(content)


def test_a_declared_format_that_the_content_is_not_is_an_error() -> None:
    book = workbook(inline(1, "a", "b") + inline(2, "x", "y"))
    with pytest.raises(Unreadable, match="is an Excel workbook, but its format is set to csv"):
        table(book, format="csv")
    with pytest.raises(Unreadable, match="format is set to xlsx, but the file is not"):
        table(b"a,b\n1,2\n", format="xlsx")


def test_a_workbook_is_known_by_its_content_under_any_declared_excel_format() -> None:
    assert table(workbook(inline(1, "a", "b") + inline(2, "x", "y")), format="xls").rows == [("x", "y")]


def test_a_declared_text_format_wins_over_how_the_text_begins() -> None:
    assert table(b"[id],[name]\n1,x\n", format="csv").columns == ["[id]", "[name]"]
    assert table(b"id\tname\n1\tx,y\n", format="tsv").rows == [("1", "x,y")]
