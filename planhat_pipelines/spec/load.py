"""Read every `defs.yaml` under a folder and report every error of every file at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from planhat_pipelines.spec.base import table_parts
from planhat_pipelines.spec.explain import explain, nearest
from planhat_pipelines.spec.kinds import KINDS, AnySpec
from planhat_pipelines.spec.positions import MAX_BYTES, Document, Problem, parse, printable, shown
from planhat_pipelines.spec.records import RecordsSpec

NAMES = ("defs.yaml", "defs.yml")
"""The file names Dagster reads syncs from; in one folder the first wins."""

_DAGSTER_KEYS = ("post_processing", "requirements", "template_vars_module")
_KEYS = ("type", "attributes", *_DAGSTER_KEYS)


@dataclass(frozen=True, slots=True)
class Declared:
    """One valid sync, and the line its document begins in."""

    kind: str
    spec: AnySpec
    file: Path
    line: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a folder holds: the valid syncs in the order of their files, and everything that is wrong."""

    syncs: tuple[Declared, ...]
    problems: tuple[Problem, ...]


def load(folder: Path) -> Loaded:
    """Read the folder as Dagster would. Never raises for anything that can be in it: see `problems`."""
    if not os.path.isdir(folder):
        cure = "give the folder that holds one folder for each sync"
        return Loaded((), (Problem(folder, 1, 1, "", "there is no such folder", cure),))
    problems: list[Problem] = []
    syncs: list[Declared] = []
    names: dict[str, str] = {}
    written: dict[str, str] = {}  # tables, by which sync writes to them
    files = sorted(_defs_files(folder, problems))
    if not files:
        cure = "put each sync in a folder of its own, in a file named defs.yaml"
        problems.append(Problem(folder, 1, 1, "", "no defs.yaml in this folder or below it", cure))
    for file in files:
        documents, unread = _read(file)
        problems += unread
        for document in documents:
            found = _repeated_name(document, folder, names)
            spec = _spec(document, found)
            found += _written_twice(document, spec, written)
            if spec and not found and not document.flaws:
                line = document.marks[()].value[0]
                syncs.append(Declared(document.value["type"], spec, file, line))
            holes = {(flaw.line, flaw.column) for flaw in document.flaws}  # already explained
            problems += [*document.flaws, *(each for each in found if (each.line, each.column) not in holes)]
    once = {(problem.file, problem.line, problem.column, problem.what): problem for problem in problems}
    return Loaded(tuple(syncs), tuple(sorted(once.values())))


def _defs_files(folder: Path, problems: list[Problem]) -> Iterator[Path]:
    """The files to read; those that look like syncs and that nobody reads become problems."""
    waiting: list[tuple[Path, Path | None]] = [(folder, None)]
    seen: set[str] = set()  # links may go in circles
    while waiting:
        here, above = waiting.pop()
        if (real := os.path.realpath(here)) in seen:
            continue
        seen.add(real)
        try:
            entries = os.listdir(here)
        except OSError as error:
            what = f"this folder cannot be read: {error.strerror}"
            problems.append(Problem(here, 1, 1, "", what, "check its permissions"))
            continue
        defs = next((here / name for name in NAMES if name in entries), None)
        for path in (here / name for name in entries if not name.startswith(".") and name != "__pycache__"):
            ignored = cure = ""
            if path == defs:
                yield path
                if above:
                    ignored = f"never loaded: Dagster does not look below a folder with its own {above.name}"
                    cure = f"move this folder out of {printable(above.parent.name)}/, beside it"
            elif path.name in NAMES:
                ignored = f"never loaded: {NAMES[0]} in the same folder goes first"
                cure = "move one of the two to a folder of its own"
            elif os.path.isdir(path):
                waiting.append((path, above or defs))
            elif path.suffix.lower() in (".yaml", ".yml"):
                ignored = f"ignored: only files named {NAMES[0]} are read"
                cure = f"move it to a folder of its own as {NAMES[0]}, or delete it"
            if ignored:
                problems.append(Problem(path, 1, 1, "", ignored, cure))


