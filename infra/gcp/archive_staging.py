"""A month's extraction on its way to the store: one query fills a table, copies spread its days.

A query can replace one partition or the whole table, so a month goes by way of a table of its own.
Copies are free, and each takes the place of a whole partition, so any of them may be repeated.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import date, timedelta
from typing import Any

from infra.clock import Clock
from infra.gcp.archive_days import days
from infra.gcp.bigquery_client import BigQueryClient
from infra.gcp.bigquery_names import Place, label
from infra.gcp.bigquery_runs import UNRESERVED
from infra.gcp.bigquery_texts import APP_LABEL
from infra.gcp.table_definitions import ARCHIVE_EVENTS, TABLES
from shared.errors import Rejected, RunExpired

KEPT = timedelta(days=3)
"""How long a table waits for its copies before BigQuery removes it."""

_DOING = "the copy of a day"


class Staging:
    """Tables between an archive month and the store, each named by the run that fills it."""

    def __init__(self, client: BigQueryClient, now: Clock) -> None:
        self._client = client
        self._now = now

    def prepare(self, id_: str, place: Place) -> str:
        """The name of the table for a run; made before the run begins, never after.

        Raises RunExpired for a run whose table is gone: another wants another id.
        """
        name = _name(id_, place)
        if self._client.job(id_) is None:
            self._client.create(self._definition(name, place))
        elif self._client.table(name) is None:
            raise RunExpired(
                f"What the run {id_} extracted was not taken in time and is gone. Ask again under "
                "a new id.",
                details={"id": id_, "over": True},
            )
        return name

    def spread(self, staging: str, store: str, first: date, last: date) -> None:
        """Put each day in place of its partition; a day without rows empties it."""
        if self._client.table(store) is None:
            raise Rejected(f"There is no table {store}. Run `terraform apply`, which makes it.")
        started = [
            (day, self._copy(f"{staging}${day:%Y%m%d}", f"{store}${day:%Y%m%d}"))
            for day in days(first, last)
        ]
        for day, job in started:
            if job is None or not self._arrived(job):
                self._client.delete(f"{store}${day:%Y%m%d}")

    def remove(self, id_: str, place: Place) -> None:
        """Remove a run's table, if it is there."""
        self._client.delete(_name(id_, place))

    def _copy(self, source: str, destination: str) -> Any:
        """A copy that has begun, None for a day without rows, which is no partition."""
        from google.cloud import bigquery

        config = bigquery.CopyJobConfig(
            write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
            create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
            labels={APP_LABEL: label(self._client.place.dataset), "statement": "copy_day"},
        )
        try:
            return self._client.copy(
                _DOING, source, destination, config, f"{UNRESERVED}{uuid.uuid4().hex}"
            )
        except Rejected as error:
            if error.details.get("reason") != "notFound":
                raise
            return None

    def _arrived(self, job: Any) -> bool:
        try:
            self._client.wait(_DOING, job)
        except Rejected as error:
            if error.details.get("reason") != "notFound":
                raise
            return False
        return True

    def _definition(self, name: str, place: Place) -> Any:
        from google.cloud import bigquery

        resource = TABLES[ARCHIVE_EVENTS].resource(place.project, place.dataset)
        resource["tableReference"]["tableId"] = name.rsplit(".", 1)[1]
        resource["description"] = "A month on its way to archive_events."
        table = bigquery.Table.from_api_repr(resource)
        table.expires = self._now() + KEPT
        return table


def _name(id_: str, place: Place) -> str:
    return place.table(f"staging_{hashlib.sha256(id_.encode()).hexdigest()[:24]}")
