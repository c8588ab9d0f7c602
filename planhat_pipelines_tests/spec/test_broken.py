"""Two hundred files that are broken in every way that comes to mind, in one folder, and one `check` of it."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from planhat_pipelines_tests.spec.files import LOGINS, SEATS, write

FILES = 200
DRAW = random.Random(20261122)  # noqa: S311  (repeatable, not secret)


def lines(text: str) -> list[str]:
    return text.splitlines()


def value_of_a_line(text: str, value: str) -> str:
    """Another value in one line that has one."""
    at = DRAW.choice([n for n, line in enumerate(lines(text)) if re.search(r": \S", line)])
    changed = re.sub(r": .*", lambda _: f": {value}", lines(text)[at])
    return "\n".join([*lines(text)[:at], changed, *lines(text)[at + 1 :]])


def with_line(text: str, line: str) -> str:
    """One more line below a line of the attributes, as far in as that one."""
    at = DRAW.randrange(2, len(lines(text)))
    indent = re.match(" *", lines(text)[at])
    return "\n".join([*lines(text)[:at], (indent[0] if indent else "") + line, *lines(text)[at:]])


def truncated(text: str) -> str:
    return text[: DRAW.randrange(1, text.index("every:"))]


def tab(text: str) -> str:
    return text.replace("\n  ", "\n\t", DRAW.randrange(1, 4))


def wrong_type(text: str) -> str:
    wrong = ["[]", "{}", "[1, 2]", "{a: 1}", ".nan", "-1", "0x1F", "!!binary aGk="]
    return value_of_a_line(text, DRAW.choice(wrong))


def duplicate(text: str) -> str:
    return with_line(text, DRAW.choice(lines(text)).strip() or "x: 1") + "\nname: x\n"


def anchors(text: str) -> str:
    return with_line(text, DRAW.choice(["a: *nowhere", "a: &a [*a]", "<<: *b", "<<: 1", "a: &a {b: *a}"]))


def code(text: str) -> str:
    evil = [
        "!!python/object/apply:os.system [echo broken]",
        "!!python/name:os.system",
        "!evil x",
        "!!set {a}",
    ]
    return with_line(text, f"a: {DRAW.choice(evil)}")


def unknown_key(text: str) -> str:
    return with_line(text, DRAW.choice(["nmae: x", "'': x", "? [a, b]", "1: 2", "true: x", "~: y", "…: z"]))


def binary(text: str) -> bytes:
    raw = text.encode()
    at = DRAW.randrange(len(raw))
    odd = [b"\xff", b"\x00", b"\xed\xa0\x80", b"\x1b[31m", DRAW.randbytes(30) + b"\xff", b"\xfe\xff\x00"]
    return raw[:at] + DRAW.choice(odd) + raw[at:]


def deep(text: str) -> str:
    depth = DRAW.choice([100, 2_000, 50_000])
    return with_line(
        text, DRAW.choice([f"a: {'[' * depth}{']' * depth}", f"a: {'{b: ' * depth}", "- " * depth])
    )


def huge(text: str) -> str:
    return DRAW.choice([text + "# x\n" * 600_000, with_line(text, f"a: {'x' * 700_000}"), "- 1\n" * 60_000])


def laughs(text: str) -> str:
    names = "abcdefghi"
    lists = [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise(names)]
    return "\n".join(["a: &a [x]", *lists, text])


def bracket(text: str) -> str:
    return value_of_a_line(
        text, DRAW.choice(["{", "[", '"', "'", "}", "]", "@x", "`x`", "%", "a: b", "|\n x", "*", "&"])
    )


CHEAP = [
    truncated,
    tab,
    wrong_type,
    wrong_type,
    duplicate,
    anchors,
    code,
    unknown_key,
    binary,
    bracket,
    bracket,
]
WAYS: list[Callable[[str], str | bytes]] = [*CHEAP * 4, deep, huge, laughs]


def test_check_names_file_and_line_of_two_hundred_broken_files_and_never_breaks_itself(
    tmp_path: Path,
) -> None:
    for number in range(FILES):
        text = DRAW.choice([SEATS, LOGINS])
        name = text.partition("name: ")[2].partition("\n")[0]
        broken = WAYS[number % len(WAYS)](text.replace(f"name: {name}", f"name: sync{number}"))
        write(tmp_path / "defs" / f"f{number:03}", broken if isinstance(broken, bytes) else broken.encode())
    done = subprocess.run(
        [sys.executable, "-m", "planhat_pipelines.cli", "check", "defs", "--offline"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "Traceback" not in done.stdout
    assert "\x1b" not in done.stdout
    named = set(re.findall(r"^defs/(f\d{3})/defs\.yaml:[1-9]\d*:[1-9]\d*  \S", done.stdout, re.MULTILINE))
    silent = {f"f{number:03}" for number in range(FILES)} - named
    assert silent == set(), done.stdout[-2000:]
    assert not re.search(r"object at 0x|pydantic|yaml\.\w+Error", done.stdout)
