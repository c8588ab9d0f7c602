"""A usage spec made ready to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from planhat_pipelines.engine.destinations.activities import ActivitiesDestination
from planhat_pipelines.engine.destinations.metrics import MetricsDestination
from planhat_pipelines.engine.lineage.lines import usage_lines
from planhat_pipelines.engine.protocols import Destination
from planhat_pipelines.engine.run import Sync
from planhat_pipelines.engine.syncs.sensitive import hold_back_sensitive
from planhat_pipelines.ledger import Ledger
from planhat_pipelines.mapping.activities import ActivitiesMapping
from planhat_pipelines.mapping.columns import ROW, Cell
from planhat_pipelines.mapping.metrics import MetricsMapping
from planhat_pipelines.mapping.targets import TargetCell
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.snowflake.tables import Table
from planhat_pipelines.snowflake.usage import UsageTable
from planhat_pipelines.spec.base import Column, Constant, table_parts
from planhat_pipelines.spec.files import AggregatedMetrics, AggregatedValue
from planhat_pipelines.spec.usage import Activities, Metrics, UsageSpec

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


def usage_source(spec: UsageSpec, session: SnowflakeConnection) -> UsageTable:
    """The spec's table as a source."""
    columns = [name for line in usage_lines(spec) for name in line.columns]
    table = Table(*table_parts(spec.table))
    return UsageTable(session, table, spec.incrementing_key, columns, spec.overlap, ROW)


def usage_sync(
    spec: UsageSpec, session: SnowflakeConnection, planhat: Planhat, ledger: Ledger, patience: float
) -> Sync:
    """The spec as a sync over open connections. Raises MappingError when it would send what it must not."""
    hold_back_sensitive(spec, session)
    return Sync(spec.name, usage_source(spec, session), _destination(spec, planhat), ledger, patience)


def _destination(spec: UsageSpec, planhat: Planhat) -> Destination:
    if spec.metrics:
        return MetricsDestination(planhat, metrics_mapping(spec.metrics))
    assert spec.activities is not None  # noqa: S101  (the spec holds exactly one of the two)
    return ActivitiesDestination(planhat, activities_mapping(spec.activities), spec.activities.on_doubt)


def metrics_mapping(metrics: Metrics | AggregatedMetrics) -> MetricsMapping:
    """`metrics:` compiled."""
    summed = [value for value in metrics.values if isinstance(value, AggregatedValue)]
    return MetricsMapping(
        target=TargetCell(cell(metrics.target), metrics.target.model, metrics.target.id),
        date=cell(metrics.date),
        timezone=metrics.date.timezone,
        values=[(value.metric, cell(value)) for value in metrics.values],
        aggregates={value.metric: value.aggregate for value in summed},
    )


def activities_mapping(activities: Activities) -> ActivitiesMapping:
    """`activities:` compiled."""
    action = activities.action
    return ActivitiesMapping(
        enduser=TargetCell(cell(activities.enduser), "enduser", activities.enduser.id),
        action=action.value if isinstance(action, Constant) else cell(action),
        date=cell(activities.date),
        timezone=activities.date.timezone,
        weight=cell(activities.weight) if activities.weight else None,
        info={name: cell(column) for name, column in activities.info.items()},
    )


def cell(column: Column) -> Cell:
    """A spec's column as the mapping reads it."""
    return Cell(column.column, column.path)
