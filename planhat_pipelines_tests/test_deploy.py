"""The settings that ship are settings Dagster takes, and do what they are there for."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import dagster as dg
import pytest
import yaml

from planhat_pipelines.commands.stage import WORKSPACE, dagster_home, forget_accounts


def test_an_instance_starts_with_the_shipped_settings(tmp_path: Path) -> None:
    home = dagster_home(tmp_path)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert instance.run_monitoring_enabled
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1
        limits = instance.get_concurrency_config().run_queue_config
        assert limits is not None
        assert limits.tag_concurrency_limits[0]["key"] == "planhat/sync"


def test_a_fresh_home_forgets_earlier_runs_but_no_folder_of_somebody_else(tmp_path: Path) -> None:
    home = dagster_home(tmp_path)
    (home / "history").mkdir()
    dagster_home(tmp_path)
    assert (home / "history").exists()
    dagster_home(tmp_path, fresh=True)
    assert not (home / "history").exists()
    (home / "dagster.yaml").unlink()
    (home / "precious").mkdir()
    dagster_home(tmp_path, fresh=True)
    assert (home / "precious").exists()


def test_no_account_of_the_user_reaches_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SNOWFLAKE_PASSWORD", "AWS_PROFILE", "PLANHAT_TOKEN", "PLANHAT_PIPELINES_DEFS"):
        monkeypatch.setenv(name, "mine")
    forget_accounts()
    assert not {"SNOWFLAKE_PASSWORD", "AWS_PROFILE", "PLANHAT_TOKEN"} & set(os.environ)
    assert os.environ["PLANHAT_PIPELINES_DEFS"] == "mine"


def test_the_workspace_names_the_code_location_as_the_project_does() -> None:
    (place,) = yaml.safe_load(WORKSPACE.read_text())["load_from"]
    project = tomllib.loads((WORKSPACE.parent / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    assert place["python_module"]["location_name"] == project["code_location_name"]
