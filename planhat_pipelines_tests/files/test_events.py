from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest

from planhat_pipelines.files import Hint, S3Account, S3Client, hints
from planhat_pipelines_tests.files.queue import event, local_sqs, message


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Generator[tuple[S3Client, str]]:
    with local_sqs() as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", endpoint)
        client = S3Client(S3Account(region="eu-north-1", access_key_id="AKIAOWN", secret_access_key="x"))
        made: dict[str, Any] = client.do("Making a queue", lambda sqs: sqs.create_queue(QueueName="q"), "sqs")
        yield client, made["QueueUrl"]


def test_each_object_is_hinted_once_with_its_key_decoded_and_the_queue_is_emptied(
    queue: tuple[S3Client, str],
) -> None:
    client, url = queue
    bodies = [
        message(event("in/a+b%2B%C3%A9.csv", "1"), event("in/c.csv", "2")),
        message(event("in/c.csv", "2")),
        message(event("in/gone.csv", "3", "ObjectRemoved:Delete")),
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
