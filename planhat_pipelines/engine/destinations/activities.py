"""User activities as a destination: appended by Planhat, and not to be read back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import polars as pl

from planhat_pipelines.engine.protocols import Destination, Parcel, Receipt
from planhat_pipelines.mapping.activities import ActivitiesMapping
from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines.mapping.encode import activity_body
from planhat_pipelines.mapping.targets import Mapped, known_among, known_targets
from planhat_pipelines.planhat.catalogue import model
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.lookups import targets

ACTIVITIES_A_REQUEST = 5_000


@dataclass(frozen=True)
class ActivitiesDestination(Destination):
    """Rows to activities of end users."""

    planhat: Planhat
    mapping: ActivitiesMapping
    policy: Literal["resend", "hold"] = "hold"

    purpose = "activities"

    @property
    def on_doubt(self) -> Literal["ask", "resend", "hold"]:
        return self.policy

    @property
    def id_kind(self) -> str:
        return self.mapping.enduser.id_kind

    @property
    def model(self) -> str:
        return "enduser"

    @cached_property
    def _targets(self) -> pl.DataFrame:
        return known_targets(targets(self.planhat, model("enduser")), self.mapping.enduser.id_kind)

    def map(self, rows: pl.DataFrame) -> Mapped:
        return self.mapping.apply(rows, self._targets)

    def parcels(self, ready: pl.DataFrame) -> Iterator[Parcel]:
        for part in ready.iter_slices(ACTIVITIES_A_REQUEST):
            yield Parcel(body=activity_body(part), items=part.height, rows=part[ROW])

    def send(self, parcel: Parcel) -> Receipt:
        said = self.planhat.activities(parcel.body)
        return Receipt({"submitted": len(parcel.rows)}, said=said)

    def known(self, targets: Sequence[str]) -> set[str]:
        return known_among(targets, self._targets, self.id_kind)
