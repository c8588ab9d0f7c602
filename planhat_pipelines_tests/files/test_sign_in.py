"""Every way in, what is said when it is refused, and keys that change while we run."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from planhat_pipelines.files import (
    AccessDenied,
    Bucket,
    Damaged,
    FilesError,
    NoSuchBucket,
    Permanent,
    S3Account,
    S3Client,
    S3Object,
    SignInError,
    Temporary,
    WrongRegion,
)
from planhat_pipelines.files.spool import Spool
from planhat_pipelines.sandbox.s3 import S3Server
from planhat_pipelines_tests.files.pretend import (
    Asked,
    PretendAws,
    Told,
    pretend,
    refusal,
    role_keys,
    sts_refusal,
)

OWN = {"access_key_id": "AKIAOWN", "secret_access_key": "own secret"}


def check(account: S3Account) -> None:
    Bucket(S3Client(account), "drops").check("devices/")


@pytest.fixture(autouse=True)
def nothing_from_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


# -- against an S3 that checks sign-in


def test_a_key_and_a_role_with_its_external_id_let_us_in(own_key: S3Account, local_s3: S3Server) -> None:
    access = local_s3.access
    check(own_key)
    check(dataclasses.replace(own_key, role_arn=access.role_arn, external_id=access.external_id))


def test_a_role_that_may_be_assumed_may_do_no_more_than_it_is_allowed(
    own_key: S3Account, local_s3: S3Server
) -> None:
    access = local_s3.access
    account = dataclasses.replace(own_key, role_arn=access.role_arn, external_id=access.external_id)
    with pytest.raises(AccessDenied, match=r"in bucket other.*s3:ListBucket"):
        Bucket(S3Client(account), "other").check("devices/")


def test_a_copied_line_end_does_no_harm(own_key: S3Account) -> None:
    check(dataclasses.replace(own_key, secret_access_key=f" {own_key.secret_access_key}\n"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"secret_access_key": "no"}, "the secret does not belong to this access key id"),
        ({"access_key_id": "AKIANOBODY"}, "the access key id is unknown"),
        (
            {"role_arn": "arn:aws:iam::123456789012:role/planhat-pipelines-drops", "external_id": "no"},
            "external id",
        ),
        ({"role_arn": "arn:aws:iam::123456789012:role/nobody", "external_id": "no"}, "wrong role ARN"),
    ],
)
def test_a_refused_sign_in_says_what_is_wrong_and_no_secret(
    change: dict[str, str], says: str, own_key: S3Account
) -> None:
    with pytest.raises(SignInError, match=says) as caught:
        check(dataclasses.replace(own_key, **change))
    assert own_key.secret_access_key is not None
    assert own_key.secret_access_key not in str(caught.value)
    assert "in bucket drops" in str(caught.value)


def test_what_is_not_allowed_is_named_with_the_rights_a_sync_needs(own_key: S3Account) -> None:
    with pytest.raises(AccessDenied, match=r"'devices/' in bucket other.*s3:ListBucket.*s3:DeleteObject"):
        Bucket(S3Client(own_key), "other").check("devices/")
    with pytest.raises(AccessDenied, match=r"Looking at 'a.csv' in bucket other"):
        Bucket(S3Client(own_key), "other").look("a.csv")


def test_keys_rotated_in_a_secret_file_are_used_at_once(own_key: S3Account, tmp_path: Path) -> None:
    secret = tmp_path / "keys.json"
    secret.write_text(json.dumps({"AccessKeyId": "AKIAOLD", "SecretAccessKey": "old"}))
    account = S3Account(region=own_key.region, endpoint_url=own_key.endpoint_url, secret_file=str(secret))
    bucket = Bucket(S3Client(account), "drops")
    with pytest.raises(SignInError):
        bucket.check()
    secret.write_text(
        f"AWS_ACCESS_KEY_ID={own_key.access_key_id}\nexport AWS_SECRET_ACCESS_KEY='{own_key.secret_access_key}'\n"
    )
    bucket.check()


# -- against answers that no local S3 gives


def with_role(aws: PretendAws) -> S3Account:
    role = "arn:aws:iam::123456789012:role/drops"
    urls = {"endpoint_url": aws.endpoint, "sts_endpoint_url": aws.endpoint}
    return S3Account(region="us-east-1", role_arn=role, **urls, **OWN)


@pytest.mark.parametrize(
    ("told", "kind", "says"),
    [
        (refusal(400, "ExpiredToken"), SignInError, "temporary keys have ended"),
        (refusal(400, "InvalidToken"), SignInError, "session token is damaged"),
        (refusal(403, "InvalidAccessKeyId"), SignInError, "without their session token"),
        (refusal(403, "RequestTimeTooSkewed"), SignInError, "clock is off by more than 15 minutes"),
        (refusal(404, "NoSuchBucket"), NoSuchBucket, "no bucket of this name"),
        (refusal(403, "AccessDenied"), AccessDenied, "kms:Decrypt"),
        (
            refusal(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
            WrongRegion,
            r"Set region: eu-west-1\.",
        ),
        (
            refusal(301, "PermanentRedirect", x_amz_bucket_region="eu-west-1"),
            WrongRegion,
            "Set region: eu-west-1",
        ),
        (refusal(409, "OperationAborted"), Temporary, "next run tries again"),
        (refusal(418, "Unheard"), FilesError, "418 Unheard"),
    ],
)
def test_each_refusal_has_a_type_and_a_cure(told: Told, kind: type[FilesError], says: str) -> None:
    with pretend(lambda asked: told) as aws, pytest.raises(kind, match=says):
        check(S3Account(region="us-east-1", endpoint_url=aws.endpoint, **OWN))


def test_a_bucket_in_another_region_is_told_though_aws_lets_us_in(monkeypatch: pytest.MonkeyPatch) -> None:
    with pretend(lambda asked: Told(headers={"x-amz-bucket-region": "eu-west-1"})) as aws:
        monkeypatch.setenv("HTTP_PROXY", aws.endpoint)
        monkeypatch.setenv("NO_PROXY", "")
        with pytest.raises(WrongRegion, match=r"is in eu-west-1, the account says eu-north-1"):
            check(S3Account(region="eu-north-1", endpoint_url="http://s3.eu-north-1.amazonaws.com", **OWN))


def test_a_refused_look_says_why_though_head_is_answered_without_a_reason() -> None:
    with pretend(lambda asked: refusal(403, "RequestTimeTooSkewed")) as aws:
        bucket = Bucket(S3Client(S3Account(region="us-east-1", endpoint_url=aws.endpoint, **OWN)), "drops")
        with pytest.raises(SignInError, match="clock"):
            bucket.look("a.csv")


def test_a_store_that_does_not_answer_is_temporary() -> None:
    with pretend(lambda asked: Told()) as aws:
        pass
    with pytest.raises(Temporary, match="could not be reached"):
        check(S3Account(region="us-east-1", endpoint_url=aws.endpoint, **OWN))


def test_an_answer_cut_short_is_damaged_and_leaves_nothing_on_disk(tmp_path: Path) -> None:
    told = Told(body="only this", headers={"ETag": '"e"'})
    with pretend(lambda asked: told) as aws:
        bucket = Bucket(S3Client(S3Account(region="us-east-1", endpoint_url=aws.endpoint, **OWN)), "drops")
        spool = Spool(tmp_path / "spool")
        listed = S3Object("a.csv", '"e"', datetime(2026, 11, 22, tzinfo=UTC), 900)
        with pytest.raises(Damaged, match="9 bytes came instead of 900"):
            bucket.fetch(listed, spool, spool.path("0" * 64))
    assert list(spool.folder.iterdir()) == []


def only(key_id: str, code: str) -> Callable[[Asked], Told]:
    return lambda asked: Told() if asked.key_id == key_id else refusal(403, code)


@pytest.mark.parametrize(
    "code", ["ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken"]
)
def test_refused_keys_are_read_again_once(code: str, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    print_keys = (sys.executable, "-c", f"print(open({str(keys)!r}).read())")
    keys.write_text("AccessKeyId=AKIAONE\nSecretAccessKey=x")
    with pretend(only("AKIAONE", code)) as aws:
        bucket = Bucket(
            S3Client(S3Account(region="us-east-1", endpoint_url=aws.endpoint, secret_command=print_keys)),
            "drops",
        )
        bucket.check()
        keys.write_text("AccessKeyId=AKIATWO\nSecretAccessKey=x")
        aws.answer = only("AKIATWO", code)
        bucket.check()
        assert [asked.key_id for asked in aws.asked] == ["AKIAONE", "AKIAONE", "AKIATWO"]
        aws.answer = only("AKIATHREE", code)
        with pytest.raises(SignInError):
            bucket.check()
        assert len(aws.asked) == 4, "the same keys are not tried twice"


def test_a_role_is_asked_for_an_hour_and_once_for_many_calls() -> None:
    def answer(asked: Asked) -> Told:
        if asked.form.get("Action") != "AssumeRole":
            return Told()
        return (
            role_keys("ASIAROLE")
            if asked.form.get("ExternalId") == "shared"
            else sts_refusal(403, "AccessDenied")
        )

    with pretend(answer) as aws:
        account = S3Account(
            region="us-east-1",
            endpoint_url=aws.endpoint,
            sts_endpoint_url=aws.endpoint,
            role_arn="arn:aws:iam::123456789012:role/drops",
            external_id="shared",
            session_name="planhat pipelines/devices",
            **OWN,
        )
        bucket = Bucket(S3Client(account), "drops")
        for _ in range(5):
            bucket.check()
        [asked] = aws.of("POST")
        assert asked.key_id == "AKIAOWN"
        assert asked.form["DurationSeconds"] == "3600"
        assert asked.form["RoleSessionName"] == "planhat-pipelines-devices"
        assert {one.key_id for one in aws.of("GET")} == {"ASIAROLE"}
        with pytest.raises(SignInError, match="missing or wrong external id"):
            check(dataclasses.replace(account, external_id=None))


def test_a_role_is_assumed_again_with_rotated_keys(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text('{"aws_access_key_id": "AKIAONE", "aws_secret_access_key": "x"}')
    alive = {"AKIAONE", "ASIAONE"}

    def answer(asked: Asked) -> Told:
        if asked.form.get("Action") == "AssumeRole":
            number = asked.key_id.removeprefix("AKIA")
            return (
                role_keys(f"ASIA{number}")
                if asked.key_id in alive
                else sts_refusal(403, "InvalidClientTokenId")
            )
        return Told() if asked.key_id in alive else refusal(400, "ExpiredToken")

    with pretend(answer) as aws:
        account = S3Account(
            region="us-east-1",
            endpoint_url=aws.endpoint,
            sts_endpoint_url=aws.endpoint,
            role_arn="arn:aws:iam::123456789012:role/drops",
            secret_command=(sys.executable, "-c", f"print(open({str(keys)!r}).read())"),
        )
        bucket = Bucket(S3Client(account), "drops")
        bucket.check()
        keys.write_text('{"aws_access_key_id": "AKIATWO", "aws_secret_access_key": "x"}')
        alive.clear()
        alive.update({"AKIATWO", "ASIATWO"})
        bucket.check()
        assert [one.key_id for one in aws.of("GET")] == ["ASIAONE", "ASIAONE", "ASIATWO"]


def test_role_keys_are_renewed_before_they_end() -> None:
    minutes = iter([5, 60])  # botocore renews ten minutes before the end

    def answer(asked: Asked) -> Told:
        if asked.form.get("Action") != "AssumeRole":
            return Told()
        left = next(minutes)
        return role_keys(f"ASIA{left}", (datetime.now(UTC) + timedelta(minutes=left)).isoformat())

    with pretend(answer) as aws:
        bucket = Bucket(S3Client(with_role(aws)), "drops")
        bucket.check()
        bucket.check()
        bucket.check()
        assert [one.key_id for one in aws.of("GET")] == ["ASIA5", "ASIA60", "ASIA60"]


def test_role_keys_that_have_ended_when_they_come_point_to_the_clock() -> None:
    with (
        pretend(lambda asked: role_keys("ASIAROLE", "2000-01-01T00:00:00Z")) as aws,
        pytest.raises(SignInError, match="clock"),
    ):
        check(with_role(aws))


def test_profiles_and_the_machines_own_keys_let_us_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "credentials").write_text(
        "[drops]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = x\n"
        "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = x\n"
    )
    with pretend(lambda asked: Told()) as aws:
        check(S3Account(region="us-east-1", endpoint_url=aws.endpoint, profile="drops"))
        check(S3Account(region="us-east-1", endpoint_url=aws.endpoint))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        check(S3Account(region="us-east-1", endpoint_url=aws.endpoint))
        assert [one.key_id for one in aws.asked] == ["AKIAPROFILE", "AKIADEFAULT", "AKIAENV"]


def test_a_profile_rotated_in_its_file_is_read_again_when_refused(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("[drops]\naws_access_key_id = AKIAONE\naws_secret_access_key = x\n")
    with pretend(only("AKIAONE", "InvalidAccessKeyId")) as aws:
        bucket = Bucket(
            S3Client(S3Account(region="us-east-1", endpoint_url=aws.endpoint, profile="drops")), "drops"
        )
        bucket.check()
        file.write_text("[drops]\naws_access_key_id = AKIATWO\naws_secret_access_key = x\n")
        aws.answer = only("AKIATWO", "InvalidAccessKeyId")
        bucket.check()


def test_a_secret_of_secrets_manager_lets_us_in(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = json.dumps({"access_key_id": "AKIAMANAGED", "secret_access_key": "x"})

    def answer(asked: Asked) -> Told:
        if asked.headers.get("X-Amz-Target") == "secretsmanager.GetSecretValue":
            return Told(body=json.dumps({"Name": "drops", "SecretString": secret}))
        return Told()

    with pretend(answer) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", aws.endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        check(S3Account(region="us-east-1", endpoint_url=aws.endpoint, secret_name="drops"))
        assert [one.key_id for one in aws.asked] == ["AKIAENV", "AKIAMANAGED"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "no usable AWS credentials"),
        ({"profile": "nobody"}, r"profile \(nobody\) could not be found"),
        ({"secret_file": "/nowhere/keys"}, "/nowhere/keys cannot be read"),
        ({"secret_command": ("/nowhere/program",)}, "/nowhere/program cannot be run"),
        ({"secret_command": (sys.executable, "-c", "raise SystemExit(3)")}, "ended with status 3"),
        (
            {"secret_command": (sys.executable, "-c", "print('hush')")},
            "must be a JSON object or NAME=value lines",
        ),
    ],
)
def test_a_way_in_that_leads_nowhere_is_named(settings: dict[str, Any], says: str) -> None:
    with pretend(lambda asked: Told()) as aws, pytest.raises(SignInError, match=says) as caught:
        check(S3Account(region="us-east-1", endpoint_url=aws.endpoint, **settings))
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {**OWN, "profile": "drops"},
        {"access_key_id": "AKIAOWN"},
        {"session_token": "t"},
        {"external_id": "shared"},
        {"role_arn": "arn:aws:iam::1:role/r", "external_id": "x"},
        {"profile": "drops", "secret_file": "keys"},
    ],
)
def test_an_account_without_a_single_way_in_is_refused(settings: dict[str, str]) -> None:
    with pytest.raises(Permanent):
        S3Account(region="us-east-1", **settings)


def test_no_secret_is_shown_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    account = S3Account(
        region="us-east-1",
        access_key_id="AKIAOWN",
        secret_access_key="hush secret",
        session_token="hush token",
        role_arn="arn:aws:iam::1:role/drops",
        external_id="hush id",
    )
    assert "hush" not in repr(account)
    with caplog.at_level(logging.DEBUG), pretend(lambda asked: role_keys("ASIAROLE")) as aws:
        wired = dataclasses.replace(account, endpoint_url=aws.endpoint, sts_endpoint_url=aws.endpoint)
        check(wired)
    assert "hush" not in caplog.text
    assert "token of ASIAROLE" not in caplog.text
