"""Refused rows as they are in the source now, each with what is wrong with it. The ledger keeps no values, so they are
read again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from planhat_pipelines.engine.environment import s3_account, snowflake_account
from planhat_pipelines.ledger import Ledger, Rejection
from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines.mapping.records import KEY
from planhat_pipelines.spec.files import FilesSpec
from planhat_pipelines.spec.records import RecordsSpec

if TYPE_CHECKING:
    from planhat_pipelines.engine.protocols import Source
    from planhat_pipelines.spec.kinds import AnySpec

PLACE = "row"  # of a file: its drop and its line
REASON = ("field", "reason", "refused_since", "times")


class NothingToRead(Exception):
    """The sync has no rows of a source that could be read again."""


def refused_rows(spec: AnySpec, environment: Mapping[str, str], ledger: Ledger) -> Iterator[pl.DataFrame]:
    """The refused rows in pieces, all columns as text: the row's key under the name it has in the source, the mapped
    columns, and REASON. Rows that are gone are left out. Raises NothingToRead, and the source's errors."""
    if isinstance(spec, RecordsSpec) and spec.direction == "to_snowflake":
        raise NothingToRead(
            f"{spec.name} is a mirror: its rows come from Planhat, and are listed without --out"
        )
    found = ledger.rejections(spec.name)
    with ExitStack() as stack:
        source = _source(spec, environment, ledger, stack)
        for piece in source.rows([each.row for each in found]):
            yield _explained(piece, found, _key_name(spec), _columns(spec))


def _source(spec: AnySpec, environment: Mapping[str, str], ledger: Ledger, stack: ExitStack) -> Source:
    if isinstance(spec, FilesSpec):
        from planhat_pipelines.engine.syncs.files import files_source

        spool = Path(
            stack.enter_context(tempfile.TemporaryDirectory())
        )  # a run may be at work in the usual one
        return files_source(spec, s3_account(environment), ledger, spool)
    session = stack.enter_context(snowflake_account(environment).connection())
    if isinstance(spec, RecordsSpec):
        from planhat_pipelines.engine.syncs.records import records_source

        return records_source(spec, session)
    from planhat_pipelines.engine.syncs.usage import usage_source

    return usage_source(spec, session)


def _key_name(spec: AnySpec) -> str:
    if isinstance(spec, FilesSpec):
        return PLACE
    return spec.key.column if isinstance(spec, RecordsSpec) else spec.incrementing_key


def _columns(spec: AnySpec) -> list[str]:
    from planhat_pipelines.engine.lineage.traced import traced

    return list(dict.fromkeys(name for line in traced(spec).lines for name in line.columns))


def _explained(
    piece: pl.DataFrame, found: Sequence[Rejection], key: str, columns: Sequence[str]
) -> pl.DataFrame:
    why = pl.DataFrame(
        [
            (each.row, each.field or "", each.reason, f"{each.first_seen:%Y-%m-%d %H:%M}", str(each.times))
            for each in found
        ],
        schema=dict.fromkeys((ROW, *REASON), pl.String),
        orient="row",
    )
    mapped = [name for name in columns if name in piece.columns and name != key]
    named = next((name for name in (key, KEY) if name in piece.columns), ROW) if key != PLACE else ROW
    joined = piece.join(why, on=ROW, how="inner", maintain_order="left")
    return joined.select(pl.col(named).cast(pl.String).alias(key), pl.col(mapped).cast(pl.String), *REASON)
