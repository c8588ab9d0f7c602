"""The sandbox's servers listen on 127.0.0.1 and nowhere else: not even on this machine's other loopback addresses."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from planhat_pipelines.sandbox.s3 import S3Server


def answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except ConnectionRefusedError:
        return False
    return True


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def test_snowflake_and_planhat_answer_on_one_address(sync_environment: tuple[dict[str, str], Any]) -> None:
    environment, planhat = sync_environment
    ports = [int(environment["SNOWFLAKE_PORT"]), port_of(planhat.api_url), port_of(planhat.analytics_url)]
    assert [answers("127.0.0.1", port) for port in ports] == [True] * 3
    assert [answers("127.0.0.2", port) for port in ports] == [False] * 3


def test_s3_answers_on_one_address(tmp_path: Path) -> None:
    with S3Server(tmp_path, bucket="drops") as s3:
        assert answers("127.0.0.1", s3.port)
        assert not answers("127.0.0.2", s3.port)


@pytest.mark.parametrize("header", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
def test_the_admin_view_answers_no_page_of_another_site(
    sync_environment: tuple[dict[str, str], Any], header: dict[str, str]
) -> None:
    import requests

    answer = requests.get(f"{sync_environment[1].api_url}/_sandbox/credentials", headers=header, timeout=10)
    assert answer.status_code == 403
