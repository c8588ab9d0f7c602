"""The verify command shows what Planhat lacks, by key, and lets it go again."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from planhat_pipelines.cli import main
from planhat_pipelines_tests.e2e.place import Place
from planhat_pipelines_tests.records.crm import Crm
from planhat_pipelines_tests.spec.files import write


def test_verify_shows_keys_and_no_values_and_heals_what_it_found(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    crm = Crm(place)
    crm.accounts(("a1", "One"), ("a2", "Two"))
    crm.run()
    (tmp_path / "defs").mkdir()
    declared = {"type": "planhat_pipelines.SnowflakeRecords", "attributes": crm.facts()}
    (tmp_path / "defs" / "defs.yaml").write_text(yaml.safe_dump(declared))

    def verify(*words: str) -> tuple[int, str]:
        code = main(["verify", "accounts", *words, "--defs", str(tmp_path / "defs")])
        return code, capsys.readouterr().out

    assert verify() == (0, "accounts: 2 records sent, 2 looked for, 2 compared: all as it was sent.\n")
    crm.call("PUT", "companies/extid-a1", {"name": "Somebody's"})
    code, said = verify("--heal")
    assert code == 1
    assert "differs  a1   name" in said
    assert "1 records go again with the next run." in said
    assert "Somebody" not in said
    crm.run()
    assert verify()[0] == 0
    assert main(["verify", "nobody", "--defs", str(tmp_path / "defs")]) == 1
    assert "there are: accounts" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("direction", "why"), [("both", "goes both ways"), ("to_snowflake", "sends nothing")]
)
def test_a_sync_that_brings_changes_back_is_told_why_it_needs_no_verifying(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], direction: str, why: str
) -> None:
    write(
        tmp_path / "one",
        "type: planhat_pipelines.SnowflakeRecords\n"
        "attributes: {name: people, table: A.B.C, model: company, key: {column: ID, field: externalId}, every: 1h, "
        f"direction: {direction}, fields: [{{column: NAME, field: name}}]}}",
    )
    assert main(["verify", "people", "--defs", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"people {why}" in said
    assert "nothing to verify" in said
