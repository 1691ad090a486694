"""The one place that chooses a backend and puts the ports together."""

from __future__ import annotations

import os
import random
import secrets
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from infra.clock import Clock, utc_now
from infra.environment import settings_from, with_file
from infra.github import client as github
from infra.github import sign_in as github_sign_in
from infra.outward import HttpOutward
from infra.profile_lookups import lookups
from infra.rates import rates_of
from infra.telemetry import telemetry_of
from infra.traced import TracedEvents, TracedTasks
from shared.blobs import Blobs
from shared.board_reading import BoardReader, Parts
from shared.breaker import Breaker
from shared.budget import Budget
from shared.calls import Callers
from shared.context import Services
from shared.errors import Rejected
from shared.flags import FlagCache
from shared.limits import limits_of
from shared.metering import MeteredWarehouse
from shared.ports import Archive, Documents, Events, Tasks, Warehouse
from shared.publishing import Publisher
from shared.settings import Settings


@cache
def services() -> Services:
    """This process's services, made from the environment on first use."""
    return build(settings_from(with_file(os.environ, Path(".env"))))


def build(settings: Settings, clock: Clock = utc_now) -> Services:
    """Services on the backend that the settings name. Raises Rejected naming what is not set."""
    ports = (
        _on_google_cloud(settings, clock) if settings.backend == "gcp" else _here(settings, clock)
    )
    telemetry = telemetry_of(settings)
    budget = Budget(ports.documents, settings, clock, telemetry)
    warehouse = ports.warehouse
    if limits_of(settings).metered:
        warehouse = MeteredWarehouse(warehouse, budget, new_id)
    breaker = Breaker(ports.documents, now=clock)
    return Services(
        settings=settings,
        documents=ports.documents,
        warehouse=warehouse,
        tasks=TracedTasks(ports.tasks, telemetry) if telemetry.on else ports.tasks,
        events=TracedEvents(ports.events, telemetry) if telemetry.on else ports.events,
        archive=ports.archive,
        github=github.make(settings, ports.documents, breaker, clock),
        blobs=ports.blobs,
        boards=BoardReader(_parts(settings, ports.documents), now=clock, telemetry=telemetry),
        publisher=Publisher(ports.documents, now=clock, keep=settings.keep_generations),
        budget=budget,
        breaker=breaker,
        callers=_callers(settings, clock),
        outward=HttpOutward(),
        sign_in=github_sign_in.make(settings),
        rates=rates_of(settings),
        flags=FlagCache(ports.documents, clock),
        now=clock,
        new_id=new_id,
        jitter=random.random,
        lookups=lookups(settings),
        telemetry=telemetry,
    )


@dataclass(frozen=True, slots=True)
class _Ports:
    documents: Documents
    warehouse: Warehouse
    tasks: Tasks
    events: Events
    archive: Archive | None
    blobs: Blobs


# Each backend is imported where it is made, so that neither loads the other's libraries.


def _on_google_cloud(settings: Settings, clock: Clock) -> _Ports:
    from infra.gcp import ports

    documents = ports.documents(settings)
    warehouse = ports.warehouse(settings, documents, clock)
    return _Ports(
        documents=documents,
        warehouse=warehouse,
        tasks=ports.tasks(settings, clock),
        events=ports.events(settings),
        archive=ports.archive(settings, documents, warehouse, clock),
        blobs=ports.blobs(settings, clock),
    )


def _here(settings: Settings, clock: Clock) -> _Ports:
    from infra.local.blobs import LocalBlobs
    from infra.local.deliveries import DeliveryStore
    from infra.local.documents import SqliteDocuments
    from infra.local.events import SqliteEvents
    from infra.local.tasks import SqliteTasks
    from infra.local.warehouse import LocalWarehouse

    make_data_folder(settings.data_dir)
    store = DeliveryStore(settings.data_dir / "queues.sqlite", clock)
    return _Ports(
        documents=SqliteDocuments(settings.data_dir / "documents.sqlite"),
        warehouse=LocalWarehouse(
            settings.data_dir / "warehouse", now=clock, memory_mb=settings.query_memory_mb
        ),
        tasks=SqliteTasks(store),
        events=SqliteEvents(store),
        archive=None,
        blobs=LocalBlobs(settings.data_dir / "blobs", now=clock),
    )


def _parts(settings: Settings, documents: Documents) -> Parts:
    """Where boards are read: the documents, behind Redis where it is set."""
    if settings.redis_url is None:
        return documents
    from infra.shared_parts import over_redis

    return over_redis(settings.redis_url, documents)


def _callers(settings: Settings, clock: Clock) -> Callers:
    """On one machine the functions' own server keeps strangers out, unless accounts are named."""
    if settings.backend == "local" and not settings.invoker_service_accounts:
        return Everybody()
    from infra.gcp import ports

    return ports.callers(settings, os.environ.get("FUNCTION_TARGET", ""), clock)


class Everybody:
    """The port ``Callers`` where ``infra/local/serving.py`` has checked who calls."""

    def check(self, authorization: str | None) -> None:
        """Let them in."""


def make_data_folder(folder: Path) -> None:
    """Make the folder that everything is kept in. Raises Rejected naming the setting."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Rejected(
            f"Cannot keep data in {folder}: {error.strerror}. Set DATA_DIR to a folder that this "
            "user may write to.",
            details={"variable": "DATA_DIR", "path": str(folder)},
        ) from error


def new_id() -> str:
    """A unique id of 23 letters and digits that sorts by the time it was made."""
    return f"{time.time_ns() // 1_000_000:011x}{secrets.token_hex(6)}"
