"""Upstream tables as external assets, described once however many syncs read them."""

from __future__ import annotations

import dagster as dg


def external_sources(synced: dg.Definitions) -> list[dg.AssetSpec]:
    """A spec for every asset that syncs depend on and nothing here makes."""
    specs = list(synced.resolve_all_asset_specs())
    made = {spec.key for spec in specs}
    read = {dep.asset_key for spec in specs for dep in spec.deps} - made
    return [_source(key) for key in sorted(read)]


def _source(key: dg.AssetKey) -> dg.AssetSpec:
    system, *rest = key.path
    name = ".".join(rest)
    return dg.AssetSpec(
        key,
        description=f"{name} in {system.title()}. The syncs that read it record here how far they have come.",
        group_name=system,
        kinds={system},
        metadata={"dagster/table_name": name} if system == "snowflake" else {},
    )
