"""The local S3 checks who signs in and remembers its objects."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from planhat_pipelines.sandbox.s3 import S3Server

BUCKET = "drops"
ONCE = Config(retries={"total_max_attempts": 1})


def client(server: S3Server, service: str = "s3", **other: Any) -> Any:
    return boto3.client(service, **{**server.client_args, **other}, config=ONCE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3"), bucket=BUCKET) as running:
        yield running


def listing(s3: Any) -> list[tuple[Any, ...]]:
    """What makes up the identity of a file: key, ETag, time and size."""
    items = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    return [(item["Key"], item["ETag"], item["LastModified"], item["Size"]) for item in items]


def refusal(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"]


def test_the_user_may_put_list_read_copy_and_delete(server: S3Server) -> None:
    s3 = client(server)
    key = "devices/Åsa + 1 % 日本.csv"
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"a;b\r\n")
    (item,) = s3.list_objects_v2(Bucket=BUCKET, Prefix="devices/")["Contents"]
    assert item["Key"] == key
    assert s3.get_object(Bucket=BUCKET, Key=key, IfMatch=item["ETag"])["Body"].read() == b"a;b\r\n"
    s3.copy_object(Bucket=BUCKET, Key="processed/1.csv", CopySource={"Bucket": BUCKET, "Key": key})
    s3.delete_object(Bucket=BUCKET, Key=key)
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix="devices/")["KeyCount"] == 0
    s3.head_bucket(Bucket=BUCKET)


def test_an_unknown_key_and_a_wrong_secret_are_refused(server: S3Server) -> None:
    unknown = client(server, aws_access_key_id="an-unknown-key")
    wrong = client(server, aws_secret_access_key="wrong")
    assert refusal(unknown.list_objects_v2, Bucket=BUCKET) == "InvalidAccessKeyId"
    assert refusal(wrong.list_objects_v2, Bucket=BUCKET) == "SignatureDoesNotMatch"


def test_the_user_may_do_nothing_beyond_its_bucket(server: S3Server) -> None:
    assert refusal(client(server).create_bucket, Bucket="another") == "AccessDenied"
    assert refusal(client(server, "iam").list_users) == "AccessDenied"


def test_the_role_is_assumed_with_its_external_id_only(server: S3Server) -> None:
    sts, access = client(server, "sts"), server.access
    role = {"RoleArn": access.role_arn, "RoleSessionName": "a-test"}
    keys = sts.assume_role(**role, ExternalId=access.external_id)["Credentials"]
    assumed = client(
        server,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    assumed.put_object(Bucket=BUCKET, Key="by-role", Body=b"1")
    assert refusal(sts.assume_role, **role, ExternalId="another") == "AccessDenied"


def test_objects_and_sign_in_are_the_same_after_a_restart(tmp_path: Path) -> None:
    with S3Server(tmp_path, bucket=BUCKET) as server:
        access, s3 = server.access, client(server)
        s3.put_object(
            Bucket=BUCKET, Key="a b/ö.csv", Body=b"one", ContentType="text/csv", Metadata={"by": "x"}
        )
        s3.put_object(Bucket=BUCKET, Key="gone", Body=b"two")
        s3.delete_object(Bucket=BUCKET, Key="gone")
        before = listing(s3)
    with S3Server(tmp_path, bucket=BUCKET) as server:
        assert server.access == access
        s3 = client(server)
        assert listing(s3) == before
        item = s3.get_object(Bucket=BUCKET, Key="a b/ö.csv")
        assert (item["Body"].read(), item["ContentType"], item["Metadata"]) == (
            b"one",
            "text/csv",
            {"by": "x"},
        )


def test_the_keys_are_readable_by_their_owner_only_and_hidden_from_repr(server: S3Server) -> None:
    assert stat.S_IMODE((server.folder / "access.json").stat().st_mode) == 0o600
    assert server.access.secret_access_key not in repr(server.access)


def test_a_port_that_is_taken_is_reported(server: S3Server, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="The local S3 ended"):
        S3Server(tmp_path, bucket=BUCKET, port=server.port).start()
