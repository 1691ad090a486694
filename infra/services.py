"""The one place that chooses a backend and puts the ports together."""

from __future__ import annotations

import os
import random
import secrets
import time
from functools import cache
from pathlib import Path

from infra.clock import Clock, utc_now
from infra.environment import settings_from, with_file
from infra.outward import HttpOutward
from shared.board_reading import BoardReader
from shared.breaker import Breaker
from shared.budget import Budget
from shared.calls import Callers
from shared.context import Services
from shared.errors import Rejected
from shared.limits import limits_of
from shared.metering import MeteredWarehouse
from shared.ports import Warehouse
from shared.publishing import Publisher
from shared.settings import Settings


@cache
def services() -> Services:
    """This process's services, made from the environment on first use."""
    return build(settings_from(with_file(os.environ, Path(".env"))))


def build(settings: Settings, clock: Clock = utc_now) -> Services:
    """Services on the backend that the settings name. Raises Rejected for one that is not there."""
    if settings.backend == "gcp":
        raise Rejected(
            "BACKEND=gcp is not part of this version: only the embedded backend is. "
            "Set BACKEND=local."
        )
    return _local(settings, clock)


def _local(settings: Settings, clock: Clock) -> Services:
    # Imported here, so that another backend never loads DuckDB.
    from infra.local.deliveries import DeliveryStore
    from infra.local.documents import SqliteDocuments
    from infra.local.events import SqliteEvents
    from infra.local.tasks import SqliteTasks
    from infra.local.warehouse import LocalWarehouse

    make_data_folder(settings.data_dir)
    store = DeliveryStore(settings.data_dir / "queues.sqlite", clock)
    documents = SqliteDocuments(settings.data_dir / "documents.sqlite")
    budget = Budget(documents, settings, clock)
    warehouse: Warehouse = LocalWarehouse(
        settings.data_dir / "warehouse", now=clock, memory_mb=settings.query_memory_mb
    )
    if limits_of(settings).metered:
        warehouse = MeteredWarehouse(warehouse, budget, new_id)
    return Services(
        settings=settings,
        documents=documents,
        warehouse=warehouse,
        tasks=SqliteTasks(store),
        events=SqliteEvents(store),
        archive=None,
        boards=BoardReader(documents, now=clock),
        publisher=Publisher(documents, now=clock, keep=settings.keep_generations),
        budget=budget,
        breaker=Breaker(documents, now=clock),
        callers=_callers(settings, clock),
        outward=HttpOutward(),
        now=clock,
        new_id=new_id,
        jitter=random.random,
    )


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
