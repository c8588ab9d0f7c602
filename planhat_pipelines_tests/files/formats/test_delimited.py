from __future__ import annotations

import csv
import gzip
import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_pipelines.files.formats import Limits, Unreadable
from planhat_pipelines_tests.files.formats.help import table


def test_text_is_kept_as_it_is_written() -> None:
    read = table(b"id,price,note,big\n007,1.10,NA,123456789012345678901234567890\n,,null,\n")
    assert read.rows == [("007", "1.10", "NA", "123456789012345678901234567890"), (None, None, "null", None)]


def test_rows_of_another_width_are_refused_with_their_line_and_never_shifted() -> None:
    read = table(b'id,name\n1,"a\nb"\n\n2\n3,c,\n4,d\n')
    assert read.rows == [("1", "a\nb"), ("4", "d")]
    assert read.lines == [2, 7]
    assert [(line, cells) for line, _, cells in read.refused] == [(5, ["2"]), (6, ["3", "c", ""])]
    assert read.refused[0][1] == "it has 1 cells, where 2 were expected"


def test_a_row_too_long_whose_last_cell_is_empty_is_refused_too() -> None:
    assert table(b"a,b\n1,2,\n3,4\n").lines == [3]


def test_an_open_quote_refuses_the_file_and_names_its_line() -> None:
    with pytest.raises(Unreadable, match=r"^line 3: a quote is opened and never closed"):
        table(b'id,name\n1,x\n2,"y\n3,z\n')


def test_a_quote_that_closes_in_the_middle_of_a_later_line_refuses_the_file() -> None:
    with pytest.raises(Unreadable, match=r"^line 2: a quote opened here is closed on line 3"):
        table(b'id,name\n1,"5 inch\n2,4" pipe\n3,z\n')


def test_text_after_a_closing_quote_refuses_its_row_only() -> None:
    read = table(b'id,name\n1,"x"y\n2,z\n')
    assert read.rows == [("2", "z")]
    assert [(line, cells) for line, _, cells in read.refused] == [(2, ["1", "xy"])]


def test_a_quote_inside_a_plain_cell_is_a_character() -> None:
    assert table(b'id,size,x\n1,5" pipe,y\n').rows == [("1", '5" pipe', "y")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_read_with_the_same_lines(end: str) -> None:
    read = table(end.join(["id,name", "1,x", "", "2,y"]).encode())
    assert (read.rows, read.lines) == ([("1", "x"), ("2", "y")], [2, 4])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_mark_or_valid_utf_8_decides_the_encoding(encoding: str) -> None:
    assert table("id,név\n1,Ő漢🙂\n".encode(encoding)).rows == [("1", "Ő漢🙂")]


def test_other_encodings_are_read_when_declared_and_never_guessed() -> None:
    content = "id,név\n1,é\n".encode("cp1252")
    with pytest.raises(Unreadable, match=r"line 1: the text is not valid UTF-8.*set encoding"):
        table(content)
    assert table(content, encoding="cp1252").rows == [("1", "é")]
    assert table("id,név\n1,é\n".encode(), encoding="cp1252").rows == [("1", "é")]
    assert table("id,név\n1,é\n".encode("utf-16-be"), encoding="utf-16-be").rows == [("1", "é")]
    with pytest.raises(Unreadable, match="no encoding is called 'klingon'"):
        table(content, encoding="klingon")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    lines = ['id,"a;b|c",price', 'x1,"y;z",2', "x2,plain,3"]
    content = "\n".join(line.replace(",", delimiter) for line in lines).encode()
    read = table(content.replace(b'"y;z"', b'"y;z"'))
    assert read.found["delimiter"] == delimiter
    assert read.found["format"] == ("tsv" if delimiter == "\t" else "csv")
    assert len(read.columns) == 3


def test_a_comma_in_every_amount_does_not_win_over_the_semicolon() -> None:
    read = table(b"name;amount\n" + b"a;1,50\nb;2,50\nc;3,50\n")
    assert read.rows[0] == ("a", "1,50")


def test_a_declared_delimiter_and_quote_are_used() -> None:
    assert table(b"id~name\n1~'x~y'\n", delimiter="~", quote="'").rows == [("1", "x~y")]
    assert table("id¦name\n1¦x\n".encode(), delimiter="¦").rows == [("1", "x")]
    with pytest.raises(Unreadable, match="one character was expected"):
        table(b"a,b\n", delimiter="::")


def test_a_single_column_is_a_table_too() -> None:
    assert table(b"id\n001\n\n002\n").rows == [("001",), ("002",)]


def test_titles_above_the_names_are_passed_over_and_told() -> None:
    read = table(b"Devices of March\n\nid,name,city\n1,x,y\n2,x,y\n")
    assert (read.columns, read.lines, read.found["header_row"]) == (["id", "name", "city"], [4, 5], 3)
    assert "line 3" in read.warnings


def test_a_declared_header_row_is_believed() -> None:
    read = table(b"1,2\na,b\n3,4\n", header_row=2)
    assert (read.columns, read.rows) == (["a", "b"], [("3", "4")])
    with pytest.raises(Unreadable, match="header_row is 9"):
        table(b"a,b\n1,2\n", header_row=9)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"id,name,id\n1,2,3\n", "columns 1 and 3 are both called 'id'"),
        (b"id,,name\n1,2,3\n", "column 2 has no name"),
        (b",id,name\n0,1,2\n", "column 1 has no name"),
        (b"__line,name\n1,2\n", "kept for line numbers"),
        (b"17,x,2.5\n18,y,3.5\n", "cell 1 is a number or date"),
        (b"id,name\n1,2,3\n4,5,6\n", "none of the rows below has as many cells"),
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf\n\n", "the file holds no rows"),
        (b"id,name\n1,\0\n", "line 2: the file holds a NUL"),
        (b"id,name\n1,x\n2,\xff\n", "line 3: the text is not valid UTF-8"),
    ],
)
def test_what_cannot_be_a_table_is_refused_with_its_reason(content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        table(content)


def test_an_empty_column_without_a_name_at_the_edge_is_left_out_and_later_values_in_it_refused() -> None:
    rows = "".join(f"{n},x,\n" for n in range(200))
    read = table(f"id,name,\n{rows}900,y,stray\n".encode())
    assert (read.columns, len(read.rows)) == (["id", "name"], 200)
    assert [(line, reason) for line, reason, _ in read.refused] == [
        (202, "it has a value in a column that has no name")
    ]


def test_names_are_trimmed_and_rows_without_rows_are_an_empty_table() -> None:
    read = table(b' id ,"first\n name"\n')
    assert (read.columns, read.rows) == (["id", "first name"], [])


def test_gzip_and_a_zip_of_one_file_are_unpacked() -> None:
    content = b"id,name\n1,x\n"
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("export/data.csv", content)
        archive.writestr("__MACOSX/._data.csv", b"junk")
    assert table(gzip.compress(content)).rows == table(target.getvalue()).rows == [("1", "x")]


def test_a_bomb_is_stopped_at_the_bound_and_a_cut_archive_is_named() -> None:
    with pytest.raises(Unreadable, match="unpacks to more than 1,000,000 bytes"):
        table(gzip.compress(b"a" * 3_000_000), Limits(unpacked_bytes=1_000_000))
    with pytest.raises(Unreadable, match="may be cut off"):
        table(gzip.compress(b"id,name\n" * 9_000)[:-20])
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.csv", b"a")
        archive.writestr("b.csv", b"b")
    with pytest.raises(Unreadable, match="the zip holds 2 files"):
        table(target.getvalue())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a,b\n1,2\n" + b"x" * 60_000 + b",2\n", "longer than 50,000"),
        (b'a,b\n1,2\n"' + b"x" * 60_000, "longer than 1,000|never closed|longer than 50,000"),
        (b"a,b\n1,2\n3," + b"x" * 2_000 + b"\n", "longer than 1,000"),
        (b",".join(b"c%d" % n for n in range(101)) + b"\n", "101 columns, more than the 100"),
    ],
)
def test_endless_lines_cells_and_columns_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        table(content, Limits(line_bytes=50_000, field_bytes=1_000, columns=100))


