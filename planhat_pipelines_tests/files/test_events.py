from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from typing import Any

import pytest

from planhat_pipelines.files import Hint, S3Account, S3Client, hints


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Generator[tuple[S3Client, str]]:
    """An SQS on loopback."""
    code = (
        "from moto.server import ThreadedMotoServer as S; s = S('127.0.0.1', 0, verbose=False); s.start();"
        "print(s.get_host_and_port()[1], flush=True); input()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    with process:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{int(process.stdout.readline())}")
        client = S3Client(S3Account(region="eu-north-1", access_key_id="AKIAOWN", secret_access_key="x"))
        made: dict[str, Any] = client.do("Making a queue", lambda sqs: sqs.create_queue(QueueName="q"), "sqs")
        yield client, made["QueueUrl"]
        process.kill()


def event(key: str, sequencer: str, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    told = {"bucket": {"name": "drops"}, "object": {"key": key, "sequencer": sequencer}}
    return {"eventName": name, "s3": told}


def test_each_object_is_hinted_once_with_its_key_decoded_and_the_queue_is_emptied(
    queue: tuple[S3Client, str],
) -> None:
    client, url = queue
    bodies = [
        json.dumps({"Records": [event("in/a+b%2B%C3%A9.csv", "1"), event("in/c.csv", "2")]}),
        json.dumps({"Records": [event("in/c.csv", "2")]}),
        json.dumps({"Records": [event("in/gone.csv", "3", "ObjectRemoved:Delete")]}),
        json.dumps({"Event": "s3:TestEvent"}),
        "not JSON",
        "[1]",
    ]
    entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]
    client.do("Sending", lambda sqs: sqs.send_message_batch(QueueUrl=url, Entries=entries), "sqs")
    found: set[Hint] = set()
    for _ in range(10):
        found.update(hints(client, url))
    assert found == {Hint("drops", "in/a b+é.csv"), Hint("drops", "in/c.csv")}
    assert hints(client, url, wait=1) == []
