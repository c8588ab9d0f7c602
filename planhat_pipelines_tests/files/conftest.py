from __future__ import annotations

import secrets
from collections.abc import Generator

import pytest

from planhat_pipelines.files import Bucket, S3Account, S3Client
from planhat_pipelines.sandbox.s3 import S3Server
from planhat_pipelines_tests.files.seaweed import seaweed


@pytest.fixture(scope="session")
def local_s3(tmp_path_factory: pytest.TempPathFactory) -> Generator[S3Server]:
    """moto's server with sign-in checked."""
    with S3Server(tmp_path_factory.mktemp("moto"), bucket="drops") as server:
        yield server


@pytest.fixture(scope="session")
def own_key(local_s3: S3Server) -> S3Account:
    access = local_s3.access
    return S3Account(
        region=access.region,
        access_key_id=access.access_key_id,
        secret_access_key=access.secret_access_key,
        endpoint_url=local_s3.endpoint,
        sts_endpoint_url=local_s3.endpoint,
    )


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[S3Client]:
    """SeaweedFS."""
    with seaweed(tmp_path_factory.mktemp("seaweed")) as account:
        yield S3Client(account)


@pytest.fixture(scope="session")
def bucket(store: S3Client) -> Bucket:
    """One of SeaweedFS, for all tests, as each bucket costs it volumes."""
    store.do("Making a bucket", lambda s3: s3.create_bucket(Bucket="plain"))
    return Bucket(store, "plain")


@pytest.fixture(scope="session")
def versioned_bucket(store: S3Client) -> Bucket:
    store.do("Making a bucket", lambda s3: s3.create_bucket(Bucket="versioned"))
    kept = {"Bucket": "versioned", "VersioningConfiguration": {"Status": "Enabled"}}
    store.do("Keeping versions", lambda s3: s3.put_bucket_versioning(**kept))
    return Bucket(store, "versioned")


@pytest.fixture
def root() -> str:
    """A prefix of one test."""
    return f"{secrets.token_hex(6)}/"
