from __future__ import annotations

from pathlib import Path

import pytest
from dagster_shared.yaml_utils import parse_yamls_with_source_position
from hypothesis import example, given, settings
from hypothesis import strategies as st

from planhat_pipelines.spec.positions import parse
from planhat_pipelines_tests.spec.files import LOGINS, SEATS, only_problem

FILE = Path("defs.yaml")


@pytest.mark.parametrize(
    ("text", "place", "what", "cure"),
    [
        ("a:\n\tb: 1\n", (2, 1), "a tab where only spaces can be", "spaces"),
        ("a: b: c\n", (1, 5), "a colon that cannot be here", "quotes"),
        ("a: 1\n b: 2\n", (2, 3), "a colon that cannot be here", "indent"),
        ("a: 1\nbroken\nc: 2\n", (2, 1), "this is no `key: value`", "write a colon and a space"),
        ("a: [1,\n  2\nb: 3\n", (1, 4), "the list that opens here is never closed", "]"),
        ("a: {b\n", (1, 4), "the { that opens here is never closed", "}"),
        ("a: 'x\nb: 2\n", (1, 4), "the quote that opens here is never closed", "same quote"),
        ("a: [\n", (2, 1), "a value is missing, or a bracket is never closed", "close the bracket"),
        ("a:\n  - b\n c: 1\n", (3, 2), "this line does not line up with those it belongs to", "neighbours"),
        ("a: @x\n", (1, 4), "text cannot begin with this character", "quotes"),
        ("a: *x\n", (1, 4), "no anchor of this name stands above", "&name"),
        ('a: "\\q"\n', (1, 6), "a backslash in double quotes", "single quotes"),
        ("a: 1\nb: \x00\n", (2, 4), "a character that YAML does not take", "delete it"),
        ("%YAML 9.9\n---\na: 1\n", (1, 1), "not YAML: found incompatible", "look at the lines around"),
    ],
)
def test_text_that_is_no_yaml_gets_its_line_and_a_cure(
    tmp_path: Path, text: str, place: tuple[int, int], what: str, cure: str
):
    problem = only_problem(tmp_path, text)
    assert (problem.line, problem.column) == place
    assert problem.what.startswith(what)
    assert cure in problem.cure


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("a: 1\nb: 2\na: 3\n", (3, 1), "the key 'a' stands here twice, first in line 1"),
        ("a: {b: 1, c: 2, b: 3}\n", (1, 17), "the key 'b' stands here twice, first in line 1"),
        ("on: 1\n", (1, 1), "a key must be text, and YAML reads 'on' as something else"),
        ("5: 1\n", (1, 1), "a key must be text, and YAML reads '5' as something else"),
        ("a: {{ env.X }}\n", (1, 5), "a key must be text"),
        (
            "a: !!python/object:os.system x\n",
            (1, 4),
            "the tag '!!python/object:os.system' has no meaning here",
        ),
        ("a: !env X\n", (1, 4), "the tag '!env' has no meaning here"),
        ("a: !!set {b}\n", (1, 4), "the tag '!!set' has no meaning here"),
        ("a: !!int x\n", (1, 4), "'x' cannot be read as a number or yes/no"),
        ("a: 1\n<<: 5\n", (2, 5), "'<<' takes keys from an anchor"),
        ('a: "\\ud800"\n', (1, 4), "half a character (a lone surrogate)"),
    ],
)
def test_yaml_that_is_more_than_keys_lists_and_values_is_refused_where_it_stands(
    text: str, place: tuple[int, int], what: str
):
    (document,), problems = parse(FILE, text)
    assert problems == []
    (flaw,) = document.flaws
    assert (flaw.line, flaw.column) == place
    assert flaw.what == what
    assert flaw.cure


def test_every_key_and_value_knows_its_place_and_a_scalar_its_text():
    (first, second), problems = parse(FILE, "a: {b: 010}\n---\n# x\nlist:\n  - yes\n  - k: v\n")
    assert problems == []
    mark = first.marks["a", "b"]
    assert (mark.key, mark.value, mark.text, first.at(("a", "b"))) == ((1, 5), (1, 8), "010", 8)
    assert second.marks["list", 0].value == (5, 5)
    assert second.marks["list", 1, "k"].key == (6, 5)
    assert second.marks["list", 1, "k"].value == (6, 8)


def test_a_broken_document_does_not_hide_those_around_it():
    documents, problems = parse(FILE, "a: 1\n---\nb: [\n--- \nc: 3\n---\nd: {\n---\ne: 5")
    assert [document.value for document in documents] == [{"a": 1}, {"c": 3}, {"e": 5}]
    assert [problem.line for problem in problems] == [4, 8]


YAML_LIKE = st.lists(
    st.sampled_from(
        [
            *"\n :-[]{}#&*!|>'\"ab10~=",
            "\n  ",
            "\n---\n",
            "...\n",
            "a: ",
            "- ",
            "<<: ",
            "*a",
            "&a ",
            "2024-01-01",
            "no",
            "1:30",
        ]
    ),
    max_size=25,
).map("".join)


@settings(max_examples=400, deadline=None)
@given(text=YAML_LIKE)
@example(text=SEATS + "---\n" + LOGINS)
@example(
    text="%YAML 1.1\n# c\n---\na: |\n  x\n   y\n...\n---\n- &a {b: 2024-01-01, c: &c [1, ~]}\n- {<<: *a, b: *c}"
)
@example(text="a: {<<: [{b: 1}, {b: 2, c: 3}], d: 4}\n--- # c\n--- >\n folded\n")
def test_what_is_read_without_a_flaw_is_what_dagster_reads(text: str):
    documents, problems = parse(FILE, text)
    if problems or any(document.flaws for document in documents):
        return
    theirs = [document.value for document in parse_yamls_with_source_position(text)]
    assert repr([document.value for document in documents]) == repr(theirs)
