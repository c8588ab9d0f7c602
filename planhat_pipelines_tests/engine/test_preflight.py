"""Every promise that a sync makes of the world is tried, and a broken one says what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from planhat_pipelines.engine.checks.findings import Finding
from planhat_pipelines.engine.checks.preflight import preflight
from planhat_pipelines.sandbox.s3 import S3Server
from planhat_pipelines.spec.files import FilesSpec
from planhat_pipelines.spec.kinds import AnySpec
from planhat_pipelines.spec.records import RecordsSpec
from planhat_pipelines_tests.e2e.place import Place

ROWS = [(1, "c-1", "2026-01-01", 5), (2, "c-2", "2026-01-01", 7), (3, "c-3", "2026-01-02", None)]


def tried(place: Place, *specs: AnySpec, **environment: str) -> list[Finding]:
    return list(preflight(specs or [place.spec()], place.environment | environment))


def problems(findings: Sequence[Finding]) -> list[str]:
    return [f"{finding.about}: {finding.text}" for finding in findings if not finding.holds]


def without(environment: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in names}


def accounts(place: Place, **changes: Any) -> RecordsSpec:
    usual = {
        "name": "accounts",
        "table": place.table,
        "model": "company",
        "key": {"column": "ACCOUNT_ID"},
        "every": "1h",
        "fields": [{"column": "NAME", "field": "name"}, {"column": "ARR", "field": "custom.ARR"}],
    }
    return RecordsSpec.model_validate(usual | changes)


def test_a_sync_that_can_run_has_no_problem_and_a_sample_says_what_its_rows_would_do(place: Place) -> None:
    place.companies("c-1", "c-3")
    place.seats(ROWS)
    findings = tried(place)
    assert problems(findings) == []
    told = [finding.text for finding in findings if finding.about == "seats"]
    assert told == [
        f"{place.table} exists, with 4 columns",
        "has the mapped columns ACCOUNT_ID, DAY, SEATS",
        "key ROW_ID: filled and unique in 3 rows",
        "sends no column that Snowflake guards",
        "of the last 3 rows 1 can go, 1 wait for their company, 1 would be refused (SEATS has no value to send)",
    ]


def test_nothing_is_sent_and_the_cursor_stays(place: Place) -> None:
    place.companies("c-1")
    place.seats(ROWS)
    tried(place)
    assert (place.points(), place.cursor()) == ({}, None)


@pytest.mark.parametrize(
    "missing", ["SNOWFLAKE_ACCOUNT", "SNOWFLAKE_USER", "PLANHAT_TOKEN", "PLANHAT_TENANT"]
)
def test_a_variable_that_is_not_set_is_named(place: Place, missing: str) -> None:
    place.companies("c-1")
    place.seats(ROWS)
    found = problems(list(preflight([place.spec()], without(place.environment, missing))))
    assert any(f"{missing} is not set" in problem for problem in found), found


def test_wrong_credentials_are_a_problem_each_and_what_hangs_on_them_is_not_tried(place: Place) -> None:
    place.seats(ROWS)
    found = tried(place, SNOWFLAKE_USER="NOBODY", PLANHAT_TOKEN="not-the-token")
    assert [problem.split(":")[0] for problem in problems(found)] == ["Snowflake", "Planhat"]
    assert not any("not-the-token" in finding.text for finding in found)
    assert {finding.about for finding in found} == {"ledger", "Snowflake", "Planhat"}


def test_a_ledger_that_does_not_open_is_a_problem(place: Place) -> None:
    place.seats(ROWS)
    in_a_file = place.ledger_file / "ledger.db"
    (problem,) = problems(tried(place, PLANHAT_LEDGER_URL=f"sqlite:///{in_a_file}"))[:1]
    assert problem.startswith("ledger: ")


def test_an_app_that_may_not_read_the_model_is_told(place: Place) -> None:
    place.seats(ROWS)
    app = place.planhat.admin(
        "POST", "apps", {"name": "users only", "permissions": {"company": [], "*": ["read"]}}
    )
    found = problems(tried(place, PLANHAT_TOKEN=app["token"]))
    assert any(problem.startswith("Planhat: ") and "permission" in problem for problem in found), found


def test_a_table_that_is_not_there_is_one_problem(place: Place) -> None:
    (problem,) = problems(tried(place))
    assert problem.startswith(f"seats: {place.table} does not exist or the role may not see it")


def test_every_column_that_is_not_there_is_named_with_the_nearest_one(place: Place) -> None:
    place.seats(ROWS)
    values = [{"metric": "seats", "column": "SEAT"}, {"metric": "calls", "column": "DAYS"}]
    spec = place.spec(
        metrics={"target": {"model": "company", "column": "ACCOUNT_ID"}, "date": "DAY", "values": values}
    )
    (problem,) = problems(tried(place, spec))
    assert "no column SEAT. Did you mean SEATS?" in problem
    assert "no column DAYS. Did you mean DAY?" in problem


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([*ROWS, (None, "c-1", "2026-01-03", 1)], "1 rows have no ROW_ID"),
        ([*ROWS, (3, "c-1", "2026-01-03", 1)], "1 rows repeat the ROW_ID of another one"),
    ],
)
def test_a_key_that_cannot_serve_as_one_is_a_problem(place: Place, rows: list[Any], said: str) -> None:
    place.companies("c-1")
    place.seats(rows)
    (problem,) = problems(tried(place))
    assert said in problem


def test_a_key_that_is_no_whole_number_is_a_problem(place: Place) -> None:
    place.companies("c-1")
    place.seats(ROWS)
    (problem,) = problems(tried(place, place.spec(incrementing_key="SEATS")))
    assert "the incrementing key SEATS is FLOAT" in problem


def test_a_column_of_a_type_that_cannot_fit_is_a_problem(place: Place) -> None:
    place.companies("c-1")
    place.seats(ROWS)
    values = [{"metric": "seats", "column": "DAY"}]
    spec = place.spec(
        metrics={"target": {"model": "company", "column": "ACCOUNT_ID"}, "date": "DAY", "values": values}
    )
    (problem,) = problems(tried(place, spec))
    assert "DAY: expected a number, found Date" in problem


def test_ids_of_the_wrong_kind_are_a_problem_as_no_row_could_go(place: Place) -> None:
    place.companies("c-1", "c-2", "c-3")
    place.seats(ROWS[:2])
    target = {"model": "company", "column": "ACCOUNT_ID", "id": "source"}
    spec = place.spec(
        metrics={"target": target, "date": "DAY", "values": [{"metric": "seats", "column": "SEATS"}]}
    )
    (problem,) = problems(tried(place, spec))
    assert "2 wait for their company" in problem
    assert "right kind of id" in problem


def test_an_empty_table_is_no_problem(place: Place) -> None:
    place.seats()
    findings = tried(place)
    assert problems(findings) == []
    assert findings[-1].text == "the table is empty, so no row could be tried"


def test_records_need_change_tracking_and_the_line_that_switches_it_on_is_given(place: Place) -> None:
    place.sql("CREATE TABLE {table} (ACCOUNT_ID VARCHAR, NAME VARCHAR, ARR FLOAT)")
    spec = accounts(place, fields=[{"column": "NAME", "field": "name"}])
    (problem,) = problems(tried(place, spec))
    line = problem[problem.index("ALTER TABLE") : problem.index(";")]
    place.sql(line)
    assert problems(tried(place, spec)) == []
    assert (
        problems(
            tried(
                place, accounts(place, changes="snapshot_diff", fields=[{"column": "NAME", "field": "name"}])
            )
        )
        == []
    )


def test_a_custom_field_that_the_tenant_does_not_have_is_a_problem(place: Place) -> None:
    place.sql("CREATE TABLE {table} (ACCOUNT_ID VARCHAR, NAME VARCHAR, ARR FLOAT)")
    place.sql("ALTER TABLE {table} SET CHANGE_TRACKING = TRUE")
    (problem,) = problems(tried(place, accounts(place)))
    assert "Company has no custom field 'ARR'" in problem


BOTH = {"direction": "both", "fields": [{"column": "NAME", "field": "name"}]}


def both(place: Place, **changes: Any) -> RecordsSpec:
    """A sync in both directions over a table that can be written to."""
    columns = "ACCOUNT_ID VARCHAR, NAME VARCHAR, ARR FLOAT, GONE BOOLEAN, AT TIMESTAMP_NTZ"
    place.sql(f"CREATE OR REPLACE TABLE {{table}} ({columns}) CHANGE_TRACKING = TRUE")
    return accounts(place, **BOTH | changes)


def test_what_comes_back_can_be_written(place: Place) -> None:
    spec = both(place, gone_column="GONE", insert_new=True, on_conflict="newest", updated_at="AT")
    findings = tried(place, spec)
    assert problems(findings) == []
    told = [finding.text for finding in findings]
    assert (
        "what changes in Planhat can be written to NAME; rows may be added; GONE can mark rows whose record is gone"
        in told
    )
    assert "AT (TIMESTAMP_NTZ) says when a row changed" in told


def test_a_grant_that_is_missing_for_writing_back_is_given_as_it_has_to_be_run(place: Place) -> None:
    spec = both(place)
    place.sql("REVOKE UPDATE ON TABLE {table} FROM ROLE SYNC")
    (problem,) = problems(tried(place, spec))
    line = problem[problem.index("GRANT") : problem.index(";")]
    place.sql(line)
    assert problems(tried(place, spec)) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"gone_column": "ARR"}, "ARR is FLOAT; what marks rows whose record is gone"),
        ({"on_conflict": "newest", "updated_at": "ARR"}, "ARR is FLOAT, and on_conflict: newest has to know"),
        ({"fields": [{"column": "NAM", "field": "name"}]}, "has no column NAM. Did you mean NAME?"),
    ],
)
def test_columns_that_do_not_serve_both_ways_are_a_problem(
    place: Place, changes: dict[str, Any], said: str
) -> None:
    (problem,) = problems(tried(place, both(place, **changes)))
    assert said in problem


def test_a_mirror_may_be_made_by_its_first_run_and_is_not_made_by_the_check(place: Place) -> None:
    fields = [{"column": "NAME", "field": "name"}, {"column": "SINCE", "field": "createDate"}]
    mirror = accounts(place, direction="to_snowflake", create_table=True, fields=fields)
    for _ in range(2):
        findings = tried(place, mirror)
        assert problems(findings) == []
        assert f"{place.table} is not there yet: the first run makes it" in [each.text for each in findings]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A bucket named drops, and the variables by which it is found."""
    with S3Server(tmp_path_factory.mktemp("s3"), bucket="drops") as server:
        yield {
            "AWS_REGION": server.access.region,
            "AWS_ACCESS_KEY_ID": server.access.access_key_id,
            "AWS_SECRET_ACCESS_KEY": server.access.secret_access_key,
            "AWS_ENDPOINT_URL_S3": server.endpoint,
        }


