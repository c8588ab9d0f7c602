"""Who may import whom, what loading costs, and how large a module may be."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

HOUSE = Path(__file__).parent.parent
PACKAGE = HOUSE / "planhat_pipelines"
MODULES = sorted(PACKAGE.rglob("*.py"))

CATALOGUE = "planhat_pipelines.planhat.catalogue"
PARTS = {"mapping", "planhat", "snowflake", "files", "ledger"}
ENGINE_AND_BELOW = PARTS | {"engine", "spec"}
ALLOWED: dict[str, set[str]] = {
    "definitions": {"components", "orchestration", *ENGINE_AND_BELOW},
    "components": {"orchestration", *ENGINE_AND_BELOW},
    "orchestration": ENGINE_AND_BELOW,
    "engine": PARTS | {"spec"},
    **{part: {"spec"} for part in PARTS},
    "spec": set(),
    "sandbox": set(),
    "cli": {"commands", "definitions", "sandbox", *ENGINE_AND_BELOW},
    "commands": {"definitions", "orchestration", "sandbox", *ENGINE_AND_BELOW},
    "defs": {"components", "orchestration", *ENGINE_AND_BELOW},
    "__init__": {"components"},
}
CATALOGUE_READERS = {"mapping", "sandbox", "spec"}  # a catalogue of facts, which imports nothing
DAGSTER = {"definitions", "components", "orchestration"}
DEAR = (
    "snowflake.connector",
    "boto3",
    "botocore",
    "pandas",
    "fakesnow",
    "moto",
    "openpyxl",
    "dagster_snowflake",
)
DEAR += ("dagster_aws", "cryptography", "pyarrow", "openlineage")  # imported where they are first used
WORK = (
    "polars",
    "numpy",
    "sqlalchemy",
    "requests",
    "planhat_pipelines.ledger",
    "planhat_pipelines.engine.run",
)
ONLY_WHERE_NEEDED = {"planhat_pipelines.files.credentials"}  # their own importers wait until they are called


def unit(module: Path) -> str:
    """The part of the house a module belongs to."""
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def name_of(module: Path) -> str:
    """The name it is imported by."""
    return ".".join(module.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__")


@cache
def imports(module: Path) -> tuple[tuple[str, bool], ...]:
    """Every module it imports, also inside functions and for types, and whether that happens as it is loaded."""
    return tuple(_imports(ast.parse(module.read_text()), loading=True, package=_package(module)))


def _package(module: Path) -> str:
    return ".".join(module.relative_to(HOUSE).parent.parts)


def _imports(node: ast.AST, *, loading: bool, package: str) -> Iterator[tuple[str, bool]]:
    if isinstance(node, ast.Import):
        yield from ((alias.name, loading) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        start = package.rsplit(".", node.level - 1)[0] + "." if node.level else ""
        source = start + (node.module or "")
        yield source, loading
        yield from ((f"{source}.{alias.name}", loading) for alias in node.names)
    inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, loading=loading and not inside and not for_types, package=package)


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("part", sorted({unit(module) for module in MODULES}))
def test_each_part_of_the_house_imports_only_what_lies_below_it(part: str) -> None:
    allowed = ALLOWED[part] | {part}
    for module in MODULES:
        if unit(module) != part:
            continue
        for name, _ in imports(module):
            if not name.startswith("planhat_pipelines."):
                continue
            if part in CATALOGUE_READERS and within(name, CATALOGUE):
                continue
            if part in CATALOGUE_READERS and name == CATALOGUE.rpartition(".")[0]:
                continue  # the package that holds the catalogue, on the way to it
            assert name.split(".")[1] in allowed, f"{module.relative_to(HOUSE)} imports {name}"


def test_only_the_outer_skin_imports_dagster() -> None:
    for module in MODULES:
        if unit(module) not in DAGSTER:
            dagster = [name for name, _ in imports(module) if name.split(".")[0].startswith("dagster")]
            assert not dagster or unit(module) in ("cli", "commands", "sandbox"), (
                f"{module} imports {dagster}"
            )
            at_once = [name for name, loading in imports(module) if loading and name.startswith("dagster")]
            assert not at_once, f"{module} imports {at_once} as it is loaded"


def test_dear_libraries_are_imported_where_they_are_first_used() -> None:
    for module in MODULES:
        if unit(module) != "sandbox":
            dear = [name for name, loading in imports(module) if loading and name in ONLY_WHERE_NEEDED]
            if name_of(module) not in ONLY_WHERE_NEEDED:
                dear += [name for name, loading in imports(module) if loading and within(name, *DEAR)]
            assert not dear, f"{module.relative_to(HOUSE)} imports {dear} as it is loaded"


def test_no_module_is_longer_than_400_lines_and_each_postpones_annotations() -> None:
    for module in MODULES:
        text = module.read_text()
        assert len(text.splitlines()) <= 400, module
        small = module.name == "__init__.py" or len(ast.parse(text).body) <= 1
        late = "from __future__ import annotations" in text
        # dagster reads the annotations of the functions it decorates, so some of its modules cannot
        decorates = unit(module) in DAGSTER
        assert small or late or decorates, f"{module.relative_to(HOUSE)} has no future annotations"


def loaded(statement: str) -> set[str]:
    """All modules in a fresh interpreter after a statement."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True, cwd=HOUSE
    )
    return set(json.loads(answer.stdout.splitlines()[-1]))


def test_the_engine_and_all_below_it_load_without_dagster() -> None:
    names = [name_of(module) for module in MODULES if unit(module) in ENGINE_AND_BELOW]
    modules = loaded("\n".join(f"import {name}" for name in names))
    assert not {name for name in modules if name.split(".")[0].startswith("dagster")}
    assert not {name for name in modules if within(name, "snowflake.connector", "boto3", "pandas")}


def test_loading_the_code_location_imports_no_integration_no_vendor_library_and_nothing_that_does_the_work() -> (
    None
):
    modules = loaded(
        "from planhat_pipelines.definitions import defs\n"
        "import dagster as dg\n"
        "found = defs()\n"
        "dg.Definitions.validate_loadable(found)\n"
        "assert found.resolve_all_asset_specs()"
    )
    assert not {name for name in modules if within(name, *DEAR, *WORK)}


def test_the_location_has_one_name_everywhere() -> None:
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    (location,) = yaml.safe_load((HOUSE / "workspace.yaml").read_text())["load_from"]
    assert location["python_module"]["location_name"] == project["code_location_name"]
    assert location["python_module"]["module_name"] == f"{project['root_module']}.definitions"
