"""Events of runs for OpenLineage: they tell data catalogues which tables, files and models a sync joins, by column.

Off unless the client of OpenLineage is configured; then nothing of it is imported. An event that cannot be sent is a
warning in the run's log, and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from planhat_pipelines.engine.lineage.openlineage import Flow, flows, wanted

if TYPE_CHECKING:
    import dagster as dg
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import InputDataset, OutputDataset, RunEvent

    from planhat_pipelines.orchestration.resources import PlanhatTenant, SnowflakeSignIn
    from planhat_pipelines.spec.kinds import AnySpec

Account = Callable[[Mapping[str, int]], None]
_PRODUCER = "urn:planhat-pipelines"
_MISSING = "OpenLineage is configured, but not installed: pip install 'planhat-pipelines[openlineage]'"


@contextmanager
def told(spec: AnySpec, context: dg.AssetExecutionContext, planhat: PlanhatTenant) -> Generator[Account]:
    """Tell of the start and the end of the run inside, if somebody wants to know. Gives a function that takes the run's
    account."""
    counts: dict[str, int] = {}
    if not wanted(os.environ):
        yield counts.update
        return
    snowflake: SnowflakeSignIn | None = getattr(context.resources, "snowflake", None)
    account = snowflake.account_name if snowflake else None
    teller = _Teller(spec, context, flows(spec, account, planhat.address))
    teller.tell("START")
    try:
        yield counts.update
    except Exception as error:
        teller.tell("FAIL", problem=f"{type(error).__name__}: {error}")
        raise
    except BaseException:
        teller.tell("ABORT")
        raise
    teller.tell("COMPLETE", counts)


@dataclass
class _Teller:
    """Makes the events of one run and sends them."""

    spec: AnySpec
    context: dg.AssetExecutionContext
    flows: Sequence[Flow]
    _client: OpenLineageClient | None = None

    def tell(self, kind: str, counts: Mapping[str, int] | None = None, problem: str = "") -> None:
        """Send one event. Whatever goes wrong is a warning, which does not repeat what the error says: there may be
        an address with a password in it."""
        try:
            from openlineage.client import OpenLineageClient
            from openlineage.client.facet_v2 import set_producer

            if self._client is None:
                set_producer(_PRODUCER)
                self._client = OpenLineageClient()
            self._client.emit(self._event(kind, counts, problem))
        except ModuleNotFoundError as missing:
            self.context.log.warning(_MISSING if missing.name == "openlineage" else f"OpenLineage: {missing}")
        except Exception as error:
            status = getattr(getattr(error, "response", None), "status_code", "")
            self.context.log.warning(
                f"OpenLineage was not told of the {kind} of {self.spec.name}: {type(error).__name__} {status}".rstrip()
            )

    def _event(self, kind: str, counts: Mapping[str, int] | None, problem: str) -> RunEvent:
        from openlineage.client import event_v2 as event
        from openlineage.client import facet_v2 as facet

        run: dict[str, Any] = {}
        if problem:
            run["errorMessage"] = facet.error_message_run.ErrorMessageRunFacet(problem, "PYTHON")
        job: dict[str, Any] = {"jobType": facet.job_type_job.JobTypeJobFacet("BATCH", "PLANHAT", "SYNC")}
        if self.spec.description:
            job["documentation"] = facet.documentation_job.DocumentationJobFacet(self.spec.description)
        if self.spec.owners:
            owners = [facet.ownership_job.Owner(name=owner) for owner in self.spec.owners]
            job["ownership"] = facet.ownership_job.OwnershipJobFacet(owners=owners)
        namespace = os.environ.get("OPENLINEAGE_NAMESPACE", "planhat_pipelines")
        return event.RunEvent(
            eventTime=datetime.now(UTC).isoformat(),
            producer=_PRODUCER,
            eventType=event.RunState[kind],
            run=event.Run(self.context.run.run_id, facets=run),
            job=event.Job(namespace, self.spec.name, facets=job),
            inputs=[_input(flow, counts) for flow in self.flows],
            outputs=[_output(flow, counts) for flow in self.flows],
        )


def _input(flow: Flow, counts: Mapping[str, int] | None) -> InputDataset:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import input_statistics_input_dataset as statistics
    from openlineage.client.facet_v2 import schema_dataset as schema

    told: dict[str, Any] = {}
    if counts is not None:
        told["inputStatistics"] = statistics.InputStatisticsInputDatasetFacet(rowCount=flow.rows(counts)[0])
    fields = [schema.SchemaDatasetFacetFields(name) for name in flow.read]
    facets: dict[str, Any] = {"schema": schema.SchemaDatasetFacet(fields=fields)}
    return InputDataset(flow.source.namespace, flow.source.name, facets=facets, inputFacets=told)


def _output(flow: Flow, counts: Mapping[str, int] | None) -> OutputDataset:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import column_lineage_dataset as columns
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics
    from openlineage.client.facet_v2 import schema_dataset as schema

    told: dict[str, Any] = {}
    if counts is not None:
        told["outputStatistics"] = statistics.OutputStatisticsOutputDatasetFacet(
            rowCount=flow.rows(counts)[1]
        )
    source = flow.source
    facets: dict[str, Any] = {
        "schema": schema.SchemaDatasetFacet(
            fields=[schema.SchemaDatasetFacetFields(line.field, line.kind, line.how) for line in flow.lines]
        ),
        "columnLineage": columns.ColumnLineageDatasetFacet(
            fields={
                line.field: columns.Fields(
                    [columns.InputField(source.namespace, source.name, name) for name in line.columns],
                    transformationDescription=line.how,
                )
                for line in flow.lines
                if line.columns
            }
        ),
    }
    return OutputDataset(flow.target.namespace, flow.target.name, facets=facets, outputFacets=told)
