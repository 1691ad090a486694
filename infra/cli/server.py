"""The one server of a data directory: starting it, and finding the one that runs.

Who holds the lock on ``server.lock`` is the server; the system lets go of it when the process
ends, however it ends. ``server.json`` says where the server answers.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import httpx

from infra.cli.app import App
from infra.environment import environment_of
from infra.local.warehouse import LocalWarehouse
from infra.tls import trusted
from shared import job_steps
from shared.errors import Conflict
from shared.metering import unmetered
from shared.settings import Settings

if TYPE_CHECKING:
    from infra.local.dev_server import RunningServer, ServerPlan

MAIN = Path(__file__).parents[2] / "main.py"
FRONT = "functions.api:front"
_ANSWERS_WITHIN = 5.0
_PLACE_WAIT = timedelta(seconds=6)
_LOCK_ATTEMPTS = 5
_LOCK_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Note:
    """What a server says of itself in ``server.json``."""

    url: str
    pid: int
    started_at: str


def find_server(settings: Settings) -> Note | None:
    """The server of this data directory, if one runs and answers."""
    note = _read(settings)
    if note is None or not is_served(settings):
        return None
    try:
        answer = httpx.get(
            f"{note.url}/health/live", timeout=_ANSWERS_WITHIN, trust_env=False, verify=trusted()
        )
    except httpx.HTTPError:
        return None
    return note if answer.status_code == httpx.codes.OK else None


def is_served(settings: Settings) -> bool:
    """True while a server has this data directory, answering or not; always on Google Cloud."""
    if settings.backend != "local":
        return True
    lock = _lock_file(settings)
    if not lock.exists():
        return False
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


class Occupied(Conflict):
    """Another server has this data directory."""


def plan_of(settings: Settings) -> ServerPlan:
    """How a data directory is served for good."""
    # Imported here: commands that start no server need not wait for its libraries.
    from infra.local.dev_server import ServerPlan

    return ServerPlan(
        source=MAIN,
        front=FRONT,
        state=settings.data_dir / "queues.sqlite",
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        environment=environment_of(settings),
    )


@contextmanager
def started_server(app: App, *, for_now: bool = False) -> Iterator[RunningServer]:
    """Serve this data directory while the block runs.

    ``for_now`` is for a piece of work: any free port of this machine, no schedules. Raises
    Occupied where a server has the directory already, Rejected as ``running_server``.
    """
    from infra.local.dev_server import running_server

    settings, services = app.settings, app.services
    with _alone(settings):
        # Nobody else works here, so whatever is noted as under way has lost its worker.
        job_steps.settle_lost(services)
        warehouse = unmetered(services.warehouse)
        if isinstance(warehouse, LocalWarehouse):
            warehouse.sweep_orphans()
        plan = plan_of(settings)
        if for_now:
            plan = replace(plan, host="127.0.0.1", port=0, workers=1, schedules=())
        with running_server(plan) as server:
            note = Note(server.url, os.getpid(), services.now().isoformat(timespec="seconds"))
            _write(settings, note)
            try:
                yield server
            finally:
                _note_file(settings).unlink(missing_ok=True)


def drain(app: App, server: RunningServer, within: timedelta) -> bool:
    """Wait until the global boards have followed, too. False if time ran out."""
    # A recalculation settles first, and waits for its place while another one is under way.
    horizon = timedelta(seconds=app.settings.settle_seconds) + _PLACE_WAIT
    return server.drain(within, horizon=horizon)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does: by KeyboardInterrupt, with everything put away."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def wait_for_the_end() -> None:
    """Wait until somebody ends this process by Ctrl-C or SIGTERM."""
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    with _lock_file(settings).open("ab") as file:
        if not _locked(file.fileno()):
            raise Occupied(_occupied(settings))
        yield


def _locked(descriptor: int) -> bool:
    # Not given up at once: somebody who only looks holds the lock for a moment, too.
    for _ in range(_LOCK_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE)
        else:
            return True
    return False


def _occupied(settings: Settings) -> str:
    note = _read(settings)
    where = f"at {note.url} (process {note.pid}) " if note else ""
    return (
        f"A server {where}already works on {settings.data_dir}. Use that one, end it first, or set "
        "DATA_DIR to another folder."
    )


def _lock_file(settings: Settings) -> Path:
    return settings.data_dir / "server.lock"


def _note_file(settings: Settings) -> Path:
    return settings.data_dir / "server.json"


def _read(settings: Settings) -> Note | None:
    try:
        return Note(**json.loads(_note_file(settings).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write(settings: Settings, note: Note) -> None:
    file = _note_file(settings)
    draft = file.with_suffix(".part")
    draft.write_text(json.dumps(asdict(note)), encoding="utf-8")
    draft.replace(file)
