"""pydantic's errors as sentences for the person who wrote the YAML: what is wrong, and what to write instead."""

from __future__ import annotations

import difflib
import json
import re
import types
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined

from planhat_pipelines.spec.base import SpecError
from planhat_pipelines.spec.positions import Document, Place, Problem, printable, shown

_Errors = Sequence[tuple[Place, ErrorDetails]]
"""Errors, each with the rest of the way to it."""

_WORDS: dict[Any, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_FOUND: dict[Any, str] = {
    **_WORDS,
    bool: "a yes/no value",
    list: "a list",
    dict: "keys with values",
    type(None): "nothing",
}
_LIMITS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def explain(document: Document, spec: type[BaseModel], error: ValidationError) -> list[Problem]:
    """One problem for each mistake in the document's `attributes`, however many errors it caused."""
    errors = [(each["loc"], each) for each in error.errors(include_url=False)]
    return _explain(document, spec, errors, ("attributes",))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` most likely means; None when none is near."""
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(word.lower()[:100], by_lower, n=1, cutoff=0.7)
    return by_lower[near[0]] if near else None


def _explain(document: Document, hint: Any, errors: _Errors, place: Place) -> list[Problem]:
    problems = [_leaf(document, hint, error, place) for rest, error in errors if not rest]
    deeper = [(rest, error) for rest, error in errors if rest]
    if not deeper:
        return problems
    core, _ = unwrap(hint)
    members = members_of(core)
    if len(members) > 1:
        return problems + _union(document, hint, members, deeper, place)
    if isinstance(core, type) and issubclass(core, BaseModel):
        return problems + _model(document, core, deeper, place)
    arguments = get_args(core)
    value_hint = arguments[1 if get_origin(core) is dict else 0] if arguments else Any
    for key, below in _by_first(deeper).items():
        problems += _explain(document, value_hint, below, (*place, key))
    return problems


def _union(
    document: Document, hint: Any, members: tuple[Any, ...], errors: _Errors, place: Place
) -> list[Problem]:
    """Only the errors of the form the writer most likely meant: the one with the fewest mistakes."""
    if all(len(rest) == 1 for rest, _ in errors):  # no form got as far as looking inside
        return [_wrong_type(document, hint, place)]
    branches = list(_by_first(errors).values())  # in the order of the members, as each must have failed
    return min(
        (_explain(document, *branch, place) for branch in zip(members, branches, strict=False)), key=len
    )


def _model(document: Document, model: type[BaseModel], errors: _Errors, place: Place) -> list[Problem]:
    fields = model.model_fields
    value = document.at(place)
    # a short form such as `every: 5m` has no keys: its errors belong to the value itself
    written = cast("dict[str, Any]", value) if isinstance(value, dict) else None
    groups = _by_first(errors)
    missing = [
        str(key) for key, below in groups.items() if below[0][1]["type"] == "missing" and not below[0][0]
    ]
    problems: list[Problem] = []
    for key, below in groups.items():
        if key not in fields:
            near = nearest(str(key), [name for name in fields if not written or name not in written])
            if near in missing:
                missing.remove(near)  # one mistake, not two
            cure = f"did you mean '{near}'?" if near else f"the keys here are {', '.join(fields)}"
            problems.append(document.problem((*place, key), f"unknown key {shown(key)}", cure, at_key=True))
        elif below[0][1]["type"] != "missing" or below[0][0]:
            at = place if written is None else (*place, key)
            problems += _explain(document, hint_of(fields[str(key)]), below, at)
    for key in missing:
        cure = f"add a line such as `{key}: {sample(hint_of(fields[key]))}`"
        problems.append(document.problem((*place, key), f"`{key}:` is missing", cure))
    return problems


def _leaf(document: Document, hint: Any, error: ErrorDetails, place: Place) -> Problem:
    """The sentence for an error of one value."""
    value, kind, context = document.at(place), error["type"], error.get("ctx", {})
    core, notes = unwrap(hint)
    cure = f"write for instance {_line(hint, place)}"
    refused = context.get("error")
    if isinstance(refused, SpecError):
        return document.problem(place, printable(refused.what), refused.cure)
    if kind == "literal_error" and isinstance(value, str):
        options = [str(option) for option in get_args(core)]
        what = f"{shown(value)} is not one of {', '.join(options)}"
        near = nearest(value, options)
        return document.problem(
            place, what, f"did you mean '{near}'?" if near else "write one of these words"
        )
    if kind.endswith(("_type", "_parsing", "_from_float")) or kind == "literal_error":
        return _wrong_type(document, hint, place)
    what = printable(error["msg"].removeprefix("Value error, "))
    if kind == "string_pattern_mismatch":
        about = next(
            (note.description for note in notes if isinstance(note, FieldInfo) and note.description), ""
        )
        what = f"{shown(value)} does not have the form it needs"
        cure = f"{about.split('. ')[0].rstrip('.')}; {cure}".removeprefix("; ")
    elif kind in ("string_too_short", "too_short"):
        what = "the text is empty" if isinstance(value, str) else "the list is empty"
    elif limits := [f"{words} {context[key]:,}" for key, words in _LIMITS.items() if key in context]:
        what = f"{shown(value)} does not fit: it must be {' and '.join(limits)}"
    return document.problem(place, what, cure)


def _wrong_type(document: Document, hint: Any, place: Place) -> Problem:
    value, mark = document.at(place), document.marks.get(place)
    wanted = _expects(hint)
    what = f"expected {wanted}, found {_FOUND.get(type(value), 'something else')}"
    text = mark.text if mark else None
    if text and wanted.startswith(_WORDS[str]) and not isinstance(value, str):
        return document.problem(place, what, f"put it in quotes: {json.dumps(printable(text, 60))}")
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d+)?", value.strip()):
        return document.problem(place, what, "write it without quotes")
    return document.problem(place, what, f"write for instance {_line(hint, place)}")


def unwrap(hint: Any) -> tuple[Any, list[Any]]:
    """The type without `Annotated` and `| None`, and the notes that were on it, outermost first."""
    notes: list[Any] = []
    while True:
        if get_origin(hint) is Annotated:
            hint, *more = get_args(hint)
            notes = notes + more
        elif (
            len(rest := [each for each in members_of(hint) if each is not type(None)]) == 1
            and hint != rest[0]
        ):
            hint = rest[0]
        else:
            return hint, notes


def members_of(hint: Any) -> tuple[Any, ...]:
    """The forms a value may have; a type that is no union has one, and `None` is none."""
    if get_origin(hint) not in (Union, types.UnionType):
        return (hint,)
    return tuple(each for each in get_args(hint) if each is not type(None))


def hint_of(field: FieldInfo) -> Any:
    """A field's type with all that was noted on it."""
    return Annotated[(field.annotation, *field.metadata, field)]


def _by_first(errors: _Errors) -> dict[str | int, list[tuple[Place, ErrorDetails]]]:
    groups: dict[str | int, list[tuple[Place, ErrorDetails]]] = {}
    for (first, *rest), error in errors:
        groups.setdefault(first, []).append((tuple(rest), error))
    return groups


def _expects(hint: Any) -> str:
    """The type in words: `text or keys (column, path)`."""
    core, notes = unwrap(hint)
    for note in notes:
        if isinstance(note, BeforeValidator) and note.json_schema_input_type is not PydanticUndefined:
            return _expects(note.json_schema_input_type)
    members = members_of(core)
    if len(members) > 1:
        return " or ".join(dict.fromkeys(_expects(member) for member in members))
    if get_origin(core) is Literal:
        return f"one of {', '.join(map(str, get_args(core)))}"
    if get_origin(core) in (tuple, list):
        return "a list"
    if isinstance(core, type) and issubclass(core, BaseModel):
        return f"keys ({', '.join(core.model_fields)})"
    return _WORDS.get(core, "keys with values")


def _line(hint: Any, place: Place) -> str:
    example = sample(hint)
    return f"`{place[-1]}: {example}`" if isinstance(place[-1], str) else f"`- {example}`"


def sample(hint: Any) -> str:
    """A value that would do, as YAML on one line."""
    core, notes = unwrap(hint)
    for note in notes:
        if isinstance(note, FieldInfo) and note.examples:
            return as_yaml(note.examples[0])
    core = members_of(core)[0]
    if get_origin(core) is Literal:
        return as_yaml(get_args(core)[0])
    if get_origin(core) in (tuple, list):
        return f"[{sample(get_args(core)[0])}]"
    if isinstance(core, type) and issubclass(core, BaseModel):
        fields = core.model_fields.items()
        needed = [f"{name}: {sample(hint_of(field))}" for name, field in fields if field.is_required()]
        return f"{{{', '.join(needed)}}}"
    default = next((note.default for note in notes if isinstance(note, FieldInfo)), None)
    if isinstance(default, bool | int | float | str):
        return as_yaml(default)
    plain: dict[Any, str] = {int: "1", float: "1.5", bool: "true", str: "text"}
    return plain.get(core, "{name: COLUMN_NAME}")


def as_yaml(value: Any) -> str:
    """A value on one line."""
    text = str(value)
    is_word = re.fullmatch(
        r"(?i)y|n|yes|no|on|off|true|false|null", text
    )  # which YAML takes for something else
    plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w. ]*", text) and not is_word
    return text if plain else json.dumps(value)