def _read(file: Path) -> tuple[list[Document], list[Problem]]:
    def refuse(what: str, cure: str, line: int = 1, column: int = 1) -> tuple[list[Document], list[Problem]]:
        return [], [Problem(file, line, column, "", what, cure)]

    if not os.path.isfile(file):
        return refuse("this is no file, or a link to nothing", "put the sync's YAML here, or delete it")
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return refuse(f"cannot be read: {error.strerror}", "check the file's permissions")
    if len(raw) > MAX_BYTES:
        return refuse(f"larger than {MAX_BYTES // 1024} KB", "spread the syncs over several folders")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        what = f"not UTF-8: the byte 0x{raw[error.start]:02x} cannot be here"
        cure = "save the file again with the encoding UTF-8"
        return refuse(what, cure, before.count(b"\n") + 1, len(before) - (before.rfind(b"\n") + 1) + 1)
    documents, problems = parse(file, text.replace("\r\n", "\n").replace("\r", "\n"))
    if not documents and not problems:
        return refuse("the file holds no sync", f"begin with `type: {next(iter(KINDS))}`, or delete the file")
    return documents, problems


def _repeated_name(document: Document, folder: Path, names: dict[str, str]) -> list[Problem]:
    """A name may stand once in all files; `names` remembers where each stood first."""
    place = ("attributes", "name")
    name = document.at(place)
    if not isinstance(name, str):
        return []
    here = f"{printable(str(document.file.relative_to(folder)))} line {document.marks[place].value[0]}"
    first = names.setdefault(name, here)
    if first == here:
        return []
    what = f"two syncs are named {shown(name)}: this one and the one in {first}"
    return [document.problem(place, what, "a name is a sync's identity; give one of them another")]


def _written_twice(document: Document, spec: AnySpec | None, written: dict[str, str]) -> list[Problem]:
    """A table may be written to by one sync: what comes back to it is one asset. `written` remembers who did first."""
    if not isinstance(spec, RecordsSpec) or not spec.fetched:
        return []
    table = ".".join(table_parts(spec.table))
    first = written.setdefault(table, spec.name)
    if first == spec.name:
        return []
    what = f"{first} writes to {table} as well"
    return [
        document.problem(("attributes", "table"), what, f"map the fields that come back in {first} alone")
    ]


def _spec(document: Document, problems: list[Problem]) -> AnySpec | None:
    """The spec of one document; what is wrong with it is added to `problems`."""
    value = document.value
    if not isinstance(value, dict):
        what = "an empty document" if value is None else "expected `type:` and `attributes:`"
        cure = f"write `type: {next(iter(KINDS))}` and `attributes:`, or delete this document"
        problems.append(document.problem((), what, cure))
        return None
    content = cast("dict[str, Any]", value)
    name, attributes = content.get("type"), content.get("attributes")
    kind = KINDS.get(name) if isinstance(name, str) else None
    left = [key for key in _KEYS if key not in content]
    meant = {key: nearest(key, left) for key in content if key not in _KEYS}
    for key, near in meant.items():
        cure = f"did you mean '{near}'?" if near else f"the keys here are {', '.join(_KEYS)}"
        if kind and key in kind.model_fields:
            cure = f"indent it by two spaces, below `attributes:`, as {shown(key)} is part of the sync"
        problems.append(document.problem((key,), f"unknown key {shown(key)}", cure, at_key=True))
    if kind is None:
        if "type" not in meant.values():  # one mistake, not two
            problems.append(document.problem(("type",), *_no_kind(content)))
        return None
    if attributes is None:
        needed = ", ".join(name for name, field in kind.model_fields.items() if field.is_required())
        what = "nothing stands below `attributes:`" if "attributes" in content else "`attributes:` is missing"
        cure = f"write below it, indented by two spaces, at least {needed}"
        if "attributes" not in meant.values():
            problems.append(document.problem(("attributes",), what, cure, at_key=True))
        return None
    try:
        return kind.model_validate(attributes)
    except ValidationError as error:
        problems += explain(document, kind, error)
        return None


def _no_kind(content: dict[str, Any]) -> tuple[str, str]:
    """What is wrong with `type:`, and the cure."""
    name, known = content.get("type"), ", ".join(KINDS)
    if "type" not in content:
        return "`type:` is missing", f"say what kind of sync this is: {known}"
    if not isinstance(name, str):
        return "`type:` must be the name of a kind of sync", f"write one of {known}"
    near = nearest(name, KINDS)
    return f"unknown type {shown(name)}", f"did you mean '{near}'?" if near else f"write one of {known}"
