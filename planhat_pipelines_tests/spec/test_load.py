from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from planhat_pipelines.spec.load import load
from planhat_pipelines.spec.positions import MAX_BYTES
from planhat_pipelines_tests.spec.files import LOGINS, SEATS, load_text, only_problem, write

BOUNDED = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


def test_every_sync_of_every_file_is_read_with_the_line_it_begins_in(tmp_path: Path):
    both = write(tmp_path / "crm", "# both\n" + SEATS + "---\n" + LOGINS)
    more = write(tmp_path / "deep" / "er", SEATS.replace("seats", "more"), "defs.yml")
    loaded = load(tmp_path)
    assert loaded.problems == ()
    assert [(sync.spec.name, sync.file, sync.line) for sync in loaded.syncs] == [
        ("seats", both, 2),
        ("logins", both, 20),
        ("more", more, 1),
    ]
    assert {sync.kind for sync in loaded.syncs} == {"planhat_pipelines.SnowflakeUsage"}


def test_anchors_aliases_and_merged_keys_are_understood(tmp_path: Path):
    loaded = load_text(
        tmp_path,
        SEATS.replace("target: {", "target: &who {").replace("date:\n", "date: &when\n")
        + "---\n"
        + LOGINS.replace(
            "date: AT", "date: {<<: &at {column: AT, timezone: UTC}, column: LATER}\n    weight: *n"
        ).replace("email}", "email}\n    info: {a: &n HITS}"),
    )
    assert loaded.problems == ()
    activities = loaded.syncs[1].spec.activities
    assert activities
    assert activities.date.column == "LATER"
    assert activities.weight
    assert activities.weight.column == "HITS"


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path):
    raw = b"\xef\xbb\xbf" + SEATS.replace("\n", "\r\n").encode()
    assert load_text(tmp_path, raw).problems == ()
    problem = only_problem(tmp_path, raw.replace(b"ROW_ID", b"5"))
    assert (problem.line, problem.column) == (5, 21)


def test_dagsters_own_keys_beside_the_attributes_are_left_alone(tmp_path: Path):
    extra = """\
template_vars_module: .vars
requirements: {env: [SNOWFLAKE_USER]}
post_processing:
  assets: [{target: "*", attributes: {owners: ["team:cs"]}}]
"""
    assert load_text(tmp_path, SEATS + extra).problems == ()


def test_the_errors_of_every_file_and_every_document_come_at_once(tmp_path: Path):
    write(tmp_path / "a", SEATS.replace("ROW_ID", "5"))
    write(tmp_path / "b", "type: [\n---\n" + LOGINS.replace("5m", "7m") + "---\ntype: what\n")
    write(tmp_path / "c", b"\xff")
    places = [(p.file.parent.name, p.line, p.where) for p in load(tmp_path).problems]
    assert places == [
        ("a", 5, "incrementing_key"),
        ("b", 2, ""),
        ("b", 8, "every"),
        ("b", 14, "type"),
        ("c", 1, ""),
    ]


def test_a_name_used_twice_names_both_places(tmp_path: Path):
    write(tmp_path / "a", SEATS)
    second = write(tmp_path / "b", LOGINS.replace("name: logins", "name: seats"))
    loaded = load(tmp_path)
    (problem,) = loaded.problems
    assert (problem.file, problem.line, problem.where) == (second, 3, "name")
    assert (
        problem.what == f"two syncs are named 'seats': this one and the one in {Path('a/defs.yaml')} line 3"
    )
    assert [sync.file.parent.name for sync in loaded.syncs] == ["a"]


BOTH = """\
type: planhat_pipelines.SnowflakeRecords
attributes:
  name: {name}
  table: CRM.PUBLIC.{table}
  model: company
  key: {{column: ID}}
  direction: both
  every: 1h
  fields: [{{column: CITY, field: city}}]
"""


def test_a_table_that_two_syncs_would_write_to_names_the_first_of_them(tmp_path: Path):
    write(tmp_path / "a", BOTH.format(name="first", table="ACCOUNTS"))
    second = write(tmp_path / "b", BOTH.format(name="second", table="accounts"))
    write(tmp_path / "c", BOTH.format(name="third", table="OTHERS"))
    loaded = load(tmp_path)
    (problem,) = loaded.problems
    assert (problem.file, problem.line, problem.where) == (second, 4, "table")
    assert problem.what == "first writes to CRM.PUBLIC.ACCOUNTS as well"
    assert [sync.spec.name for sync in loaded.syncs] == ["first", "third"]


@pytest.mark.parametrize("name", ["seats.yaml", "defs.YAML", "component.yaml", "usage.yml"])
def test_a_yaml_file_of_another_name_is_pointed_out(tmp_path: Path, name: str):
    write(tmp_path / "a", SEATS)
    file = write(tmp_path / "b", LOGINS, name)
    (problem,) = load(tmp_path).problems
    assert problem.file == file
    assert "only files named defs.yaml are read" in problem.what


def test_a_file_that_dagster_would_never_load_is_pointed_out(tmp_path: Path):
    write(tmp_path / "a", SEATS)
    below = write(tmp_path / "a" / "more", LOGINS)
    beside = write(tmp_path / "a", LOGINS.replace("name: logins", "name: other"), "defs.yml")
    problems = load(tmp_path).problems
    assert [problem.file for problem in problems] == [beside, below]
    assert all("never loaded" in problem.what for problem in problems)


def test_hidden_folders_caches_and_other_files_are_passed_over(tmp_path: Path):
    write(tmp_path / "a", SEATS)
    for folder in (".git", "__pycache__"):
        write(tmp_path / folder, "[")
    write(tmp_path, "[", "notes.txt")
    assert load(tmp_path).problems == ()


