from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_pipelines.files.formats import Limits, Unreadable
from planhat_pipelines_tests.files.formats.help import table


def test_values_are_kept_as_they_are_written_and_nesting_stays_json() -> None:
    read = table(
        b'{"id":"007","n":1.10,"big":123456789012345678901234567890,"on":true,"in":{"a": [1, 2.50]},"no":null}'
    )
    assert read.rows == [("007", "1.10", "123456789012345678901234567890", "true", '{"a": [1, 2.50]}', None)]
    assert read.found["format"] == "ndjson"


def test_columns_are_all_keys_in_order_of_first_sight_and_missing_ones_null() -> None:
    rows = b"".join(b'{"a":%d}\n' % n for n in range(100_001)) + b'{"b":"x","a":null}\n\n{}\n'
    read = table(rows)
    assert read.columns == ["a", "b"]
    assert read.rows[0] == ("0", None)
    assert read.rows[-2:] == [(None, "x"), (None, None)]
    assert read.lines[-2:] == [100_002, 100_004]
    assert len(read.found["pieces"]) == 2


def test_an_array_is_cut_into_its_objects_wherever_braces_stand_in_text() -> None:
    objects: list[dict[str, Any]] = [{"a": "},{"}, {"a": {"b": [{"c": "]}"}, {}]}}, {"a": 'x"}, {"y": 1}'}]
    for indent in (None, 2):
        read = table(json.dumps(objects, indent=indent).encode())
        assert read.found["format"] == "json"
        assert read.lines == [1, 2, 3]
        assert [row[0] for row in read.rows][0::2] == ["},{", 'x"}, {"y": 1}']
        assert json.loads(read.rows[1][0] or "") == objects[1]["a"]


def test_an_array_longer_than_a_chunk_is_read_whole() -> None:
    objects = [{"n": n, "text": "}, {" * (n % 7), "deep": [{"x": n}]} for n in range(40_000)]
    read = table(json.dumps(objects).encode())
    assert [row[0] for row in read.rows] == [str(n) for n in range(40_000)]


def test_rows_under_a_key_are_read_when_the_key_is_named_and_otherwise_the_key_is_suggested() -> None:
    content = b'{"meta": {"n": 2}, "t": "a,b", "k": 1.5, "rows": [{"a": 1}, {"a": 2}], "end": null}'
    assert table(content, records="rows").rows == [("1",), ("2",)]
    with pytest.raises(Unreadable, match=r"Set records: to the key of the rows \(rows\)"):
        table(content)
    assert table(content, format="ndjson").columns == ["meta", "t", "k", "rows", "end"]
    with pytest.raises(Unreadable, match="has the key 'data' 0 times"):
        table(content, records="data")
    with pytest.raises(Unreadable, match="has the key 'a' 2 times"):
        table(b'{"a": [], "a": []}', records="a")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_json_in_other_encodings_is_read(encoding: str) -> None:
    assert table('[{"név":"é🙂"}]'.encode(encoding)).rows == [("é🙂",)]


def test_the_empty_array_has_no_rows_and_no_columns() -> None:
    read = table(b" [ ] ")
    assert (read.columns, read.rows) == ([], [])


