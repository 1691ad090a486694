"""BigQuery's tables: from here come Terraform's schemas and what tests create.

The order of columns is that of ``shared.tables``, what the warehouse adds stands last. All are
nullable, so that a statement's rows can be appended as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.tables import (
    CONTRIBUTIONS,
    COSTS,
    EVENTS,
    EXTRACTIONS,
    GITHUB_EVENTS,
    STANDINGS,
    Columns,
    Dataset,
)

REVISION = "unit_revision"
"""The column that says which writing of a unit a row belongs to."""

SOURCE_DAY = "source_day"
"""The column that says of which day's archive table a row is."""

ARCHIVE_EVENTS = "archive_events"

Column = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """A table as BigQuery's API and Terraform describe it.

    ``schema`` is the list of columns in BigQuery's JSON form. ``partition_by`` is a column of
    days or times, of which each day is a partition.
    """

    name: str
    description: str
    schema: tuple[Column, ...]
    partition_by: str | None = None
    cluster_by: tuple[str, ...] = ()
    columns: Columns = field(default_factory=dict)

    def resource(self, project: str, dataset: str) -> dict[str, Any]:
        """The table in the form of BigQuery's REST interface."""
        body: dict[str, Any] = {
            "tableReference": {"projectId": project, "datasetId": dataset, "tableId": self.name},
            "description": self.description,
            "schema": {"fields": [dict(column) for column in self.schema]},
        }
        if self.partition_by:
            body["timePartitioning"] = {"type": "DAY", "field": self.partition_by}
        if self.cluster_by:
            body["clustering"] = {"fields": list(self.cluster_by)}
        return body


def _table(
    name: str,
    description: str,
    columns: Columns,
    *,
    partition_by: str | None = None,
    cluster_by: Sequence[str] = (),
) -> TableDefinition:
    schema = tuple(_column(column, type_) for column, type_ in columns.items())
    return TableDefinition(name, description, schema, partition_by, tuple(cluster_by), columns)


def _column(name: str, type_: str) -> Column:
    return {"name": name, "type": type_, "mode": "NULLABLE"}


_UNITS: Columns = {REVISION: "STRING"}

TABLES: Mapping[str, TableDefinition] = {
    table.name: table
    for table in (
        _table(
            Dataset.EVENTS.value,
            "Slim events of registered repositories. Only revisions in the manifest count.",
            {**EVENTS, **_UNITS},
            partition_by="created_at",
            cluster_by=("repo_id", "actor_id"),
        ),
        # Few rows, of all times: a load may touch no more than 4,000 partitions.
        _table(
            Dataset.GITHUB_EVENTS.value,
            "What GitHub told of registered repositories. Only revisions in the manifest count.",
            {**GITHUB_EVENTS, **_UNITS},
            cluster_by=("repo_id", "event_type"),
        ),
        _table(
            Dataset.GITHUB_EVENTS.value,
            "What GitHub's API told of registered repositories. Only revisions in the manifest "
            "count.",
            {**GITHUB_EVENTS, **_UNITS},
            partition_by="created_at",
            cluster_by=("repo_id", "actor_id"),
        ),
        _table(
            Dataset.CONTRIBUTIONS.value,
            "Credited contributions of registered repositories. Only revisions in the manifest "
            "count.",
            {**CONTRIBUTIONS, **_UNITS},
            cluster_by=("repo_id", "contributor_id"),
        ),
        _table(
            Dataset.STANDINGS.value,
            "Counts and scores by repository and window. Only revisions in the manifest count.",
            {**STANDINGS, **_UNITS},
            cluster_by=("window_name", "repo_id"),
        ),
        _table(
            ARCHIVE_EVENTS,
            "Slim events of all repositories, a partition a day of the public archive.",
            {**EVENTS, SOURCE_DAY: "DATE"},
            partition_by=SOURCE_DAY,
            cluster_by=("repo_id", "actor_id"),
        ),
        _table(
            Dataset.COSTS.value,
            "What every query cost, and for whom it ran. Only revisions in the manifest count.",
            {**COSTS, **_UNITS},
            partition_by="started_at",
        ),
        _table(
            Dataset.EXTRACTIONS.value,
            "Which tables of the public archive were read, and by which version.",
            {**EXTRACTIONS, **_UNITS},
        ),
    )
}
"""Every table by name."""