def devices(bucket: str) -> FilesSpec:
    return FilesSpec.model_validate(
        {
            "name": "devices",
            "bucket": bucket,
            "prefix": "devices/",
            "every": "5m",
            "metrics": {
                "target": {"model": "company", "column": "customer"},
                "date": "seen_at",
                "values": [{"metric": "minutes", "column": "minutes"}],
            },
        }
    )


def test_a_bucket_that_can_be_listed_needs_no_snowflake(place: Place, s3: dict[str, str]) -> None:
    environment = without(place.environment, "SNOWFLAKE_ACCOUNT") | s3
    findings = list(preflight([devices("drops")], environment))
    assert problems(findings) == []
    assert findings[-1].text == "the bucket drops can be listed below devices/"


@pytest.mark.parametrize(
    ("bucket", "changes", "said"),
    [
        ("no-such-bucket", {}, "no-such-bucket"),
        ("drops", {"AWS_SECRET_ACCESS_KEY": "not-the-secret"}, "secret"),
        ("drops", {"AWS_REGION": ""}, "AWS_REGION is not set"),
    ],
)
def test_a_bucket_out_of_reach_is_a_problem(
    place: Place, s3: dict[str, str], bucket: str, changes: dict[str, str], said: str
) -> None:
    (problem,) = problems(tried(place, devices(bucket), **(s3 | changes)))
    assert problem.startswith("devices: ")
    assert said in problem
    assert "not-the-secret" not in problem
