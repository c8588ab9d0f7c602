"""The folder in which demo and dev play: a sandbox, and a Dagster instance beside it that is set up as shipped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

STATE = Path(".planhat")
_ROOT = Path(__file__).parents[2]
WORKSPACE = _ROOT / "workspace.yaml"
_OURS = ("SNOWFLAKE_", "PLANHAT_", "AWS_", "DAGSTER_")
_KEPT = ("PLANHAT_PIPELINES_DEFS",)


def sandbox_folder(folder: Path) -> Path:
    """Where the sandbox keeps its state."""
    return folder.absolute() / "sandbox"


def dagster_home(folder: Path, *, fresh: bool = False) -> Path:
    """The folder of the Dagster instance, with the shipped dagster.yaml; `fresh` forgets earlier runs.

    Raises FileNotFoundError when the package is not run from its repository, which holds that file.
    """
    home = folder.absolute() / "dagster"
    settings = home / "dagster.yaml"
    if fresh and settings.exists():  # else it is somebody else's folder
        shutil.rmtree(home)
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_ROOT / "deploy" / "dagster.yaml", settings)
    return home


def forget_accounts() -> None:
    """Take the user's own accounts out of this process, so that neither the servers nor the syncs meet them."""
    for name in [name for name in os.environ if name.startswith(_OURS) and name not in _KEPT]:
        del os.environ[name]


def surroundings(sandbox: Mapping[str, str], home: Path) -> dict[str, str]:
    """What syncs over the sandbox need beside this process's environment."""
    return {
        **sandbox,
        "PLANHAT_SPOOL_FOLDER": str(home.parent / "spool"),
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "PYTHONWARNINGS": "ignore:Class `,ignore:Function `,ignore:Parameter `",  # Dagster on its own beta
    }
