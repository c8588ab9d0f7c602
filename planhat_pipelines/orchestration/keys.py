"""Asset keys. They are identity: a key that changes loses its history, so they follow from permanent names."""

from __future__ import annotations

import dagster as dg

from planhat_pipelines.snowflake.tables import Table


def snowflake_table(table: Table) -> dg.AssetKey:
    """The upstream asset of a table or view."""
    return dg.AssetKey(["snowflake", table.database, table.schema, table.name])


def drops(bucket: str, prefix: str) -> dg.AssetKey:
    """The upstream asset of the files below a prefix."""
    return dg.AssetKey(["s3", bucket, *(part for part in prefix.split("/") if part)])


def planhat(kind: str, sync: str) -> dg.AssetKey:
    """The downstream asset of a sync; `kind` is metrics, activities or a model's name."""
    return dg.AssetKey(["planhat", kind, sync])


def planhat_model(name: str) -> dg.AssetKey:
    """The upstream asset of all records of a model, whoever made them."""
    return dg.AssetKey(["planhat", name])


def from_planhat(table: Table) -> dg.AssetKey:
    """What a sync brings back to a table."""
    return dg.AssetKey([*snowflake_table(table).path, "from_planhat"])
