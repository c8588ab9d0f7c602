"""The code location: the syncs under defs/, what they read, and the resources they sign in with."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import dagster as dg
from dagster._utils.warnings import suppress_dagster_warnings
from dagster.components.core.component_tree import ComponentTree

from planhat_pipelines.orchestration.alerts import alert_definitions
from planhat_pipelines.orchestration.observe import observe_sources
from planhat_pipelines.orchestration.resources import LedgerDatabase, PlanhatTenant, S3SignIn, SnowflakeSignIn
from planhat_pipelines.orchestration.sources import companies_first, external_sources
from planhat_pipelines.orchestration.verify import verify_weekly
from planhat_pipelines.orchestration.watch import watch_daily


@dg.definitions
@suppress_dagster_warnings
def defs() -> dg.Definitions:
    """All definitions. The folder is loaded by its tree: load_from_defs_folder would also import every installed
    integration library, to list its components, in each run. It also is what keeps Dagster from warning, once for
    each sync, that its own components use what is in beta; so that is done here."""
    folder = Path(os.environ.get("PLANHAT_PIPELINES_DEFS", Path(__file__).parent / "defs")).resolve()
    synced = dg.Definitions.merge(
        _tree(folder).build_defs_at_path(folder),
        dg.Definitions(
            resources={
                "snowflake": SnowflakeSignIn(),
                "s3": S3SignIn(),
                "planhat": PlanhatTenant(),
                "ledger": LedgerDatabase(),
            },
            executor=dg.in_process_executor,
        ),
    )
    sources = external_sources(synced)
    return dg.Definitions.merge(
        companies_first(synced),
        dg.Definitions(assets=sources),
        observe_sources(sources),
        alert_definitions(synced),
        verify_weekly(synced),
        watch_daily(synced),
    )


def _tree(folder: Path) -> ComponentTree:
    """The tree of any folder; `for_project` knows only the one named in a pyproject.toml above it."""
    package = ModuleType("planhat_pipelines.defs")
    package.__file__, package.__path__ = None, [str(folder)]
    return ComponentTree.from_module(package, project_root=folder.parent)
