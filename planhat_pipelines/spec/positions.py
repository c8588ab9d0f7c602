"""YAML text to plain values that know their line and column, with every flaw of the text as a `Problem`.

The grammar is PyYAML's safe loader without timestamps, which is what Dagster reads component files with. On top of
it, a key may stand only once, keys are text, and size and depth are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from planhat_pipelines.spec.syntax import Refused, explain_syntax

Place = tuple[str | int, ...]
"""The way to a value: keys and list places, from the top of its document."""

MAX_BYTES = 256 * 1024
MAX_DEPTH = 24
MAX_VALUES = 20_000
MAX_DOCUMENTS = 200

_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"
_PLAIN = {_TAG + name for name in ("null", "bool", "int", "float")}
_LONGEST_NUMBER = 64
_QUOTE = "put it in quotes if it is meant as text"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong, where, and what to do about it. Lines and columns count from 1."""

    file: Path
    line: int
    column: int
    where: str
    what: str
    cure: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a value stands: its key (or itself, in a list), itself, and a scalar's text as written."""

    key: tuple[int, int]
    value: tuple[int, int]
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its plain value, a mark for every place in it, and the flaws that left holes in it."""

    file: Path
    value: Any
    marks: Mapping[Place, Mark]
    flaws: tuple[Problem, ...]

    def at(self, place: Place) -> Any:
        """The value at `place`; None where there is none."""
        value = self.value
        for step in place:
            try:
                value = value[step]
            except (LookupError, TypeError):
                return None
        return value

    def problem(self, place: Place, what: str, cure: str, *, at_key: bool = False) -> Problem:
        """A problem of `place`, which need not exist: then it points at the nearest thing around it."""
        known = place
        while known not in self.marks:
            known, at_key = known[:-1], True
        mark = self.marks[known]
        return Problem(self.file, *(mark.key if at_key else mark.value), dotted(place), what, cure)


def dotted(place: Place) -> str:
    """`metrics.values[1].column`, without the `attributes` that everything stands under."""
    steps = place[1:] if len(place) > 1 and place[0] == "attributes" else place
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return printable(text.removeprefix("."))


def printable(text: str, longest: int = 200) -> str:
    """`text` cut to a readable length, with nothing in it that a terminal would obey."""
    shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text[: longest + 1])
    return shown if len(shown) <= longest else shown[: longest - 3] + "..."


def shown(value: object) -> str:
    """A value in quotes, short enough for a sentence."""
    return f"'{printable(str(value), 60)}'"


def parse(file: Path, text: str) -> tuple[list[Document], list[Problem]]:
    """Every document that can be read, and why the others cannot. A broken one does not hide the next."""
    documents: list[Document] = []
    problems: list[Problem] = []
    budget = _Budget()
    for first_line, chunk in _chunks(text):
        if len(documents) + len(problems) >= MAX_DOCUMENTS:
            what = f"more than {MAX_DOCUMENTS} documents in one file; the rest was not read"
            problems.append(Problem(file, first_line + 1, 1, "", what, "spread them over several folders"))
            break
        try:
            loader = _Loader(chunk, file, first_line, budget)
            while loader.check_node():
                documents.append(loader.document())
        except (yaml.YAMLError, Refused) as error:
            flaw = explain_syntax(error, chunk)
            line, column = first_line + flaw.line + 1, flaw.column + 1
            problems.append(Problem(file, line, column, "", flaw.what, flaw.cure))
    return documents, problems


def _chunks(text: str) -> Iterator[tuple[int, str]]:
    """The text cut before each `---`, with the line each piece begins at; nothing else can look like one."""
    begin, rows, waiting = 0, list[str](), True  # directives and comments wait for the document after them
    for line, row in enumerate(text.split("\n")):
        if row.startswith("---") and (not row[3:] or row[3].isspace()):
            if not waiting:
                yield begin, "\n".join([*rows, ""])
                begin, rows = line, []
            waiting = False
        elif row.strip() and row[0] not in "#%":
            waiting = False
        rows.append(row)
    yield begin, "\n".join(rows)


class _Budget:
    """How many keys and values a file may still have, aliases counted each time they are used."""

    def __init__(self) -> None:
        self.left = MAX_VALUES

    def take(self, depth: int, mark: yaml.Mark | None) -> None:
        self.left -= 1
        line, column = (mark.line, mark.column) if mark else (0, 0)
        if depth > MAX_DEPTH:
            raise Refused(line, column, f"nested deeper than {MAX_DEPTH} levels", "take the nesting apart")
        if self.left < 0:
            what = f"more than {MAX_VALUES:,} keys and values in one file, counting each use of an alias"
            raise Refused(line, column, what, "spread the syncs over several folders")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, bounded, that gives documents with marks in place of bare values."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (PyYAML's own name and shape)
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TAG + "timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str, file: Path, first_line: int, budget: _Budget) -> None:
        self._file, self._first_line, self._budget = file, first_line, budget
        self._composed = _Budget()
        self._depth = 0
        super().__init__(text)

    def document(self) -> Document:
        """The next document."""
        node = self.get_node()
        assert node is not None  # noqa: S101  (check_node said so)
        self._marks: dict[Place, Mark] = {}
        self._flaws: list[Problem] = []
        self._mark((), node, node)
        value = self._value(node, (), 0)
        return Document(self._file, value, self._marks, tuple(self._flaws))

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._depth += 1
        self._composed.take(self._depth, cast("yaml.Event", self.peek_event()).start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def _position(self, node: yaml.Node) -> tuple[int, int]:
        mark = node.start_mark
        return self._first_line + mark.line + 1, mark.column + 1

    def _flaw(self, node: yaml.Node, place: Place, what: str, cure: str) -> None:
        self._flaws.append(Problem(self._file, *self._position(node), dotted(place), what, cure))

    def _value(self, node: yaml.Node, place: Place, depth: int) -> Any:
        self._budget.take(depth, node.start_mark)
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, place, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            values: list[Any] = []
            for i, item in enumerate(node.value):
                self._mark((*place, i), item, item)
                values.append(self._value(item, (*place, i), depth + 1))
            return values
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, place)
        self._refuse_tag(node, place)
        return None

    def _refuse_tag(self, node: yaml.Node, place: Place) -> None:
        tag = node.tag.replace(_TAG, "!!")
        self._flaw(node, place, f"the tag {shown(tag)} has no meaning here", "take the tag away")

    def _mark(self, place: Place, key: yaml.Node, value: yaml.Node) -> None:
        text = value.value if isinstance(value, yaml.ScalarNode) else None
        self._marks[place] = Mark(self._position(key), self._position(value), text)

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Any:
        text = cast("str", node.value)
        if node.tag == _TAG + "str":
            if any("\ud800" <= char <= "\udfff" for char in text):
                self._flaw(node, place, "half a character (a lone surrogate)", "write the character itself")
                return None
            return text
        if node.tag not in _PLAIN:
            self._refuse_tag(node, place)
            return None
        try:
            if len(text) <= _LONGEST_NUMBER:
                return cast("object", self.construct_object(node))
        except (ValueError, LookupError):
            pass
        self._flaw(node, place, f"{shown(text)} cannot be read as a number or yes/no", _QUOTE)
        return None

    def _mapping(self, node: yaml.MappingNode, place: Place, depth: int) -> dict[str, Any]:
        pairs = node.value
        merged: dict[str, Any] = {}
        for source in reversed(
            [each for key, value in pairs if key.tag == _MERGE for each in _listed(value)]
        ):
            if isinstance(source, yaml.MappingNode):
                self._budget.take(depth + 1, source.start_mark)
                merged.update(self._mapping(source, place, depth + 1))
            else:
                self._flaw(source, place, "'<<' takes keys from an anchor", "write it as `<<: *anchor`")
        own: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in pairs:
            key = None if key_node.tag == _MERGE else self._key(key_node, place)
            if key is None:
                continue
            line = self._position(key_node)[0]
            if key in own:
                what = f"the key {shown(key)} stands here twice, first in line {lines[key]}"
                self._flaw(key_node, (*place, key), what, "keep one of the two")
                continue
            lines[key] = line
            self._mark((*place, key), key_node, value_node)
            own[key] = self._value(value_node, (*place, key), depth + 1)
        return merged | own

    def _key(self, node: yaml.Node, place: Place) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.tag == _TAG + "str":
            return cast("str | None", self._scalar(node, place))
        if isinstance(node, yaml.ScalarNode):
            what = f"a key must be text, and YAML reads {shown(node.value)} as something else"
            self._flaw(node, place, what, "put the key in quotes")
        else:
            cure = "put text that begins with { or [ in quotes; {{ templates }} are not used here"
            self._flaw(node, place, "a key must be text", cure)
        return None


def _listed(node: yaml.Node) -> list[yaml.Node]:
    return cast("list[yaml.Node]", node.value if isinstance(node, yaml.SequenceNode) else [node])
