"""Make bucket, user, key and role on a moto that does not ask for sign-in yet."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any, cast

import boto3
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends

from planhat_pipelines.sandbox.s3.access import REGION, Access

USER = "planhat-pipelines"
ROLE = "planhat-pipelines-drops"

# What a sync needs of a bucket, and nothing else.
# HeadBucket is an action of its own for moto; AWS has ListBucket cover it.
_ON_BUCKET = ["s3:ListBucket", "s3:HeadBucket", "s3:GetBucketLocation", "s3:GetBucketVersioning"]
_ON_OBJECTS = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject"]


def grant(endpoint: str, bucket: str, file: Path) -> None:
    """One user with an access key, who may use the bucket and assume one role that may use it as well.

    The key is the one in `file`; without a file it is made and written there. moto hands out keys itself, so a key of
    an earlier start is put in place through its back end.
    """
    open_door: dict[str, Any] = {
        "endpoint_url": endpoint,
        "region_name": REGION,
        "aws_access_key_id": "set-up",
        "aws_secret_access_key": "set-up",
    }
    connect = cast("Any", boto3).client
    s3, iam = connect("s3", **open_door), connect("iam", **open_door)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    on_bucket = [
        {"Effect": "Allow", "Action": _ON_BUCKET, "Resource": f"arn:aws:s3:::{bucket}"},
        {"Effect": "Allow", "Action": _ON_OBJECTS, "Resource": f"arn:aws:s3:::{bucket}/*"},
    ]
    user_arn: str = iam.create_user(UserName=USER)["User"]["Arn"]
    key: dict[str, str] = iam.create_access_key(UserName=USER)["AccessKey"]
    if file.exists():
        access = Access.read(file)
    else:
        role_arn = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/{ROLE}"
        access = Access(key["AccessKeyId"], secrets.token_urlsafe(30), role_arn, secrets.token_hex(8))
        access.write(file)
    known = iam_backends[DEFAULT_ACCOUNT_ID]["aws"].get_user(USER).access_keys[0]
    known.access_key_id, known.secret_access_key = access.access_key_id, access.secret_access_key
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": user_arn},
        "Condition": {"StringEquals": {"sts:ExternalId": access.external_id}},
    }
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=_policy([trust]))
    iam.put_role_policy(RoleName=ROLE, PolicyName="drops", PolicyDocument=_policy(on_bucket))
    assume = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": access.role_arn}
    iam.put_user_policy(UserName=USER, PolicyName="drops", PolicyDocument=_policy([*on_bucket, assume]))


def _policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
