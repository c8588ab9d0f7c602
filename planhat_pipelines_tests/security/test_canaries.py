"""Secrets and customers' values that would be known again anywhere: they lie in nothing that a run leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import pytest

from planhat_pipelines.cli import main
from planhat_pipelines.orchestration.files import files_definitions
from planhat_pipelines.orchestration.records import records_definitions
from planhat_pipelines.orchestration.resources import (
    LedgerDatabase,
    PlanhatTenant,
    S3SignIn,
    SnowflakeSignIn,
)
from planhat_pipelines.orchestration.twoway import two_way_definitions
from planhat_pipelines.orchestration.usage import usage_definitions
from planhat_pipelines.planhat.catalogue import model
from planhat_pipelines.sandbox.s3 import S3Server
from planhat_pipelines.spec.files import FilesSpec
from planhat_pipelines.spec.records import RecordsSpec
from planhat_pipelines.spec.usage import UsageSpec
from planhat_pipelines_tests.e2e.place import Place
from planhat_pipelines_tests.records.crm import Crm

LOUD = {"loggers": {"console": {"config": {"log_level": "DEBUG"}}}}
RESOURCES: dict[str, Any] = {
    "snowflake": SnowflakeSignIn(),
    "s3": S3SignIn(),
    "planhat": PlanhatTenant(),
    "ledger": LedgerDatabase(),
}
CANARY = "kanarie"  # in every value of a customer
WRONG = f"{CANARY}-token-nobody-has"
COMPANY = {"column": "ACCOUNT", "id": "external"}


class Cage:
    """The syncs over one place, and what came out of their runs."""

    def __init__(self, place: Place, instance: dg.DagsterInstance, bucket: str) -> None:
        self.place, self.instance, self.bucket = place, instance, bucket
        place.companies("a-1")
        for name, parent in (("Size", "company"), ("Size", "enduser"), ("Age", "enduser")):
            Crm(place).custom(name, "number", model(parent).parent)
        place.sql(
            "CREATE OR REPLACE TABLE {table} (ID VARCHAR, ACCOUNT VARCHAR, NAME VARCHAR, EMAIL VARCHAR, SIZE VARCHAR, "
            "DAY DATE, ROW_ID NUMBER(38,0)) CHANGE_TRACKING = TRUE"
        )
        place.add(
            [
                ("1", "a-1", "Kanarie Ett", "kanarie.ett@x.io", "1", "2026-01-01", 1),
                ("2", "a-1", "Kanarie Tva", "kanarie.tva@x.io", "kanarie", "2026-01-02", 2),  # refused
                ("3", "a-9", "Kanarie Tre", "kanarie.tre@x.io", "3", "2026-01-03", 3),  # parked
            ]
        )

    def records(self, **changes: Any) -> dg.Definitions:
        facts = {
            "name": "people",
            "table": self.place.table,
            "model": "enduser",
            "key": {"column": "EMAIL", "field": "email"},
            "company": COMPANY,
            "every": "1h",
            "fields": [
                {"column": "NAME", "field": "firstName"},
                {"column": "SIZE", "field": "custom.Size", "type": "number"},
            ],
        }
        return records_definitions(RecordsSpec.model_validate(facts | changes))

    def both(self) -> dg.Definitions:
        fields = [
            {"column": "NAME", "field": "name"},
            {"column": "SIZE", "field": "custom.Size", "type": "number", "direction": "to_planhat"},
        ]
        key = {"column": "ID", "field": "externalId"}
        facts = {"name": "accounts", "table": self.place.table, "model": "company", "key": key, "every": "1h"}
        return two_way_definitions(
            RecordsSpec.model_validate({**facts, "direction": "both", "fields": fields})
        )

    def usage(self, **changes: Any) -> dg.Definitions:
        metrics = {"target": COMPANY | {"model": "company"}, "date": "DAY"}
        values = [{"metric": "size", "column": "SIZE"}]
        facts = self.place.facts(name="sizes", metrics={**metrics, "values": values}) | changes
        return usage_definitions(UsageSpec.model_validate(facts))

    def activities(self) -> dg.Definitions:
        facts = self.place.facts(
            name="acts",
            activities={"enduser": {"column": "EMAIL", "id": "email"}, "action": "NAME", "date": "DAY"},
        )
        return usage_definitions(UsageSpec.model_validate(facts))

    def files(self) -> dg.Definitions:
        records = {
            "model": "enduser",
            "key": {"column": "mail", "field": "email"},
            "company": {"column": "account", "id": "external"},
            "fields": [{"column": "age", "field": "custom.Age", "type": "number"}],
        }
        facts = {"name": "drops", "bucket": self.bucket, "prefix": "in/", "every": "5m", "records": records}
        facts |= {"settle_seconds": 0}
        return files_definitions(FilesSpec.model_validate(facts))

    def run(self, definitions: dg.Definitions) -> dict[str, Any] | None:
        """One run that shows all it can; the metadata of what it made first, None when it failed."""
        bound = dg.Definitions.merge(
            definitions, dg.Definitions(resources=RESOURCES, executor=dg.in_process_executor)
        )
        (job,) = (job for job in bound.resolve_all_job_defs() if job.name.endswith("_job"))
        result = job.execute_in_process(instance=self.instance, run_config=LOUD, raise_on_error=False)
        if not result.success:
            return None
        made = result.get_asset_materialization_events()[0].materialization
        return {name: entry.value for name, entry in made.metadata.items()}


@pytest.fixture
def cage(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cage]:
    home = tmp_path / "dagster"
    home.mkdir()
    with (
        S3Server(tmp_path.parent / f"{tmp_path.name}-s3", bucket="drops") as s3,
        dg.DagsterInstance.local_temp(str(home)) as instance,
    ):
        place.environment |= {
            "AWS_REGION": s3.access.region,
            "AWS_ACCESS_KEY_ID": s3.access.access_key_id,
            "AWS_SECRET_ACCESS_KEY": s3.access.secret_access_key,
            "AWS_ENDPOINT_URL_S3": s3.endpoint,
            "PLANHAT_SPOOL_FOLDER": str(tmp_path / "spool"),
        }
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)
        text = "mail,account,age\nkanarie.fyra@x.io,a-1,4\nkanarie.fem@x.io,a-1,kanarie\nkanarie.sex@x.io,a-8,6\n"
        boto3.client("s3", **s3.client_args).put_object(Bucket="drops", Key="in/a.csv", Body=text.encode())
        yield Cage(place, instance, "drops")


def test_no_secret_and_no_value_of_a_customer_is_in_anything_that_runs_leave_behind(
    cage: Cage,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both, people, usage, acts, files = (
        cage.run(each)
        for each in (cage.both(), cage.records(), cage.usage(), cage.activities(), cage.files())
    )
    ends = ("created", "submitted", "refused", "parked")
    told = [
        tuple(shown[end] for end in ends) if shown else None for shown in (both, people, usage, acts, files)
    ]
    assert told == [(2, 0, 1, 0), (1, 0, 1, 1), (0, 1, 1, 1), (0, 1, 0, 2), (1, 0, 1, 1)]

    place = cage.place
    columns = "ROW_ID, ACCOUNT, DAY, CAST(NAME AS NUMBER) AS SIZE"
    place.sql(f"CREATE OR REPLACE VIEW {place.table}_V AS SELECT {columns} FROM {place.table}")
    assert cage.run(cage.usage(name="broken", table=f"{place.table}_V")) is None
    monkeypatch.setenv("PLANHAT_TOKEN", WRONG)
    place.add([("4", "a-1", "Kanarie Sju", "kanarie.sju@x.io", "4", "2026-01-04", 4)])
    assert cage.run(cage.records()) is None
    monkeypatch.setenv("PLANHAT_TOKEN", place.environment["PLANHAT_TOKEN"])

    for words in (["rejections"], ["rejections", "--parked"], ["conflicts"], ["drops"]):
        assert main(words) == 0, words
    out, err = capfd.readouterr()
    left = {"output": out, "errors": err}
    for file in tmp_path.rglob("*"):
        if file.is_file():
            left[str(file.relative_to(tmp_path))] = file.read_bytes().decode("utf-8", "ignore")
    names = ("PLANHAT_TOKEN", "PLANHAT_TENANT", "SNOWFLAKE_PASSWORD", "AWS_SECRET_ACCESS_KEY")
    secrets = {name: place.environment[name] for name in names} | {"canary": CANARY}
    found = {
        (where, name): text[max(0, at - 200) : at + 60]
        for where, text in left.items()
        for name, secret in secrets.items()
        if (at := text.lower().find(secret.lower())) >= 0
    }
    assert found == {}
    assert len(left) > 10
    assert "verdicts_balance" in "".join(left.values())
