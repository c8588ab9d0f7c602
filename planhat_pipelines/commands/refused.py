"""What `planhat-pipelines rejections` does with the refused rows of one sync: export and retry."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from planhat_pipelines.commands.syncs import find
from planhat_pipelines.spec.kinds import AnySpec
from planhat_pipelines.spec.records import RecordsSpec


def act(args: argparse.Namespace) -> int:
    """Export or retry; 1 when the sync is not there, or something is in the way."""
    from planhat_pipelines.engine.environment import NotConfigured
    from planhat_pipelines.engine.export import NothingToRead
    from planhat_pipelines.files.errors import FilesError
    from planhat_pipelines.ledger import LedgerError
    from planhat_pipelines.snowflake.errors import SnowflakeError

    spec = find(args.defs, args.name)
    if spec is None:
        return 1
    try:
        return _export(spec, args.out) if args.action == "export" else _retry(spec)
    except (FilesError, LedgerError, NotConfigured, NothingToRead, OSError, SnowflakeError) as error:
        print(error, file=sys.stderr)
        return 1


def _export(spec: AnySpec, out: Path | None) -> int:
    from planhat_pipelines.engine.environment import open_ledger
    from planhat_pipelines.engine.export import refused_rows

    written = 0
    with open_ledger(os.environ) as ledger:
        total = len(ledger.rejections(spec.name))
        with _opened(out) as file:
            for at, piece in enumerate(refused_rows(spec, os.environ, ledger)):
                file.write(piece.write_csv(include_header=at == 0))
                written += piece.height
    gone = f"; {total - written:,} are not in the source any more" if total > written else ""
    print(f"{written:,} of {total:,} refused rows of {spec.name}{gone}", file=sys.stderr)
    return 0


@contextmanager
def _opened(out: Path | None) -> Generator[IO[str]]:
    if out is None:
        yield sys.stdout
        return
    handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # it will hold customers' values
    with open(handle, "w", encoding="utf-8", newline="") as file:
        yield file


def _retry(spec: AnySpec) -> int:
    from planhat_pipelines.engine.again import try_again
    from planhat_pipelines.engine.environment import open_ledger

    if isinstance(spec, RecordsSpec) and spec.direction == "to_snowflake":
        print(
            f"{spec.name} is a mirror: launch its job with full: true, which compares all records again",
            file=sys.stderr,
        )
        return 1
    with open_ledger(os.environ) as ledger:
        count = try_again(ledger, spec.name)
    print(
        f"The next run of {spec.name} tries its refused rows again: {count:,}"
        if count
        else "No row is refused."
    )
    return 0
