"""What is installed is what was tried."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PINS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if not line.startswith("#")
)


def test_every_package_the_project_asks_for_is_pinned_to_a_version_it_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [
        Requirement(text)
        for text in chain(project["dependencies"], *project["optional-dependencies"].values())
    ]
    pinned = {canonicalize_name(name): version for name, version in PINS.items()}
    assert [each.name for each in asked if canonicalize_name(each.name) not in pinned] == []
    assert [
        str(each) for each in asked if not each.specifier.contains(pinned[canonicalize_name(each.name)])
    ] == []


def test_pins_are_names_and_versions_and_nothing_else() -> None:
    assert [
        name for name, version in PINS.items() if not re.fullmatch(r"[\w.\-]+==[\w.]+", f"{name}=={version}")
    ] == []


def test_the_packages_of_dagster_are_pinned_to_one_release() -> None:
    assert {PINS[name] for name in ("dagster", "dagster-webserver", "dagster-graphql", "dagster-dg-cli")} == {
        PINS["dagster"]
    }
    assert PINS["dagster-aws"] == PINS["dagster-snowflake"]
