"""The values of one JSON object as text, and what a decoder would let pass without a word."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import msgspec

from planhat_pipelines.files.formats.json_split import Number, Object, too_deep, too_long
from planhat_pipelines.files.formats.model import Limits, Unreadable

Texted = dict[str, str | None]

_decode_raw = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
split = msgspec.json.Decoder(list[msgspec.Raw]).decode
_NOTHING = type(None)
_TEXTS = (str, _NOTHING)


class Texts:
    """Objects to rows of text, within limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sound: set[tuple[int, int]] = set()

    def of(self, raw: bytes, found: Object) -> Texted:
        """Strings decoded, null as None, all else as it is written: 1.10, true, {"a": 1}.

        raw: the object as it is written. Raises Unreadable for a key that comes twice, which is lost in `found`.
        """
        kinds: list[type] = [type(value) for value in found.values()]
        strings = kinds.count(str)
        nested = dict in kinds or list in kinds
        if nested or b"\\" in raw:
            exact = self._raw(raw)
            if b"\\u0000" in raw:
                _refuse_nul(found)
            if nested:
                found |= {key: self._nested(bytes(exact[key]), 1) for key in _nested_keys(found)}
        elif raw.count(b'"') != 2 * (len(found) + strings):  # two for each text that is plain
            raise _twice(raw)
        if strings + kinds.count(_NOTHING) < len(kinds):
            for key in [key for key, kind in zip(found, kinds, strict=True) if kind not in _TEXTS]:
                found[key] = self._written(found[key])
        if len(raw) > self._limits.field_bytes:
            self._bound(found)
        return found

    def columns(self, raw: bytes, found: Sequence[Object]) -> dict[str, list[str | None]] | None:
        """The same of many plain objects at once, column by column; None when one of them needs a closer look.

        raw: the objects as they are written, one after the other.
        """
        nested = b"[" in raw or raw.count(b"{") != len(found)  # or a text looks so
        if nested or b"\\" in raw or len(raw) > self._limits.field_bytes:
            return None
        texts = sum(map(len, found))
        columns: dict[str, list[Any]] = {}
        for name in dict.fromkeys(chain.from_iterable(found)):
            values = _column(name, found)
            kinds = Counter(map(type, values))
            texts += kinds[str]
            if kinds.keys() in ({int}, {Number}):
                values = list(map(str if int in kinds else Number.decode, values))
                if max(map(len, values)) > self._limits.digits:
                    return None
            elif not kinds.keys() <= {str, _NOTHING}:
                values = [each if type(each) in _TEXTS else self._written(each) for each in values]
            columns[name] = values
        return columns if raw.count(b'"') == 2 * texts else None

    def _written(self, value: bool | int | Number) -> str:
        if value is True:
            return "true"
        if value is False:
            return "false"
        text = value.decode() if isinstance(value, Number) else str(value)
        if len(text) > self._limits.digits:
            raise too_long()
        return text

    def _raw(self, raw: bytes) -> dict[str, msgspec.Raw]:
        """The values as they are written; Unreadable when a key comes twice.

        The decoder keeps the last of two equal keys, which shows: bytes are unaccounted for. What is neither key
        nor value is punctuation. Its length is right when it is the least possible, or is one that a slower look
        has found right for another object with as many keys.
        """
        found = _decode_raw(raw)
        rest = len(raw) - sum(len(value) + len(key.encode()) for key, value in found.items())
        if rest != 1 + 4 * len(found) and (len(found), rest) not in self._sound:
            if len(_keys_of(raw)) != len(found):
                raise _twice(raw)
            self._sound.add((len(found), rest))
        return found

    def _nested(self, raw: bytes, depth: int) -> str:
        """A nested value as it is written, when no later reader of it will stumble."""
        if depth > self._limits.depth:
            raise too_deep(self._limits)
        values: Any = ()
        if raw.startswith(b"{"):
            values = self._raw(raw).values()
        elif raw.startswith(b"["):
            values = split(raw)
        elif not raw.startswith(b'"') and len(raw) > self._limits.digits:
            raise too_long()
        for value in values:
            self._nested(bytes(value), depth + 1)
        return raw.decode()

    def _bound(self, found: Object) -> None:
        for key, value in found.items():
            if value and len(value.encode()) > self._limits.field_bytes:
                raise Unreadable(f"{key!r} is longer than {self._limits.field_bytes:,} bytes")


def _column(name: str, found: Sequence[Object]) -> list[Any]:
    try:
        return list(map(itemgetter(name), found))
    except KeyError:
        return [each.get(name) for each in found]


def _nested_keys(found: Object) -> list[str]:
    return [key for key, value in found.items() if type(value) is dict or type(value) is list]


def _refuse_nul(found: Object) -> None:
    for key, value in found.items():
        if type(value) is str and "\0" in value:
            raise Unreadable(f"{key!r} holds a NUL character", cure="Leave it out")


def _twice(raw: bytes) -> Unreadable:
    key = next(key for key, times in Counter(_keys_of(raw)).items() if times > 1)
    return Unreadable(f"it holds the key {key!r} twice", cure="Give each key once")


def _keys_of(raw: bytes) -> list[str]:
    """The keys of an object as often as they are written."""
    keys: list[str] = json.loads(raw, object_pairs_hook=_first, parse_int=len, parse_float=len)
    return keys


def _first(pairs: list[tuple[str, object]]) -> list[str]:
    return [key for key, _ in pairs]
