"""A job that looks at all sources once a day, also at those that no sync had a reason to read.

It uses the resources of dagster-snowflake and dagster-aws, whose import costs seconds; syncs do not wait for that.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC

import dagster as dg

from planhat_pipelines.orchestration.resources import S3SignIn, SnowflakeSignIn


def observe_sources(sources: Sequence[dg.AssetSpec]) -> dg.Definitions:
    """A job and its daily schedule that record, on every upstream asset, when a table was last altered and what lies
    in a folder of drops."""
    tables = [spec.key for spec in sources if spec.key.path[0] == "snowflake"]
    folders = [spec.key for spec in sources if spec.key.path[0] == "s3"]

    @dg.op(description="When were the tables last altered?")
    def look_at_tables(context: dg.OpExecutionContext, snowflake: SnowflakeSignIn) -> None:
        for observation in observed_tables(tables, snowflake):
            context.log_event(observation)

    @dg.op(description="What lies in the folders of drops?")
    def look_at_folders(context: dg.OpExecutionContext, s3: S3SignIn) -> None:
        for observation in observed_folders(folders, s3):
            context.log_event(observation)

    @dg.job(
        description="Look at every table and every folder of drops, whether or not a sync reads them now."
    )
    def observe_sources() -> None:
        if tables:
            look_at_tables()
        if folders:
            look_at_folders()

    daily = dg.ScheduleDefinition(
        job=observe_sources, cron_schedule="0 5 * * *", default_status=dg.DefaultScheduleStatus.RUNNING
    )
    return dg.Definitions(jobs=[observe_sources], schedules=[daily])


def observed_tables(
    tables: Sequence[dg.AssetKey], snowflake: SnowflakeSignIn
) -> Iterator[dg.AssetObservation]:
    """One observation a table, with the time of its last change."""
    from dagster_snowflake import fetch_last_updated_timestamps

    with snowflake.dagster_snowflake().get_connection() as session:
        for place in sorted({(key.path[1], key.path[2]) for key in tables}):
            names = [key.path[3] for key in tables if (key.path[1], key.path[2]) == place]
            altered = fetch_last_updated_timestamps(
                snowflake_connection=session,
                database=place[0],
                schema=place[1],
                tables=names,
                ignore_missing_tables=True,
            )
            for name, moment in altered.items():
                changed = dg.MetadataValue.timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
                yield dg.AssetObservation(
                    dg.AssetKey(["snowflake", *place, name]),
                    metadata={"dagster/last_updated_timestamp": changed},
                )


def observed_folders(folders: Sequence[dg.AssetKey], s3: S3SignIn) -> Iterator[dg.AssetObservation]:
    """One observation a folder: how many files lie there, how large they are, and since when the oldest waits."""
    client = s3.dagster_aws().get_client()
    for key in folders:
        bucket, prefix = key.path[1], "".join(f"{part}/" for part in key.path[2:])
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        found = [item for page in pages for item in page.get("Contents", ())]
        metadata: dict[str, dg.RawMetadataValue] = {
            "files_waiting": len(found),
            "bytes_waiting": sum(item["Size"] for item in found),
        }
        if found:
            oldest = min(item["LastModified"] for item in found)
            metadata["oldest_since"] = dg.MetadataValue.timestamp(oldest)
        yield dg.AssetObservation(key, metadata=metadata)
