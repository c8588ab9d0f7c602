"""Events for OpenLineage, as a receiver on loopback gets them from the client."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from planhat_pipelines.engine.lineage.openlineage import Dataset, flows, wanted
from planhat_pipelines.spec.files import FilesSpec
from planhat_pipelines_tests.orchestration.conftest import Location
from planhat_pipelines_tests.receivers import Webhook, running


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with running(Webhook()) as hook:
        monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{hook.server_port}")
        yield hook
    for name in [name for name in os.environ if name.startswith("OPENLINEAGE__")]:
        del os.environ[name]  # the client writes down there what it has found


def both_ways(bare: Location) -> dict[str, Any]:
    bare.place.sql(
        "CREATE OR REPLACE TABLE {table} (ID VARCHAR, NAME VARCHAR, CITY VARCHAR) CHANGE_TRACKING = TRUE"
    )
    bare.place.add([("a", "Zebra AB", "Lund"), ("b", "Zebra Ltd", "York")])
    return {
        "name": "accounts",
        "table": bare.place.table,
        "model": "company",
        "key": {"column": "ID", "field": "externalId"},
        "direction": "both",
        "every": "1h",
        "description": "Customers.",
        "owners": ["team:revenue"],
        "fields": [
            {"column": "NAME", "field": "name", "direction": "to_planhat"},
            {"column": "CITY", "field": "city"},
        ],
    }


def end(dataset: dict[str, Any]) -> tuple[str, str]:
    return dataset["namespace"], dataset["name"]


def test_a_run_tells_of_its_start_and_its_end_with_rows_and_the_lineage_of_every_column(
    location: Location, receiver: Webhook
) -> None:
    result = location.run()
    assert result.success
    start, done = receiver.got
    assert [each["eventType"] for each in receiver.got] == ["START", "COMPLETE"]
    assert start["run"]["runId"] == done["run"]["runId"] == result.run_id
    assert (done["job"]["namespace"], done["job"]["name"]) == ("planhat_pipelines", "seats")
    (source,), (target,) = done["inputs"], done["outputs"]
    assert end(source) == ("snowflake://local", location.place.table)
    assert end(target) == ("planhat://127.0.0.1", "company.metrics")
    assert source["inputFacets"]["inputStatistics"]["rowCount"] == 3
    assert target["outputFacets"]["outputStatistics"]["rowCount"] == 2  # one waits for its company
    assert [each["name"] for each in source["facets"]["schema"]["fields"]] == ["ACCOUNT_ID", "DAY", "SEATS"]
    assert [(each["name"], each["type"]) for each in target["facets"]["schema"]["fields"]] == [
        ("target", "id"),
        ("date", "day"),
        ("seats", "number"),
    ]
    (column,) = target["facets"]["columnLineage"]["fields"]["seats"]["inputFields"]
    assert (column["namespace"], column["name"], column["field"]) == (*end(source), "SEATS")


def test_a_sync_of_both_directions_names_each_side_as_input_and_as_output(
    bare: Location, receiver: Webhook
) -> None:
    bare.add(both_ways(bare))
    assert bare.run("accounts").success
    done = receiver.got[-1]
    table, company = ("snowflake://local", bare.place.table), ("planhat://127.0.0.1", "company")
    assert [end(each) for each in done["inputs"]] == [table, company]
    assert [end(each) for each in done["outputs"]] == [company, table]
    there, back = done["outputs"]
    assert there["outputFacets"]["outputStatistics"]["rowCount"] == 2
    assert set(there["facets"]["columnLineage"]["fields"]) == {"externalId", "name", "city"}
    assert "NAME" not in back["facets"]["columnLineage"]["fields"]
    (field,) = back["facets"]["columnLineage"]["fields"]["CITY"]["inputFields"]
    assert (field["name"], field["field"]) == ("company", "city")
    assert done["job"]["facets"]["ownership"]["owners"] == [{"name": "team:revenue"}]
    assert "Zebra" not in str(receiver.got)


def test_a_run_that_fails_says_why(location: Location, receiver: Webhook) -> None:
    location.place.sql("DROP TABLE {table}")
    assert not location.run().success
    failed = receiver.got[-1]
    assert failed["eventType"] == "FAIL"
    assert location.place.table in failed["run"]["facets"]["errorMessage"]["message"]


def test_a_receiver_that_refuses_is_a_warning_and_no_failure(location: Location, receiver: Webhook) -> None:
    receiver.status = 400
    result = location.run()
    assert result.success
    logs = location.instance.all_logs(result.run_id)
    warnings = [each.user_message for each in logs if each.level == 30]
    assert len([each for each in warnings if "OpenLineage was not told of the" in each]) == 2
    assert not any("http" in each for each in warnings)


def test_nothing_is_told_unless_the_client_is_configured() -> None:
    assert not wanted({})
    assert not wanted({"OPENLINEAGE_URL": "http://x", "OPENLINEAGE_DISABLED": "True"})
    assert wanted({"OPENLINEAGE__TRANSPORT__TYPE": "console"})


def test_files_are_named_by_bucket_and_prefix() -> None:
    spec = FilesSpec.model_validate(
        {
            "name": "devices",
            "bucket": "drops",
            "prefix": "devices/",
            "every": "5m",
            "metrics": {
                "target": {"model": "company", "column": "customer"},
                "date": {"column": "at"},
                "values": [{"metric": "minutes", "column": "minutes", "aggregate": "sum"}],
            },
        }
    )
    (flow,) = flows(spec, None, "https://api-us3.planhat.com")
    assert flow.source == Dataset("s3://drops", "devices")
    assert flow.target == Dataset("planhat://api-us3.planhat.com", "company.metrics")