def test_links_in_circles_end_and_links_to_nothing_are_reported(tmp_path: Path):
    write(tmp_path / "a", SEATS)
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "defs.yaml").symlink_to(tmp_path / "gone.yaml")
    (problem,) = load(tmp_path).problems
    assert problem.file == tmp_path / "b" / "defs.yaml"


def test_what_is_no_file_is_not_waited_for(tmp_path: Path):
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a" / "defs.yaml")
    (tmp_path / "b" / "defs.yaml").mkdir(parents=True)
    assert [problem.what for problem in load(tmp_path).problems] == [
        "this is no file, or a link to nothing"
    ] * 2


@pytest.mark.parametrize("folder", ["gone", "file", "a\0b"])
def test_a_folder_that_is_none_is_a_problem(tmp_path: Path, folder: str):
    (tmp_path / "file").touch()
    assert [problem.what for problem in load(tmp_path / folder).problems] == ["there is no such folder"]


def test_a_folder_without_any_sync_is_a_problem(tmp_path: Path):
    assert [problem.what for problem in load(tmp_path).problems] == [
        "no defs.yaml in this folder or below it"
    ]


@pytest.mark.parametrize("text", [b"", b"\n \n", b"# nothing yet\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_said_to_hold_no_sync(tmp_path: Path, text: bytes):
    assert only_problem(tmp_path, text).what == "the file holds no sync"


def test_a_file_in_another_encoding_is_named_with_the_place_of_the_first_odd_byte(tmp_path: Path):
    problem = only_problem(tmp_path, SEATS.encode() + "  description: Plätze\n".encode("latin-1"))
    assert (problem.line, problem.column) == (18, 18)
    assert "UTF-8" in problem.what
    assert "UTF-8" in problem.cure


BOMBS = {
    "deep list": "a: " + "[" * 100_000,
    "deep dashes": "- " * 100_000,
    "deep keys": "? " * 100_000,
    "many values": "a: [" + "1," * 100_000,
    "doubled aliases": "a: &a [x, x]\n"
    + "".join(f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefghijkl", "bcdefghijklm", strict=True)),
    "doubled merges": "a: &a {x: 1}\n"
    + "".join(
        f"{b}: &{b} {{<<: [*{a}, *{a}, *{a}]}}\n" for a, b in zip("abcdefghijkl", "bcdefghijklm", strict=True)
    ),
    "alias of itself": "a: &a [*a]",
    "merge of itself": "a: &a {<<: *a}",
    "endless number": "a: " + "1:" * 100_000 + "1",
    "many documents": "---\n" * 60_000,
    "large": "#" * (MAX_BYTES + 1),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_file_made_to_exhaust_the_reader_is_refused(tmp_path: Path, bomb: str):
    loaded = load_text(tmp_path, bomb)
    assert loaded.syncs == ()
    assert 1 <= len(loaded.problems) <= 201


def test_a_file_just_below_the_limits_is_read(tmp_path: Path):
    values = "".join(f"      - {{metric: m{i}, column: C{i}}}\n" for i in range(3_900))
    assert load_text(tmp_path, SEATS + values).problems == ()


YAML_LIKE = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *"\n\t :-[]{}#&*!|>'\"%@,?=~\0\x85\u2028\ufeff",
                "\n  ",
                "\n---\n",
                "<<: ",
                "*a",
                "&a ",
                "!!int ",
                "\\u",
            ]
        ),
        st.sampled_from(SEATS.split()),
        st.text(max_size=4),
    ),
    max_size=40,
).map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass"))


@settings(max_examples=300, **BOUNDED)
@given(raw=st.one_of(st.binary(max_size=200), YAML_LIKE))
@example(raw=b'"\\ud800": 1')
@example(raw=b'type: planhat_pipelines.SnowflakeUsage\nattributes: {"\\udfff": 1, ~: 2, no: 3, [a]: 4}')
@example(raw=b"a: !!int ''\nb: !!bool maybe\nc: !!float x\n!!set {d}: =")
@example(raw=b"<<: 5\n")
def test_no_bytes_whatsoever_make_the_reader_raise(tmp_path: Path, raw: bytes):
    loaded = load_text(tmp_path, raw)
    assert loaded.problems
    assert all(problem.line >= 1 and problem.column >= 1 and problem.what for problem in loaded.problems)


KEYS = [number for number, line in enumerate(SEATS.splitlines()) if ":" in line]
BREAKS = {
    "misspelt key": lambda line: line.replace(":", "x:", 1),
    "key gone": lambda line: " " * (len(line) - len(line.lstrip(" -"))) + "zz: 1",
    "twice": lambda line: line + "\n" + line,
    "tab": lambda line: "\t" + line,
    "a list": lambda line: line.split(":")[0] + ": [[]]",
    "a number": lambda line: line.split(":")[0] + ": 12.5",
    "not closed": lambda line: line.split(":")[0] + ": [",
    "no value at all": lambda line: line.split(":")[0] + ": @",
    "not UTF-8": lambda line: line + "\udcff",
}


@settings(max_examples=200, **BOUNDED)
@given(breaks=st.dictionaries(st.sampled_from(KEYS), st.sampled_from(list(BREAKS)), min_size=1, max_size=3))
def test_a_broken_file_is_the_one_that_is_named_and_the_others_still_load(
    tmp_path: Path, breaks: dict[int, str]
):
    lines = SEATS.splitlines()
    for number, kind in breaks.items():
        lines[number] = BREAKS[kind](lines[number])
    write(tmp_path / "good", LOGINS)
    broken = write(tmp_path / "seats", "\n".join(lines).encode("utf-8", "surrogateescape"))
    loaded = load(tmp_path)
    assert {problem.file for problem in loaded.problems} == {broken}
    assert [sync.spec.name for sync in loaded.syncs] == ["logins"]
