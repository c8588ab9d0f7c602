"""What joins syncs: the tables they read, described once, and companies before what belongs to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import dagster as dg

from planhat_pipelines.planhat.catalogue import MODELS

_SYSTEMS = {"snowflake": "Snowflake", "s3": "S3"}


def external_sources(synced: dg.Definitions) -> list[dg.AssetSpec]:
    """A spec for every table, folder of drops and model that syncs read, where Dagster would make a bare stub."""
    specs = list(synced.resolve_all_asset_specs())
    read = sorted({dep.asset_key for spec in specs for dep in spec.deps})
    models = [_model(key, specs) for key in read if key.path[0] == "planhat" and len(key.path) == 2]
    return [*(_source(key) for key in read if key.path[0] in _SYSTEMS), *models]


def _model(key: dg.AssetKey, synced: Iterable[dg.AssetSpec]) -> dg.AssetSpec:
    """All records of a model, whoever makes them; some are made by syncs."""
    name = key.path[1]
    return dg.AssetSpec(
        key,
        deps=[spec.key for spec in synced if spec.key.path[:-1] == key.path],
        description=f"Every {MODELS[name].title} in Planhat. The syncs that read them record here how far they came.",
        group_name="planhat",
        kinds={"planhat"},
    )


def _source(key: dg.AssetKey) -> dg.AssetSpec:
    system, *rest = key.path
    is_table = system == "snowflake"
    name = ".".join(rest) if is_table else f"s3://{'/'.join(rest)}/"
    return dg.AssetSpec(
        key,
        description=f"{name} in {_SYSTEMS[system]}. The syncs that read it record here how far they have come.",
        group_name=system,
        kinds={system},
        metadata={"dagster/table_name": name} if is_table else {"dagster/uri": name},
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

    made = cast("Iterable[dg.AssetsDefinition]", synced.assets or ())  # components make nothing else
    return dg.Definitions(
        assets=list(dg.map_asset_specs(after, made)),
        asset_checks=[_check(each) for each in synced.asset_checks or ()],
        schedules=synced.schedules,
        sensors=synced.sensors,
        jobs=synced.jobs,
        resources=synced.resources,
        executor=synced.executor,
        metadata=synced.metadata,
    )


def _check(made: dg.AssetsDefinition) -> dg.AssetChecksDefinition:
    """What a component makes comes out of its tree as the base class, which Dagster would turn back with a warning."""
    if isinstance(made, dg.AssetChecksDefinition):
        return made
    return dg.AssetChecksDefinition(**made.get_attributes_dict())
