from __future__ import annotations

import io
import zipfile
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from planhat_pipelines.files.formats import Limits, Unreadable
from planhat_pipelines_tests.files.formats.help import MAIN, inline, table, workbook
from planhat_pipelines_tests.files.formats.old_workbook import OLD_WORKBOOK

_STYLES = (
    '<numFmts count="3"><numFmt numFmtId="164" formatCode="00000"/><numFmt numFmtId="165" formatCode="[h]:mm"/>'
    '<numFmt numFmtId="166" formatCode="0&quot; days&quot;"/></numFmts><cellXfs count="7"><xf numFmtId="0"/>'
    '<xf numFmtId="164"/><xf numFmtId="14"/><xf numFmtId="22"/><xf numFmtId="165"/><xf numFmtId="166"/>'
    '<xf numFmtId="20"/></cellXfs>'
)
_NAMES = inline(1, "a", "b", "c", "d")


def _saved(book: Workbook) -> bytes:
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def _book(*rows: list[Any]) -> Workbook:
    book = Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    return book


def _cell(content: str, **book: Any) -> str | None:
    """What one cell reads as: `content` is its XML from the style on."""
    read = table(workbook(f'{inline(1, "a")}<row r="2"><c r="A2"{content}</c></row>', styles=_STYLES, **book))
    return read.rows[0][0]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("><v>5</v>", "5"),
        ("><v>5.0</v>", "5"),
        ("><v>1.5</v>", "1.5"),
        ("><v>1E-5</v>", "1e-05"),
        ("><v>-3</v>", "-3"),
        (' s="1"><v>123</v>', "00123"),
        (' s="2"><v>46082</v>', "2026-03-01"),
        (' s="2"><v>46082.5</v>', "2026-03-01T12:00:00"),
        (' s="3"><v>46082</v>', "2026-03-01T00:00:00"),
        (' s="4"><v>1.5</v>', "36:00:00"),
        (' s="5"><v>30</v>', "30"),
        (' s="6"><v>0.75</v>', "18:00:00"),
        (' t="b"><v>1</v>', "true"),
        (' t="b"><v>0</v>', "false"),
        (' t="e"><v>#N/A</v>', "#N/A"),
        (' t="d"><v>2026-03-01T12:00:00</v>', "2026-03-01T12:00:00"),
        (' t="str"><f>A1&amp;"x"</f><v>ax</v>', "ax"),
        ("><f>1+1</f><v>2</v>", "2"),
        (' t="inlineStr"><is><t xml:space="preserve"> a&amp;b&#10;&lt;_x000D_ </t></is>', " a&b\n<\r "),
        (' t="inlineStr"><is><r><t>bo</t></r><r><rPr><b/></rPr><t>ld</t></r></is>', "bold"),
        (' t="inlineStr"><is><t>007</t></is>', "007"),
    ],
)
def test_a_cell_reads_as_the_text_a_person_would_write(content: str, text: str) -> None:
    assert _cell(content) == text
    assert _cell(content.replace("<v>", "<v><!-- a comment -->")) == text, "and so for the careful reader"


def test_a_number_beyond_the_calendar_stays_a_number() -> None:
    assert _cell(' s="2"><v>99999999999</v>') == "99999999999"


def test_the_1904_calendar_is_minded() -> None:
    assert _cell(' s="2"><v>44620</v>', properties='<workbookPr date1904="1"/>') == "2026-03-01"


def test_what_a_person_should_know_is_told() -> None:
    sheet = (
        f'{_NAMES}<row r="2" hidden="1"><c r="A2" t="e"><v>#REF!</v></c><c r="B2"><f>1+1</f></c><c r="C2"><f>2</f>'
        '<v></v></c><c r="D2"><v>12345678901234567</v></c></row>'
    )
    read = table(workbook(sheet))
    assert "1 cells hold an error" in read.warnings
    assert "2 formulas were never calculated" in read.warnings
    assert "1 hidden rows" in read.warnings
    assert "'d': numbers of 16 digits" in read.warnings
    assert read.found["numeric"] == ["d"]
    assert read.rows == [("#REF!", None, None, "12345678901234568")]


