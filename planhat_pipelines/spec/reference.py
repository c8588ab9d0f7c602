"""Every option of every kind of sync as Markdown, written from the specs themselves."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from planhat_pipelines.spec.explain import as_yaml, hint_of, sample, unwrap
from planhat_pipelines.spec.kinds import KINDS

_INTRODUCTION = """\
# Options of a sync

Written by `planhat-pipelines reference` from the specs that read the YAML.

A `defs.yaml` holds one sync, or several with `---` between them. Each has a `type:`, which is one of the three below,
and `attributes:`, which are its options. An option without a default has to be there. Unknown options are errors.
`planhat-pipelines check --offline` says what is wrong in which line, and what to write instead.
"""
_WORDS: Mapping[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    dict: "keys",
}


def reference() -> str:
    """The whole page."""
    shared: dict[str, type[BaseModel]] = {}
    parts = [_INTRODUCTION.rstrip("\n")]
    for kind, spec in KINDS.items():
        parts.append(f"\n## {kind.rpartition('.')[2]}\n\n{_sentence(spec)}\n\n`type: {kind}`\n")
        parts.append(_options(spec, shared))
    done: set[str] = set()
    while left := {name: model for name, model in shared.items() if name not in done}:
        for name, model in left.items():
            done.add(name)
            parts.append(f"\n## {name}\n\n{_sentence(model)}\n")
            parts.append(_options(model, shared))
    return "\n".join(parts).replace("\n\n\n", "\n\n")


def described(field: FieldInfo) -> str:
    """What an option is for: in its own words, or in those of what it holds. Empty when nobody has said."""
    models = list(_models(field.annotation))
    return field.description or (_sentence(models[0]) if models else "")


def _options(model: type[BaseModel], shared: dict[str, type[BaseModel]]) -> str:
    lines = ["| option | type | default | what it is for | example |", "| --- | --- | --- | --- | --- |"]
    for name, field in model.model_fields.items():
        shared.update((each.__name__, each) for each in _models(field.annotation))
        cells = [
            f"`{name}`",
            _type(hint_of(field)),
            _default(field),
            described(field),
            f"`{name}: {_example(field)}`",
        ]
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _type(hint: Any) -> str:
    core, notes = unwrap(hint)
    for note in notes:
        if isinstance(note, BeforeValidator) and note.json_schema_input_type is not PydanticUndefined:
            core = note.json_schema_input_type
    origin, arguments = get_origin(core), get_args(core)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(each) for each in arguments if each is not type(None)))
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"names, each with {_type(arguments[1])}"
    if isinstance(core, type) and issubclass(core, BaseModel):
        return f"[{core.__name__}](#{core.__name__.lower()})"
    return _WORDS[core]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    return (
        ""
        if default is None or default in ((), {}) or isinstance(default, BaseModel)
        else f"`{as_yaml(default)}`"
    )


def _example(field: FieldInfo) -> str:
    core, _ = unwrap(field.annotation)
    if get_origin(core) is Literal and not field.is_required():
        others = [each for each in get_args(core) if each != field.default]
        return as_yaml(others[0])
    if core is bool and field.default is False:
        return "true"
    if field.examples and isinstance(field.examples[0], list | dict):
        return _flow(field.examples[0])
    return sample(hint_of(field))


def _flow(value: Any) -> str:
    """YAML on one line."""
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return f"{{{', '.join(f'{name}: {_flow(each)}' for name, each in pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, cast('list[Any]', value)))}]"
    return as_yaml(value)


def _models(hint: Any) -> Iterator[type[BaseModel]]:
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint
    for each in get_args(hint):
        yield from _models(each)


def _sentence(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())
