"""What the YAML parser complains of, in words that say what to change."""

from __future__ import annotations

from dataclasses import dataclass

import yaml


@dataclass(frozen=True, slots=True)
class Flaw:
    """A place in the text, counted from 0, what is wrong there, and the cure."""

    line: int
    column: int
    what: str
    cure: str


class Refused(Exception):
    """YAML that may be well formed and is refused all the same, as it is too large or too deep."""

    def __init__(self, line: int, column: int, what: str, cure: str) -> None:
        super().__init__(what)
        self.flaw = Flaw(line, column, what, cure)


# (words of the parser's problem, point at where it began?, what, cure); the first that fits
_SENTENCES = (
    ("'\\t' that cannot start", False, "a tab where only spaces can be", "indent with spaces, two a level"),
    (
        "mapping values are not allowed",
        False,
        "a colon that cannot be here",
        "put a value that holds ': ' in quotes; otherwise indent this line like its neighbours",
    ),
    (
        "could not find expected ':'",
        True,
        "this is no `key: value`",
        "write a colon and a space after the key; text over several lines goes in quotes",
    ),
    (
        "unexpected end of stream",
        True,
        "the quote that opens here is never closed",
        "close it with the same quote",
    ),
    (
        "unexpected document separator",
        True,
        "the quote that opens here is never closed",
        "close it with the same quote",
    ),
    ("expected ',' or ']'", True, "the list that opens here is never closed", "add the missing , or ]"),
    ("expected ',' or '}'", True, "the { that opens here is never closed", "add the missing , or }"),
    (
        "expected the node content",
        False,
        "a value is missing, or a bracket is never closed",
        "write the value, or close the bracket",
    ),
    (
        "expected <block end>",
        False,
        "this line does not line up with those it belongs to",
        "indent it exactly like its neighbours; a list has `- ` before every entry",
    ),
    (
        "cannot start any token",
        False,
        "text cannot begin with this character",
        "put the whole text in quotes",
    ),
    (
        "undefined alias",
        False,
        "no anchor of this name stands above",
        "write `&name` at what it repeats; text that begins with * goes in quotes",
    ),
    (
        "unknown escape character",
        False,
        "a backslash in double quotes means something special, and this is not one of its uses",
        "use 'single quotes', or write the backslash twice",
    ),
)
_OTHERWISE = (
    "look at the lines around: indented with spaces, quotes and brackets closed, a space after each colon"
)


def explain_syntax(error: yaml.YAMLError | Refused, text: str) -> Flaw:
    """Where and why `text` could not be read."""
    if isinstance(error, Refused):
        return error.flaw
    if isinstance(error, yaml.MarkedYAMLError):
        said = error.problem or error.context or "not YAML"
        sentence = next((each for each in _SENTENCES if each[0] in said), None)
        _, at_begin, what, cure = sentence or ("", False, f"not YAML: {said}", _OTHERWISE)
        mark = (error.context_mark if at_begin else None) or error.problem_mark or error.context_mark
        return Flaw(mark.line if mark else 0, mark.column if mark else 0, what, cure)
    offset = getattr(error, "position", 0)
    before = text[:offset]
    column = offset - (before.rfind("\n") + 1)
    return Flaw(
        before.count("\n"),
        column,
        "a character that YAML does not take, such as a control character",
        "delete it; an editor that shows invisible characters finds it",
    )
