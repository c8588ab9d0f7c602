"""Keys as names: which are drops, how they are shown, and what they are called in the archive."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload")
_HIDDEN = (".", "_", "~$")
_LONGEST_NAME = 200  # bytes; a key ends at 1,024, and some stores allow 255 a part


def shown(text: str, longest: int = 200) -> str:
    """A key or message as it may stand in a log: one line, no control characters, bounded."""
    text = repr(text)
    return text if len(text) <= longest else f"{text[: longest - 4]}...{text[-1]}"


def is_finished(name: str) -> bool:
    """Whether this key (below its prefix) can be a drop by its name: no folder marker, no hidden part, and no
    ending that uploaders give to what they are still writing."""
    parts = name.split("/")
    if not parts[-1] or parts[-1].lower().endswith(_UNFINISHED):
        return False
    return not any(part.startswith(_HIDDEN) for part in parts)


def matches(pattern: str, name: str) -> bool:
    """Whether a key (below its prefix) fits a glob: `*` and `?` stay within a folder, `**/` is any number of
    folders, `[a-z]` one character of a set; upper and lower case differ."""
    return _compiled(pattern).fullmatch(name) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    regex = ""
    for part in re.findall(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\]|.", pattern, re.DOTALL):
        if part == "**/":
            regex += "(?:.*/)?"
        elif part == "**":
            regex += ".*"
        elif part == "*":
            regex += "[^/]*"
        elif part == "?":
            regex += "[^/]"
        elif len(part) > 1:
            inside = part[1:-1].replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^")
            regex += "[" + ("^/" + inside[1:] if inside.startswith("!") else inside) + "]"
        else:
            regex += re.escape(part)
    return re.compile(regex, re.DOTALL)


def archived_as(key: str, mark: str, extension: str | None = None) -> str:
    """The last part of `key` with `mark` before its extension: `devices.csv` becomes `devices.0a1b2c.csv`.

    The mark comes from the identity of a drop, so each version has a name of its own, and the same one at each
    try. Control characters become `_`; the name is cut to 200 bytes. `extension` replaces the drop's own.
    """
    name = "".join("_" if unicodedata.category(c) in {"Cc", "Cs"} else c for c in key.rsplit("/", 1)[-1])
    found = re.fullmatch(r"(.*?)((?:\.\w{1,10})?(?:\.(?:gz|zip))?)", name, re.DOTALL)
    stem, ending = (found[1], found[2]) if found else (name, "")
    if extension is not None:
        ending = extension
    room = _LONGEST_NAME - len(mark.encode()) - len(ending.encode()) - 1
    stem = stem.encode()[:room].decode(errors="ignore")
    return f"{stem or 'drop'}.{mark}{ending}"
