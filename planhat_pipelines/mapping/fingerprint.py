"""Sixty-four bits that stand for one metric point or one record, the same on every machine and in every release.

The ledger keeps them instead of values: after a crash the points Planhat holds are told from those it lacks, and
records that have not changed are not sent. Collisions only matter inside one metric and one span of days, or
between two states of one record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import polars as pl

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SEPARATOR = "\x1f"
_A_TIME = 4_096  # texts that are Python objects at once: few enough to stay in the processor's cache


def point_fingerprints(points: pl.DataFrame) -> NDArray[np.uint64]:
    """One fingerprint a point. `points` has dimension (the metric), model and target (an external id) as
    text, day as whole days since 1970-01-01, value as Float64."""
    import numpy as np

    series = pl.concat_str(pl.col("dimension", "model", "target"), separator=_SEPARATOR).alias("series")
    frame = points.select(series, pl.col("day").cast(pl.Int64), pl.col("value").cast(pl.Float64))
    names = frame.get_column("series").unique()
    hashed = pl.DataFrame({"series": names, "hash": text_fingerprints(names)})
    by_series = (
        frame.join(hashed, on="series", how="left", maintain_order="left").get_column("hash").to_numpy()
    )
    by_day = _hash(frame.get_column("day").to_numpy())
    by_value = _hash(frame.get_column("value").to_numpy() + 0.0)  # -0.0 and 0.0 are one value
    odd = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        return (by_series * odd ^ by_day) * odd ^ by_value


def text_fingerprints(texts: pl.Series) -> pl.Series:
    """One fingerprint a text, as UInt64."""
    import numpy as np

    encoded = texts.cast(pl.Binary)  # hashes as the text does, and need not be decoded and encoded again
    parts = (encoded[start : start + _A_TIME] for start in range(0, len(encoded), _A_TIME))
    hashed = [np.empty(0, np.uint64), *(_hash(part.to_numpy()) for part in parts)]
    return pl.Series("hash", np.concatenate(hashed), dtype=pl.UInt64)


def _hash(values: NDArray[Any]) -> NDArray[np.uint64]:
    # pandas keeps this hash stable: dask and others partition stored data by it.
    from pandas import util

    hash_array = cast("Callable[..., NDArray[np.uint64]]", util.hash_array)  # loaded lazily, so untyped
    return hash_array(values, categorize=False)
