"""What is upstream: described once, and looked at daily, also where no sync had a reason to read."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from planhat_pipelines.orchestration import keys
from planhat_pipelines.orchestration.observe import observed_folders, observed_tables
from planhat_pipelines.orchestration.resources import S3SignIn, SnowflakeSignIn
from planhat_pipelines.orchestration.sources import companies_first, external_sources
from planhat_pipelines.sandbox.s3 import S3Server
from planhat_pipelines.snowflake.tables import Table
from planhat_pipelines_tests.e2e.place import Place

# Dagster's integration libraries still use what pydantic has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")

_BUCKET = "some-drops"


def _synced() -> dg.Definitions:
    """Two records syncs and one of drops, as far as lineage goes."""
    accounts = keys.snowflake_table(Table("CRM", "PUBLIC", "ACCOUNTS"))
    specs = [
        dg.AssetSpec(keys.planhat("company", "accounts"), deps=[accounts]),
        dg.AssetSpec(keys.planhat("company", "prospects"), deps=[accounts]),
        dg.AssetSpec(
            keys.planhat("enduser", "contacts"),
            deps=[keys.snowflake_table(Table("CRM", "PUBLIC", "CONTACTS"))],
        ),
        dg.AssetSpec(keys.planhat("metrics", "devices"), deps=[keys.drops(_BUCKET, "devices/daily/")]),
    ]
    return dg.Definitions(assets=specs)


def test_every_source_is_described_once_however_many_syncs_read_it() -> None:
    found = {spec.key.to_user_string(): spec for spec in external_sources(_synced())}
    assert set(found) == {
        "snowflake/CRM/PUBLIC/ACCOUNTS",
        "snowflake/CRM/PUBLIC/CONTACTS",
        f"s3/{_BUCKET}/devices/daily",
    }
    assert found["snowflake/CRM/PUBLIC/ACCOUNTS"].metadata["dagster/table_name"] == "CRM.PUBLIC.ACCOUNTS"
    assert found[f"s3/{_BUCKET}/devices/daily"].metadata["dagster/uri"] == f"s3://{_BUCKET}/devices/daily/"
    assert found[f"s3/{_BUCKET}/devices/daily"].group_name == "s3"


def test_records_that_belong_to_a_company_come_after_all_syncs_of_companies() -> None:
    specs = {spec.key.path[-1]: spec for spec in companies_first(_synced()).resolve_all_asset_specs()}
    companies = {keys.planhat("company", "accounts"), keys.planhat("company", "prospects")}
    assert companies <= {dep.asset_key for dep in specs["contacts"].deps}
    assert not companies & {dep.asset_key for dep in specs["devices"].deps}
    assert not companies & {dep.asset_key for dep in specs["prospects"].deps}


def test_the_daily_look_tells_when_a_table_was_last_altered(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    place.sql("CREATE OR REPLACE TABLE LOOKED_AT (ID NUMBER(38,0))")
    before = time.time()
    place.sql("INSERT INTO LOOKED_AT SELECT 1")
    (database,) = place.sql("SELECT CURRENT_DATABASE()")[0]
    key = keys.snowflake_table(Table(database, "PUBLIC", "LOOKED_AT"))
    (seen,) = observed_tables([key], SnowflakeSignIn())
    assert seen.asset_key == key
    moment: Any = seen.metadata["dagster/last_updated_timestamp"].value
    assert before - 1 <= moment <= time.time() + 1


def test_the_daily_look_counts_the_files_that_wait(tmp_path: Path) -> None:
    with S3Server(tmp_path, bucket=_BUCKET) as server:
        access = server.client_args
        client = _client(access)
        for name in ("devices/a.csv", "devices/b.csv", "other/c.csv"):
            client.put_object(Bucket=_BUCKET, Key=name, Body=b"12345")
        sign_in = S3SignIn(
            region=access["region_name"],
            endpoint_url=access["endpoint_url"],
            access_key_id=access["aws_access_key_id"],
            secret_access_key=access["aws_secret_access_key"],
        )
        full, empty = observed_folders(
            [keys.drops(_BUCKET, "devices/"), keys.drops(_BUCKET, "nothing/")], sign_in
        )
    assert full.metadata["files_waiting"].value == 2
    assert full.metadata["bytes_waiting"].value == 10
    assert "oldest_since" in full.metadata
    assert empty.metadata["files_waiting"].value == 0


def _client(access: dict[str, Any]) -> Any:
    import boto3

    return boto3.client("s3", **access)
