"""The sign-in of the local S3: one user's access key, and the role that it may assume."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

REGION = "eu-north-1"


@dataclass(frozen=True, slots=True)
class Access:
    """The user's key, and the role it may assume with this external id."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    role_arn: str
    external_id: str
    region: str = REGION

    @classmethod
    def read(cls, file: Path) -> Access:
        return cls(**json.loads(file.read_text(encoding="utf-8")))

    def write(self, file: Path) -> None:
        """Written for the owner's eyes only."""
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            json.dump(asdict(self), out, indent=2)