def test_the_first_visible_sheet_is_read_and_others_are_told() -> None:
    other = f'<worksheet xmlns="{MAIN}"><sheetData>{inline(1, "x")}{inline(2, "y")}</sheetData></worksheet>'
    both = '<sheet name="Old" sheetId="1" state="hidden" r:id="r1"/><sheet name="New" sheetId="2" r:id="r2"/>'
    content = workbook(_NAMES, sheets=both, extra={"xl/worksheets/sheet2.xml": other.encode()})
    read = table(content)
    assert (read.found["sheet"], read.rows, read.warnings) == ("New", [("y",)], "")
    assert table(content, sheet="Old").columns == ["a", "b", "c", "d"]
    with pytest.raises(Unreadable, match=r"no sheet 'Newer'. Set sheet to one of 'Old', 'New'"):
        table(content, sheet="Newer")
    shown = table(
        workbook(_NAMES, sheets=both.replace(' state="hidden"', ""), extra={"xl/worksheets/sheet2.xml": b""})
    )
    assert "'New' was not" in shown.warnings


def test_data_may_start_anywhere_below_titles_and_rows_keep_their_numbers() -> None:
    book = Workbook()
    page = book.worksheets[0]
    page["C3"] = "Devices of March"
    page.merge_cells("C3:F3")
    for place, name in enumerate(["id", "name", "city", "n"], 3):
        page.cell(5, place, name)
        page.cell(6, place, f"{name} 1")
        page.cell(9, place, f"{name} 2")
    read = table(_saved(book))
    assert (read.columns, read.lines, read.found["header_row"]) == (["id", "name", "city", "n"], [6, 9], 5)
    assert read.rows[1] == ("id 2", "name 2", "city 2", "n 2")
    assert "row 3 was passed over" in read.warnings


def test_a_value_beside_the_table_refuses_its_row() -> None:
    rows = [["a", "b"], *([n, "x"] for n in range(150)), [1, "y", "stray"]]
    read = table(_saved(_book(*rows)))
    assert len(read.rows) == 150
    assert [(line, reason) for line, reason, _ in read.refused] == [
        (152, "it has a value in a column that has no name")
    ]


def test_what_the_file_says_of_its_own_extent_is_not_believed() -> None:
    rows = _NAMES + inline(2, "1", "2", "3", "4") + inline(3, "5", "6", "7", "8")
    sheet = f'<worksheet xmlns="{MAIN}"><dimension ref="A1:B2"/><sheetData>{rows}</sheetData></worksheet>'
    assert len(table(workbook(sheet=sheet)).rows) == 2
    careful = sheet.replace("<sheetData>", "<sheetData><!-- -->")
    assert table(workbook(sheet=careful)).rows == table(workbook(sheet=sheet)).rows


def test_other_ways_to_write_the_same_xml_read_the_same() -> None:
    prefixed = (
        f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row><x:c t="inlineStr"><x:is><x:t>a</x:t></x:is></x:c></x:row>'
        '<x:row><x:c s="1"><x:v>7</x:v></x:c></x:row></x:sheetData></x:worksheet>'
    )
    assert table(workbook(sheet=prefixed, styles=_STYLES)).rows == [("00007",)]
    late = (
        inline(1, "a")
        + "".join(inline(n, "x" * 50) for n in range(2, 20_000))
        + "<!-- -->"
        + inline(20_000, "z")
    )
    read = table(workbook(late))
    assert (len(read.rows), read.lines[-1], read.rows[-1]) == (19_999, 20_000, ("z",))


