"""What the code never does, whoever changes it: held for every module of the package."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import planhat_pipelines

PACKAGE = Path(planhat_pipelines.__file__).parent
MODULES = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
NEVER = {
    *(
        "eval",
        "exec",
        "os.system",
        "os.popen",
        "pickle.load",
        "pickle.loads",
        "marshal.loads",
        "yaml.unsafe_load",
    ),
    *("yaml.full_load", "yaml.load_all", "tempfile.mktemp", "ssl._create_unverified_context"),
}
UNVERIFIED = {"verify", "verify_ssl", "check_hostname", "insecure_mode", "disable_ocsp_checks"}


def calls() -> Iterator[tuple[Path, ast.Call]]:
    for path, tree in MODULES.items():
        yield from ((path, node) for node in ast.walk(tree) if isinstance(node, ast.Call))


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(PACKAGE)}:{getattr(node, 'lineno', 0)}"


def test_no_module_runs_text_as_code_or_through_a_shell() -> None:
    named = {place(path, call) for path, call in calls() if ast.unparse(call.func) in NEVER}
    shell = {place(path, call) for path, call in calls() for word in call.keywords if word.arg == "shell"}
    assert named | shell == set()


def test_yaml_is_read_by_loaders_that_make_nothing_but_plain_values() -> None:
    from yaml import SafeLoader

    from planhat_pipelines.spec.positions import _Loader

    loads = [(path, call) for path, call in calls() if ast.unparse(call.func) == "yaml.load"]
    assert {path.name for path, _ in loads} == {
        "catalogue.py"
    }  # a file of the package, read with CSafeLoader
    assert issubclass(_Loader, SafeLoader)


def test_certificates_are_always_checked() -> None:
    off = {
        place(path, word)
        for path, tree in MODULES.items()
        for word in ast.walk(tree)
        if (isinstance(word, ast.keyword) and word.arg in UNVERIFIED)
        or (
            isinstance(word, ast.Assign)
            and any(
                isinstance(target, ast.Attribute) and target.attr in UNVERIFIED for target in word.targets
            )
            and ast.unparse(word.value) == "False"
        )
    }
    assert off == set()
    texts = "".join(path.read_text() for path in MODULES)
    assert not re.search(r"CERT_NONE|disable_warnings|OCSP_FAIL", texts)
