"""What joins syncs: the tables they read, described once, and companies before what belongs to them."""

from __future__ import annotations

import dagster as dg

from planhat_pipelines.planhat.catalogue import MODELS


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


def companies_first(synced: dg.Definitions) -> dg.Definitions:
    """Records that belong to a company come after all syncs of companies, where one run makes both."""
    companies = [
        spec.key for spec in synced.resolve_all_asset_specs() if spec.key.path[:2] == ["planhat", "company"]
    ]

    def after(spec: dg.AssetSpec) -> dg.AssetSpec:
        model = MODELS.get(spec.key.path[1]) if spec.key.path[0] == "planhat" else None
        waits = model is not None and model.company_required and model.name != "company"
        return spec.merge_attributes(deps=companies) if waits else spec

    return synced.map_resolved_asset_specs(func=after)
