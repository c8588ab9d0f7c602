"""Hints that something arrived, from S3 event notifications in an SQS queue.

Events come at least once, in any order, and sometimes late: they save listings, they do not replace them. Whoever
uses them still lists the inbox now and then.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from planhat_pipelines.files.client import S3Client

MOST_WAIT = 20  # seconds, as SQS allows


@dataclass(frozen=True, slots=True)
class Hint:
    """Something was written under this key."""

    bucket: str
    key: str


def hints(client: S3Client, queue_url: str, wait: int = 0) -> list[Hint]:
    """What arrived lately, each object once, after waiting at most `wait` seconds for the first. The messages are
    taken off the queue, those that are no S3 events too. Raises FilesError."""
    doing = f"Asking the queue {queue_url}"
    answer: dict[str, Any] = client.do(
        doing,
        lambda sqs: sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=min(wait, MOST_WAIT)
        ),
        service="sqs",
    )
    messages: list[dict[str, str]] = answer.get("Messages", [])
    found: dict[Hint, None] = {}
    for message in messages:
        found.update(dict.fromkeys(_hints_in(message["Body"])))
    if messages:
        taken = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
        client.do(
            doing, lambda sqs: sqs.delete_message_batch(QueueUrl=queue_url, Entries=taken), service="sqs"
        )
    return list(found)


def _hints_in(body: str) -> list[Hint]:
    try:
        records: list[dict[str, Any]] = json.loads(body).get("Records", [])
        return [
            Hint(record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"]))
            for record in records
            if record["eventName"].startswith("ObjectCreated:")
        ]
    except (ValueError, KeyError, AttributeError, TypeError):
        return []
