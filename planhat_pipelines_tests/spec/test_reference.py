"""The reference page tells every option of every sync, as the specs take it now."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, TypeAdapter

from planhat_pipelines.cli import main
from planhat_pipelines.spec import base, cadence, fields, files, records, usage
from planhat_pipelines.spec.explain import hint_of
from planhat_pipelines.spec.kinds import KINDS
from planhat_pipelines.spec.reference import described, reference

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"
ALL = {
    model.__name__: model
    for module in (base, cadence, fields, files, records, usage)
    for model in vars(module).values()
    if isinstance(model, type) and issubclass(model, BaseModel) and model is not base.Spec
}
ROW = re.compile(r"\| `(\w+)` \|.*\| `(\w+: .*)` \|")


def sections() -> dict[str, str]:
    return {part.split("\n", 1)[0]: part for part in reference().split("\n## ")[1:]}


def test_the_page_in_docs_is_the_one_the_specs_write_now() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "run planhat-pipelines reference --out docs/reference.md"
    )


def test_every_option_says_what_it_is_for() -> None:
    silent = [
        f"{name}.{option}"
        for name, model in ALL.items()
        for option, field in model.model_fields.items()
        if not described(field)
    ]
    assert silent == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_of_a_kind_and_of_what_it_holds_has_its_row(kind: str) -> None:
    found = sections()
    for name, model in [(kind.split(".")[1], KINDS[kind]), *ALL.items()]:
        if name in found:
            assert [row for row, _ in ROW.findall(found[name])] == list(model.model_fields)


def test_every_example_is_taken_as_it_stands() -> None:
    models = ALL | {kind.split(".")[1]: spec for kind, spec in KINDS.items()}
    for name, text in sections().items():
        for option, line in ROW.findall(text):
            example: Any = yaml.safe_load(line.replace("\\|", "|"))[option]
            TypeAdapter(hint_of(models[name].model_fields[option])).validate_python(example)


def test_every_link_leads_to_a_section() -> None:
    text = reference()
    anchors = {name.lower() for name in sections()}
    assert set(re.findall(r"\]\(#(\w+)\)", text)) <= anchors


def test_it_is_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reference"]) == 0
    assert capsys.readouterr().out == reference()
    assert main(["reference", "--out", str(tmp_path / "page.md")]) == 0
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == reference()
    assert main(["reference", "--out", str(tmp_path)]) == 1
    assert "cannot be written" in capsys.readouterr().err