def test_pieces_hold_at_most_a_hundred_thousand_rows_and_their_lines_run_on() -> None:
    read = table(b"id,note\n" + b"".join(b'%d,"x\ny"\n' % n for n in range(230_000)))
    assert len(read.found["pieces"]) == 3
    assert read.lines[-1] == 2 + 2 * 229_999
    assert read.rows[199_999] == ("199999", "x\ny")


_CELLS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0") | st.sampled_from('",;\n\r\t ='), max_size=8
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_table_of_text_reads_back_as_it_was_written(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 4))
    rows = data.draw(st.lists(st.lists(_CELLS, min_size=width, max_size=width), max_size=6))
    delimiter = data.draw(st.sampled_from([",", ";", "\t", "|"]))
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    sparing = end == "\r\n" and data.draw(st.booleans())  # else it leaves some line breaks unquoted
    quoting = csv.QUOTE_MINIMAL if sparing else csv.QUOTE_ALL
    target = io.StringIO()
    writer = csv.writer(target, delimiter=delimiter, quoting=quoting, lineterminator=end)
    names = [f"column {place}" for place in range(width)]
    writer.writerows([names, *rows])
    read = table(target.getvalue().encode(), delimiter=delimiter)
    assert read.columns == names
    assert read.refused == []
    assert read.rows == [tuple(cell or None for cell in row) for row in rows if any(row)]


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from('a",\n1;x'), max_size=40))
def test_whatever_is_written_the_fast_and_the_careful_reader_agree_or_the_file_is_refused(body: str) -> None:
    content = f"aa,bb\n{body}\n".encode()
    try:
        fast = table(content, delimiter=",")
    except Unreadable as error:
        fast = error.what
    try:  # a lone carriage return is not for the fast reader
        careful = table(content + b"\r\r\n", delimiter=",")
    except Unreadable as error:
        careful = error.what
    if isinstance(fast, str) or isinstance(careful, str):
        assert fast == careful
    else:
        assert (fast.rows, fast.lines, fast.refused) == (careful.rows, careful.lines, careful.refused)
