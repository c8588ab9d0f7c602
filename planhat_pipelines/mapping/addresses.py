"""E-mail addresses that serve as keys: what may be kept of them, and what may be shown."""

from __future__ import annotations

import hashlib

import polars as pl

PREFIX = "email#"
DIGITS = 16


def hidden(address: str) -> str:
    """What stands for an address wherever it is kept: the start of its SHA-256, which a warehouse computes as well
    (`LEFT(SHA2(EMAIL, 256), 16)`), so that whoever may see the table can find the row."""
    return f"{PREFIX}{hashlib.sha256(address.encode()).hexdigest()[:DIGITS]}"


def masked(address: str) -> str:
    """What people see of an address: a…@example.com."""
    name, at, domain = address.rpartition("@")
    return f"{name[:1]}…{at}{domain}" if at else "…"


def private(keys: pl.Series, id_kind: str) -> pl.Series:
    """Keys of this kind as they may be kept: addresses hidden, all others as they are."""
    if id_kind != "email":
        return keys
    addresses = keys.drop_nulls().unique()
    return keys.replace_strict(
        addresses, [hidden(each) for each in addresses], default=None, return_dtype=pl.String
    )
