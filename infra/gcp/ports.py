"""The ports on Google Cloud, from settings. Nothing is connected before it is used."""

from __future__ import annotations

from typing import Any

from infra.clock import Clock
from infra.gcp.archive import BigQueryArchive
from infra.gcp.bigquery_names import Place
from infra.gcp.blobs import CloudBlobs
from infra.gcp.documents import FirestoreDocuments
from infra.gcp.events import PubSubEvents
from infra.gcp.identity import Cached, TokenCallers
from infra.gcp.tasks import CloudTasks
from infra.gcp.warehouse import BigQueryWarehouse
from shared.errors import Rejected
from shared.ports import Documents
from shared.settings import Settings


def documents(settings: Settings) -> FirestoreDocuments:
    """Raises Rejected, as the others do, naming the variable that is missing."""
    return FirestoreDocuments(
        _set(settings, "google_cloud_project"),
        settings.firestore_database,
        emulator_host=settings.firestore_emulator_host,
    )


def events(settings: Settings) -> PubSubEvents:
    return PubSubEvents(
        _set(settings, "google_cloud_project"), emulator_host=settings.pubsub_emulator_host
    )


def tasks(settings: Settings, now: Clock) -> CloudTasks:
    return CloudTasks(
        _set(settings, "google_cloud_project"),
        settings.google_cloud_location,
        function_url=_function_url(settings),
        service_account=_set(settings, "tasks_service_account"),
        now=now,
        queue_prefix=settings.tasks_queue_prefix,
        emulator_host=settings.cloud_tasks_emulator_host,
    )


def warehouse(settings: Settings, documents: Documents, now: Clock) -> BigQueryWarehouse:
    """The manifest of its units is kept in ``documents``."""
    place = Place(
        _set(settings, "google_cloud_project"),
        settings.bigquery_dataset,
        settings.bigquery_location,
    )
    return BigQueryWarehouse(
        place, documents, now=now, emulator_host=settings.bigquery_emulator_host
    )


def archive(
    settings: Settings, documents: Documents, warehouse: BigQueryWarehouse, now: Clock
) -> BigQueryArchive:
    """What is known of the extracted days is kept in ``documents``."""
    return BigQueryArchive(warehouse, documents, now=now, project=settings.archive_project)


def blobs(settings: Settings, now: Clock) -> CloudBlobs:
    project = _set(settings, "google_cloud_project")
    return CloudBlobs(
        project,
        settings.blobs_bucket or f"{project}-leaderboard-blobs",
        now=now,
        emulator_host=settings.storage_emulator_host,
    )


def callers(settings: Settings, function: str, now: Clock) -> TokenCallers:
    """Who may call ``function``, the one that this process serves. Fetches nothing yet."""
    if not settings.invoker_service_accounts:
        raise Rejected(
            "BACKEND=gcp needs INVOKER_SERVICE_ACCOUNTS.",
            details={"variable": "INVOKER_SERVICE_ACCOUNTS"},
        )
    return TokenCallers(
        audience=_function_url(settings).replace("{function}", function),
        accounts=settings.invoker_service_accounts,
        behind_iam=settings.trigger_identity == "iam",
        fetch=Cached(_fetch, now=now),
        now=now,
    )


def _fetch(url: str, method: str = "GET", **options: Any) -> Any:
    # Imported here: with signatures checked by the platform nothing is ever fetched.
    from google.auth.transport.requests import Request

    return Request()(url, method=method, **options)


def _function_url(settings: Settings) -> str:
    if settings.function_url is not None:
        return settings.function_url
    project = _set(settings, "google_cloud_project")
    return f"https://{settings.google_cloud_location}-{project}.cloudfunctions.net/{{function}}"


def _set(settings: Settings, name: str) -> str:
    value: str | None = getattr(settings, name)
    if value is None:
        raise Rejected(f"BACKEND=gcp needs {name.upper()}.", details={"variable": name.upper()})
    return value