@pytest.mark.parametrize("before", [b"", b'{"a":1}\n'])
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"a":1,"b":2,"a":3}', "holds the key 'a' twice"),
        (b'{"a":"x","\\u0061":3}', "holds the key 'a' twice"),
        (b'{"a":{"b":1,"b":2}}', "holds the key 'b' twice"),
        (b'{ "a" : 1 , "a" : 2 }', "holds the key 'a' twice"),
        (b'{"a":NaN}', "write null"),
        (b'{"a":-Infinity}', "write null"),
        (b'{"a":"\\ud800"}', "half of a surrogate pair"),
        (b'{"a":{"b":"\\udc00"}}', "half of a surrogate pair"),
        (b'{"a":' + b"1" * 5_000 + b"}", "too many digits"),
        (b'{"a":0.' + b"1" * 5_000 + b"}", "too many digits"),
        (b'{"a":[' + b"1" * 401 + b"]}", "too many digits"),
        (b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested"),
        (b'{"a":' + b"[" * 70 + b"]" * 70 + b"}", "nested more than 64 deep"),
        (b'{"a":"\\u0000"}', "holds a NUL"),
        (b'{"a":01}', "not sound"),
        (b"{'a':1}", "not sound"),
        (b'{"a":1', "not sound"),
        (b'{"a":1}{"a":2}', "not sound"),
        (b"[1]", "it is not an object"),
        (b'{"":1}', "column 1 has no name|column 2 has no name"),
    ],
)
def test_json_that_is_not_sound_is_refused_with_its_line_wherever_it_stands(
    before: bytes, body: bytes, reason: str
) -> None:
    with pytest.raises(Unreadable, match=reason) as raised:
        table(before + body, format="ndjson")
    assert f"line {1 + bool(before)}" in str(raised.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'[{"a":1},{"a":', "ends too early"),
        (b'[{"a":1}', "ends too early"),
        (b'[{"a":1},]', "record 2: it is not an object"),
        (b'[{"a":1} {"a":2}]', "a comma or the end of the array was expected"),
        (b'[{"a":1}] x', "text after its end"),
        (b'[{"a":1},[2]]', "record 2: it is not an object"),
        (b'[{"a":1},{"a":2,"a":3}]', "record 2: it holds the key 'a' twice"),
        (b'[{"a":' + b"[" * 100_000, "record 1: its values are nested more than 64 deep"),
        (b'[{"a":"' + b"x" * 3_000_000, "longer than 1,000,000"),
        (b'[{"a":"' + b"x" * 200_000 + b'"}]', "'a' is longer than 100,000"),
        (b"[" + b",".join(b'{"k%d":1}' % n for n in range(51)) + b"]", "51 columns, more than the 50"),
    ],
)
def test_arrays_that_are_broken_or_absurd_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        table(content, Limits(line_bytes=1_000_000, field_bytes=100_000, columns=50))


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.dictionaries(_TEXT.filter(lambda key: key not in ("", "__line")), _VALUES, max_size=4), max_size=5
    ),
    st.booleans(),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_any_objects_read_back_as_they_were_written(
    objects: list[dict[str, Any]], ascii_only: bool, indent: int | None, lines: bool
) -> None:
    if lines:
        content = "\n".join(json.dumps(one, ensure_ascii=ascii_only) for one in objects)
        read = table(content.encode() or b"\n", format="ndjson")
    else:
        read = table(json.dumps(objects, ensure_ascii=ascii_only, indent=indent).encode(), format="json")
    assert read.columns == list(dict.fromkeys(key for one in objects for key in one))
    for row, one in zip(read.rows, objects, strict=True):
        for key, cell in zip(read.columns, row, strict=True):
            value = one.get(key)
            assert (cell if value is None or isinstance(value, str) else json.loads(cell or "")) == value


_MANY = [{"id": f"{n:03}", "n": n, "x": 1.50, "on": n % 2 == 0, "no": None} for n in range(3_000)]


def _written(objects: list[Any], kind: str, end: str = "\n") -> bytes:
    texts = [each if isinstance(each, str) else json.dumps(each) for each in objects]
    return (f"[{', '.join(texts)}]" if kind == "json" else end.join(texts) + end).encode()


@pytest.mark.parametrize("kind", ["json", "ndjson"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rows_that_need_a_closer_look_stand_where_they_stood_among_many_that_do_not(
    kind: str, end: str
) -> None:
    odd: list[Any] = [{"id": 'a"b\\', "in": [{"x": 2.50}]}, {}, {"late": True}, '{"id": "},{", "n": 1e3}']
    read = table(_written([*_MANY, *odd, *_MANY], kind, end))
    assert read.columns == ["id", "n", "x", "on", "no", "in", "late"]
    plain = [(f"{n:03}", str(n), "1.5", "true" if n % 2 == 0 else "false", *[None] * 3) for n in range(3_000)]
    among = [
        ('a"b\\', None, None, None, None, '[{"x": 2.5}]', None),
        (None,) * 7,
        (*(None,) * 6, "true"),
        ("},{", "1e3", *(None,) * 5),
    ]
    assert read.rows == [*plain, *among, *plain]
    assert read.lines == list(range(1, 6_005))


@pytest.mark.parametrize("kind", ["json", "ndjson"])
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ('{"a": 1, "a": 2}', "holds the key 'a' twice"),
        ('{"a": NaN}', "write null"),
        ('{"a": 1} {"b": 2}', "not sound"),
        ('{"a": "x\ny"}', "not sound"),
        ('{"a": ' + "9" * 401 + "}", "too many digits"),
        ('{"a": "\\u0000"}', "NUL"),
    ],
)
def test_a_broken_row_among_many_is_named(kind: str, wrong: str, says: str) -> None:
    unit = "record" if kind == "json" else "line"
    with pytest.raises(Unreadable, match=f"{unit} 3,001: .*{says}"):
        table(_written([*_MANY, wrong, *_MANY], kind))