def test_shared_strings_with_looks_and_hints_read_as_their_text() -> None:
    strings = (
        "<si><t>a</t></si><si><r><t>bo</t></r><r><t>ld</t></r>"
        "<rPh sb='0' eb='1'><t>hint</t></rPh></si><si><t/></si>"
    )
    cells = "".join(f'<row r="{n + 1}"><c r="A{n + 1}" t="s"><v>{n}</v></c></row>' for n in range(3))
    assert table(workbook(cells, strings=strings)).rows == [("bold",)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (workbook(inline(1, "a", "", "c")), "column 2 has no name"),
        (workbook(inline(1, "a", "b", "a")), "columns 1 and 3 are both called 'a'"),
        (workbook(), "holds no rows"),
        (
            workbook('<row r="1"><c r="A1" t="s"><v>7</v></c></row>', strings=""),
            "points to a text that is not there",
        ),
        (workbook('<row r="1"><c r="A1"><v>x</v></c></row>'), "holds no number"),
        (workbook(inline(2, "a") + inline(1, "b")), "not in order"),
        (workbook('<row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>'), "is not in order"),
        (workbook('<row r="1"><c r="XFD1"><v>1</v></c></row>'), "column XFD, beyond the 1,000 columns"),
        (workbook('<row r="1"><!-- --><c r="XFD1"><v>1</v></c></row>'), "beyond the 1,000 columns"),
        (
            workbook(_NAMES, sheets='<sheet name="A" sheetId="1" state="veryHidden" r:id="r1"/>'),
            "no visible sheet",
        ),
        (workbook(_NAMES, prolog='<!DOCTYPE x [<!ENTITY a "aaa">]>'), "defines XML entities"),
        (workbook(_NAMES, extra={"xl/workbook.xml": b"<workbook"}), "xl/workbook.xml is missing or broken"),
        (
            workbook(_NAMES, sheets='<sheet name="A" sheetId="1" r:id="r2"/>'),
            "sheet2.xml is missing or broken",
        ),
    ],
)
def test_workbooks_that_are_broken_or_absurd_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        table(content)


def test_two_cells_at_the_corners_of_a_sheet_cost_nothing() -> None:
    far = '<row r="1048576"><c r="A1048576" t="inlineStr"><is><t>x</t></is></c></row>'
    assert table(workbook(inline(1, "a") + far)).lines == [1_048_576]


def test_bombs_are_stopped_before_they_are_unpacked_or_at_one_row() -> None:
    with pytest.raises(Unreadable, match="unpacks to more than 1,000,000 bytes"):
        table(workbook(inline(1, "a" * 2_000_000)), Limits(unpacked_bytes=1_000_000))
    with pytest.raises(Unreadable, match="longer than 1,000,000 bytes"):
        table(workbook(inline(1, "a" * 5_000_000)), Limits(line_bytes=1_000_000))
    twice = io.BytesIO(workbook(_NAMES))
    with zipfile.ZipFile(twice, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("xl/workbook.xml", b"")
    with pytest.raises(Unreadable, match="or one twice"):
        table(twice.getvalue())


def test_a_workbook_cut_off_or_with_broken_bytes_is_refused() -> None:
    whole = _saved(_book(*([f"name {n}", n] for n in range(2_000))))
    for content in (whole[: len(whole) // 2], whole[:2_000] + b"\xff" * 200 + whole[2_200:]):
        with pytest.raises(Unreadable):
            table(content)


def test_the_old_format_reads_like_the_new_one() -> None:
    read = table(OLD_WORKBOOK)
    assert (read.found["format"], read.found["sheet"], read.found["header_row"]) == ("xls", "Devices", 3)
    assert read.columns == ["id", "zip", "count", "share", "day", "seen", "on", "state"]
    assert read.rows == [
        ("007", "01234", "5", "1.5", "2026-03-01", "2026-03-01T12:30:05", "true", "#N/A"),
        ("008", None, "12345678901234568", None, None, None, None, None),
    ]
    assert read.lines == [4, 6]
    assert "'count': numbers of 16 digits" in read.warnings
    assert read.found["numeric"] == ["zip", "count", "share", "day", "seen"]
    with pytest.raises(Unreadable):
        table(OLD_WORKBOOK[:1_000])


_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.sampled_from("\n\t<&>\"'"), max_size=8
)
_DAYS = st.dates(date(1901, 1, 1), date(2100, 1, 1))
_CELLS = st.one_of(
    st.none(),
    _TEXT.filter(lambda text: not text.startswith("=") and "_x" not in text),
    st.booleans(),
    st.integers(-(10**14), 10**14),
    _DAYS,
    st.builds(datetime.combine, _DAYS, st.times().map(lambda clock: clock.replace(microsecond=0))),
)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 3).flatmap(
        lambda width: st.lists(st.lists(_CELLS, min_size=width, max_size=width), max_size=5)
    )
)
def test_any_table_written_by_openpyxl_reads_back_the_same(rows: list[list[Any]]) -> None:
    width = len(rows[0]) if rows else 1
    read = table(_saved(_book([f"column {place}" for place in range(width)], *rows)))
    assert read.refused == []
    expected = [tuple(map(_written, row)) for row in rows]
    assert read.rows == [row for row in expected if any(row)]


def _written(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime | date | time | timedelta):
        return value.isoformat()
    return None if value is None or value == "" else str(value)
