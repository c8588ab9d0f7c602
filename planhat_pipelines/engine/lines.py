"""Lineage of a mapping, in lines people read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One Planhat field, the source columns it comes from (none for a constant), and how."""

    field: str
    columns: Sequence[str]
    how: str
