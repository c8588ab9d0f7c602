"""The whole sandbox starts, is filled, checks who asks, lets days pass, and goes on after a restart."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import IO, Any

import boto3
import pytest
import requests
import snowflake.connector
from botocore.exceptions import ClientError

from planhat_pipelines.cli import main
from planhat_pipelines.sandbox.run import PORTS, Sandbox, SandboxError, let_a_day_pass
from planhat_pipelines.sandbox.world import World, build

AS_OF, SCALE = date(2026, 11, 16), 0.1
NAMES = [
    "SNOWFLAKE_ACCOUNT",
    "SNOWFLAKE_USER",
    "SNOWFLAKE_PRIVATE_KEY_FILE",
    "SNOWFLAKE_HOST",
    "SNOWFLAKE_PORT",
    "SNOWFLAKE_PROTOCOL",
    "SNOWFLAKE_ROLE",
    "SNOWFLAKE_WAREHOUSE",
    "SNOWFLAKE_DATABASE",
    "SNOWFLAKE_SCHEMA",
    "SNOWFLAKE_COMMIT_LAG",
    "PLANHAT_API_URL",
    "PLANHAT_ANALYTICS_URL",
    "PLANHAT_TOKEN",
    "PLANHAT_TENANT",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_STS",
    "PLANHAT_LEDGER_URL",
    "no_proxy",
]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("sandbox")
    with pytest.MonkeyPatch.context() as patch, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        patch.setenv("http_proxy", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        patch.setenv("no_proxy", "example.com")
        with Sandbox(folder, scale=SCALE, as_of=AS_OF, ports=dict.fromkeys(PORTS, 0)) as running:
            yield running


@pytest.fixture(scope="module")
def world() -> World:
    return build(AS_OF, scale=SCALE)


def sign_in(box: Sandbox, **credentials: Any) -> Any:
    where = box.environment
    if not credentials:
        credentials = {
            "user": where["SNOWFLAKE_USER"],
            "authenticator": "SNOWFLAKE_JWT",
            "private_key_file": where["SNOWFLAKE_PRIVATE_KEY_FILE"],
        }
    return snowflake.connector.connect(
        account=where["SNOWFLAKE_ACCOUNT"],
        host=where["SNOWFLAKE_HOST"],
        port=int(where["SNOWFLAKE_PORT"]),
        protocol=where["SNOWFLAKE_PROTOCOL"],
        database=where["SNOWFLAKE_DATABASE"],
        schema=where["SNOWFLAKE_SCHEMA"],
        login_timeout=10,
        session_parameters={"CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False},
        **credentials,
    )


def ask(box: Sandbox, sql: str) -> list[tuple[Any, ...]]:
    with closing(sign_in(box)) as connection:
        return connection.cursor().execute(sql).fetchall()


def planhat(box: Sandbox, path: str, token: str | None = None) -> requests.Response:
    bearer = {"Authorization": f"Bearer {token or box.environment['PLANHAT_TOKEN']}"}
    return requests.get(f"{box.environment['PLANHAT_API_URL']}/{path}", headers=bearer, timeout=30)


def company(box: Sandbox, key: str) -> dict[str, Any]:
    answer = planhat(box, f"companies/extid-{key}")
    assert answer.status_code == 200
    return answer.json()


def s3(box: Sandbox, **other: str) -> Any:
    where = box.environment
    keys = {
        "aws_access_key_id": where["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": where["AWS_SECRET_ACCESS_KEY"],
    }
    return boto3.client(
        "s3", endpoint_url=where["AWS_ENDPOINT_URL_S3"], region_name=where["AWS_REGION"], **(keys | other)
    )


def drops(box: Sandbox) -> set[str]:
    return {item["Key"] for item in s3(box).list_objects_v2(Bucket=box.facts["bucket"])["Contents"]}


def test_a_proxy_is_not_asked_for_servers_on_this_machine(box: Sandbox) -> None:
    assert box.environment["no_proxy"] == os.environ["no_proxy"] == "example.com,127.0.0.1,localhost"
    assert planhat(box, "companies").status_code == 200
    assert ask(box, "SELECT 1") == [(1,)]


def test_the_environment_has_the_names_that_the_product_reads(box: Sandbox) -> None:
    assert sorted(box.environment) == sorted(NAMES)
    exports = (box.folder / "env").read_text().splitlines()
    assert [line.removeprefix("export ").partition("=")[0] for line in exports] == list(box.environment)


def test_secrets_are_readable_by_their_owner_only(box: Sandbox) -> None:
    for name in ("env", "sandbox.json", "snowflake.key", "users.json", "s3/access.json"):
        assert stat.S_IMODE((box.folder / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(box.folder.stat().st_mode) == 0o700


def test_every_table_is_filled_and_the_crm_tables_are_tracked(box: Sandbox, world: World) -> None:
    for table in world.tables:
        ((rows,),) = ask(box, f"SELECT COUNT(*) FROM {table.name}")
        assert rows >= table.rows.height, table.name
    ((first,),) = ask(
        box, "SELECT COUNT(*) FROM CRM.PUBLIC.ACCOUNTS WHERE PROFILE:industry.name::TEXT = 'Logistics'"
    )
    assert first > 0
    with closing(sign_in(box)) as connection:
        shown = connection.cursor(snowflake.connector.DictCursor).execute("SHOW TABLES IN SCHEMA CRM.PUBLIC")
        assert {row["change_tracking"] for row in shown} == {"ON"}


def test_unicode_money_and_missing_values_arrive_as_they_were(box: Sandbox, world: World) -> None:
    table = world.table("CRM.PUBLIC.LICENSES")
    columns = "LICENSE_ID, ACCOUNT_ID, PRODUCT, MRR, STARTS_ON, ENDS_ON, FIXED_PERIOD"
    expected = table.rows.head(20).select(columns.split(", ")).rows()
    keys = ", ".join(f"'{row[0]}'" for row in expected)
    got = ask(box, f"SELECT {columns} FROM {table.name} WHERE LICENSE_ID IN ({keys})")
    assert sorted(got) == sorted(expected)
    people = world.table("CRM.PUBLIC.CONTACTS").rows
    names = dict(ask(box, "SELECT CONTACT_ID, LAST_NAME FROM CRM.PUBLIC.CONTACTS"))
    assert all(names[key] == name for key, name in people.select("CONTACT_ID", "LAST_NAME").iter_rows())


def test_planhat_holds_part_of_the_customers_with_their_people(box: Sandbox, world: World) -> None:
    companies = planhat(box, "companies?limit=5000").json()
    assert len(companies) == len(world.records["company"])
    assert len(planhat(box, "endusers?limit=2000").json()) == len(world.records["enduser"])
    fields = planhat(box, "customfields?limit=2000").json()
    assert {field["name"] for field in fields} >= {field["name"] for field in world.custom_fields}
    for name in ("asset", "project", "user"):
        assert len(planhat(box, f"{name}s?limit=2000").json()) >= len(world.records[name]), name


def test_the_bucket_holds_the_drops(box: Sandbox, world: World) -> None:
    assert drops(box) >= set(world.drops)
    item = s3(box).get_object(Bucket=box.facts["bucket"], Key="legacy/accounts.xlsx")
    assert item["Body"].read() == world.drops["legacy/accounts.xlsx"]


def test_the_other_users_sign_in_by_password_and_by_token(box: Sandbox) -> None:
    users = box.facts["users"]
    by_password = {"user": "PHUSER_PASSWORD", "password": users["PHUSER_PASSWORD"]["password"]}
    by_token = {
        "user": "PHUSER_TOKEN",
        "authenticator": "PROGRAMMATIC_ACCESS_TOKEN",
        "token": users["PHUSER_TOKEN"]["token"],
    }
    for credentials in (by_password, by_token):
        with closing(sign_in(box, **credentials)) as connection:
            assert connection.cursor().execute("SELECT 1").fetchone() == (1,)


def test_wrong_credentials_are_refused_by_all_three(box: Sandbox) -> None:
    with pytest.raises(snowflake.connector.errors.DatabaseError):
        sign_in(box, user="PHUSER_PASSWORD", password="wrong")
    assert planhat(box, "companies?limit=1", token="wrong").status_code == 401
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        s3(box, aws_secret_access_key="wrong").list_objects_v2(Bucket=box.facts["bucket"])


def test_a_next_day_brings_rows_changes_files_and_edits(box: Sandbox) -> None:
    ((before,),) = ask(box, "SELECT COUNT(*) FROM CRM.PUBLIC.ACCOUNTS")
    day = box.next_day()
    for table in day.new:
        ((latest,),) = ask(box, f"SELECT COUNT(*) FROM {table.name} WHERE {table.key} IN ({_keys(table)})")
        assert latest == table.rows.height, table.name
    ((accounts,),) = ask(box, "SELECT COUNT(*) FROM CRM.PUBLIC.ACCOUNTS")
    assert accounts == before + 1
    for account, changes in day.changed.items():
        columns = list(changes)
        (row,) = ask(
            box, f"SELECT {', '.join(columns)} FROM CRM.PUBLIC.ACCOUNTS WHERE ACCOUNT_ID = '{account}'"
        )
        assert dict(zip(columns, row, strict=True)) == dict(changes)
    for edit in day.edits:
        assert edit.items() <= company(box, edit["externalId"]).items()
    assert drops(box) >= set(day.drops)


def _keys(table: Any) -> str:
    return ", ".join(f"'{key}'" for key in table.rows[table.key])


def test_anybody_can_look_into_the_snowflake_from_the_command_line(
    box: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    look = ["sandbox", "--folder", str(box.folder), "--sql"]
    assert main([*look, "SELECT ACCOUNT_ID, CITY FROM ACCOUNTS ORDER BY 1 LIMIT 2"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["ACCOUNT_ID", "CITY"]
    assert len(rows) == 2
    assert main([*look, "SELECT NOTHING FROM NOWHERE"]) == 1
    assert "NOWHERE" in capsys.readouterr().err


def test_a_second_start_on_the_same_folder_says_that_one_is_running(box: Sandbox) -> None:
    with pytest.raises(SandboxError, match=rf"already runs on .* \(process {os.getpid()}\)"):
        Sandbox(box.folder).start()


def read_summary(output: IO[str]) -> Iterator[str]:
    for line in iter(output.readline, ""):
        yield line
        if "Ctrl-C stops" in line:
            return


def test_after_a_restart_all_is_as_it_was_left(box: Sandbox) -> None:
    """Restarted by the command, in a process of its own."""
    with closing(sign_in(box)) as connection:
        connection.cursor().execute(
            "UPDATE CRM.PUBLIC.ACCOUNTS SET CITY = 'Ελάτεια' WHERE ACCOUNT_ID = 'ACC-1001'"
        )
    s3(box).put_object(Bucket=box.facts["bucket"], Key="devices/mine.csv", Body=b"customer;device_id\r\n")
    url, bearer = (
        box.environment["PLANHAT_API_URL"],
        {"Authorization": f"Bearer {box.environment['PLANHAT_TOKEN']}"},
    )
    body = [{"externalId": "ACC-1001", "phase": "Kept"}]
    assert requests.put(f"{url}/companies", json=body, headers=bearer, timeout=30).status_code == 200
    days = json.loads((box.folder / "sandbox.json").read_text())["world"]["days"]
    box.stop()
    try:
        command = [sys.executable, "-m", "planhat_pipelines.cli", "sandbox", "--folder", str(box.folder)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert process.stdout
        try:
            shown = "".join(read_summary(process.stdout))
            second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            assert (second.returncode, second.stdout) == (1, "")
            assert f"(process {process.pid})" in second.stderr
            again = json.loads((box.folder / "sandbox.json").read_text())
            assert again["world"]["days"] == days
            assert again["environment"]["PLANHAT_TOKEN"] == box.environment["PLANHAT_TOKEN"]
            assert again["environment"]["AWS_SECRET_ACCESS_KEY"] == box.environment["AWS_SECRET_ACCESS_KEY"]
            box.facts = again
            assert ask(box, "SELECT CITY FROM CRM.PUBLIC.ACCOUNTS WHERE ACCOUNT_ID = 'ACC-1001'") == [
                ("Ελάτεια",)
            ]
            assert "devices/mine.csv" in drops(box)
            assert company(box, "ACC-1001")["phase"] == "Kept"
            assert again["environment"]["PLANHAT_API_URL"] in shown
            assert box.environment["PLANHAT_TOKEN"] not in shown
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            process.stdout.close()
        assert process.returncode == 0
        with pytest.raises(requests.ConnectionError):
            planhat(box, "companies?limit=1")
    finally:
        box.start()
    assert len(planhat(box, "companies?limit=5000").json()) > 0


def test_servers_of_a_killed_sandbox_do_not_stand_in_the_way(box: Sandbox) -> None:
    box.stop()
    try:
        command = [sys.executable, "-m", "planhat_pipelines.cli", "sandbox", "--folder", str(box.folder)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout
            assert "Planhat" in "".join(read_summary(process.stdout))
            process.kill()
    finally:
        box.start()
    assert planhat(box, "companies?limit=1").status_code == 200


def test_a_day_passes_only_in_a_sandbox_that_runs(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="No sandbox runs on"):
        let_a_day_pass(tmp_path)


@pytest.mark.parametrize("fresh", [True, False])
def test_a_folder_with_other_files_in_it_is_left_alone(tmp_path: Path, fresh: bool) -> None:
    precious = tmp_path / "thesis.txt"
    precious.write_text("years of work")
    with pytest.raises(
        SandboxError, match=r"'thesis\.txt', which is no part of a sandbox, so nothing was deleted"
    ):
        Sandbox(tmp_path, fresh=fresh).start()
    assert precious.read_text() == "years of work"
