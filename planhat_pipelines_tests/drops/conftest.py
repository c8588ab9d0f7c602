"""One local S3 and one local Planhat for all tests of drops."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from planhat_pipelines.sandbox.planhat.server import PlanhatServer
from planhat_pipelines.sandbox.s3 import S3Server
from planhat_pipelines_tests.drops.dock import Dock
from planhat_pipelines_tests.mortals import Mortals


@pytest.fixture(scope="session")
def shore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, PlanhatServer, dict[str, str]]]:
    """A client of S3, Planhat, and the variables by which the product finds both."""
    folder = tmp_path_factory.mktemp("shore")
    with S3Server(folder / "s3", bucket="drops") as s3, PlanhatServer(folder / "planhat") as planhat:
        environment = {
            "AWS_REGION": s3.access.region,
            "AWS_ACCESS_KEY_ID": s3.access.access_key_id,
            "AWS_SECRET_ACCESS_KEY": s3.access.secret_access_key,
            "AWS_ENDPOINT_URL_S3": s3.endpoint,
            "ROLE_TO_ASSUME": s3.access.role_arn,
            "ROLE_EXTERNAL_ID": s3.access.external_id,
            "PLANHAT_TOKEN": planhat.token,
            "PLANHAT_TENANT": planhat.tenant,
            "PLANHAT_API_URL": planhat.api_url,
            "PLANHAT_ANALYTICS_URL": planhat.analytics_url,
        }
        yield boto3.client("s3", **s3.client_args), planhat, environment


@pytest.fixture
def dock(shore: tuple[Any, PlanhatServer, dict[str, str]], tmp_path: Path) -> Iterator[Dock]:
    """A folder of the bucket, an empty tenant and an empty ledger of the test's own."""
    s3, planhat, environment = shore
    dock = Dock(s3, planhat, environment, tmp_path)
    yield dock
    dock.calm()
    dock.ledger.close()


@pytest.fixture(scope="session")
def mortals() -> Iterator[Mortals]:
    """Runs that die on order."""
    with Mortals("planhat_pipelines_tests.drops.mortal", when="after") as mortals:
        yield mortals
