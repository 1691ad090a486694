"""Runs of the whole flow in which the worker process is killed at a chosen call."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import httpx

from infra.clock import utc_now
from infra.local.deliveries import DeliveryStore
from infra.local.dev_server import listen
from infra.local.dispatch import Dispatcher
from infra.local.events import SUBSCRIPTIONS, SqliteEvents
from infra.local.lanes import Retry
from infra.local.serving import SECRET_VARIABLE, ServingPlan
from infra.local.tasks import QUEUES, SqliteTasks
from shared import job_steps
from shared.context import Services
from tests.support import killing, preloaded_server
from tests.support.copies import copy_data
from tests.support.eventually import eventually
from tests.support.killing import KillPlan, Side
from tests.support.scenario import Receipts as Receipts
from tests.support.scenario import everything, left_behind, open_services, receipts, unfinished

ROOT = Path(__file__).parents[2]
KILLING_MAIN = Path(__file__).with_name("killing_main.py")
"""Named, not imported: it replaces the services of the process that imports it."""

SECRET = "only-the-platform"
SOON = timedelta(milliseconds=50)
IMPATIENT_QUEUES = tuple(
    replace(queue, retry=Retry(SOON, SOON, max_attempts=50)) for queue in QUEUES
)
IMPATIENT_SUBSCRIPTIONS = tuple(
    replace(subscription, min_backoff=SOON, max_backoff=SOON, max_delivery_attempts=50)
    for subscription in SUBSCRIPTIONS
)
BOARDS, GLOBALS = "publish-boards", "publish-global-boards"
ALL = {BOARDS, GLOBALS}
SOME_TIME = timedelta(seconds=30)
LATER = timedelta(minutes=10)
"""Beyond every lease: what is not done by then is stuck."""


@dataclass(frozen=True, slots=True)
class Start:
    """A data directory in which nothing runs, and what a client asks for then, with which key.

    ``subscriptions`` are those that are served: events of the others wait.
    """

    folder: Path
    key: str
    repository: str | None = None
    subscriptions: Sequence[str] = (BOARDS, GLOBALS)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: what the boards show, what is wrong, the calls that were made."""

    receipts: Receipts
    wrong: tuple[str, ...]
    calls: tuple[str, ...]
    died: bool


class Workers:
    """A server process whose worker dies by the plan, and is replaced."""

    def __init__(self, url: str, plan: Path) -> None:
        self._url = url
        self._plan = plan

    def run(self, start: Start, folder: Path, at: int = 0, side: Side = "before") -> Ended:
        """See everything through in a copy of the start's directory, ``folder/data``."""
        data = folder / "data"
        copy_data(start.folder, data)
        plan_of(folder, at, side).put(self._plan)
        services = open_services(data)
        with _dispatching(data, start, self._url) as dispatcher:
            if start.repository is not None:
                register(self._url, start.repository, start.key)
            if set(start.subscriptions) == ALL:
                see_through(services, dispatcher)
            else:
                assert dispatcher.drain(SOME_TIME)
        return ended(services, folder)


def plan_of(folder: Path, at: int, side: Side) -> KillPlan:
    """The plan of a run in ``folder``."""
    calls, died = folder / "calls", folder / "died"
    return KillPlan(str(folder / "data"), str(calls), str(died), at, side)


def ended(services: Services, folder: Path) -> Ended:
    """How a run ended whose plan is in ``folder``."""
    wrong = [*unfinished(services), *left_behind(services)]
    wrong += [
        f"job {document.id} ended as {document.fields['state']}"
        for document in everything(services, "jobs")
        if document.fields["state"] != "COMPLETED"
    ]
    calls = (folder / "calls").read_text().split()
    return Ended(receipts(services), tuple(wrong), tuple(calls), (folder / "died").exists())


def register(url: str, repository: str, key: str) -> None:
    """Register as a client does that asks again when the connection breaks."""

    def ask() -> httpx.Response | None:
        with contextlib.suppress(httpx.TransportError):
            return httpx.post(
                f"{url}/api/v1/repositories",
                json={"repository": repository},
                headers={"X-API-Key": key},
                timeout=20,
                trust_env=False,
                verify=False,
            )
        return None

    answer = eventually(ask)
    assert answer is not None
    assert answer.status_code in {200, 201}, answer.text


class Draining(Protocol):
    """A dispatcher, or a server that has one."""

    def drain(self, within: timedelta, *, horizon: timedelta) -> bool: ...


def see_through(services: Services, dispatcher: Draining) -> None:
    """Deliver until all is done; what is stuck then is swept up as if its time had come."""
    later = replace(services, now=lambda: utc_now() + LATER)
    for _ in range(6):
        assert dispatcher.drain(SOME_TIME, horizon=timedelta(seconds=6))
        if not job_steps.sweep(later):
            return


@contextmanager
def _dispatching(data: Path, start: Start, url: str) -> Iterator[Dispatcher]:
    store = DeliveryStore(data / "queues.sqlite", utc_now)
    served = [lane for lane in IMPATIENT_SUBSCRIPTIONS if lane.name in start.subscriptions]
    sources = (SqliteTasks(store, IMPATIENT_QUEUES), SqliteEvents(store, served))
    dispatcher = Dispatcher(store, sources, base_url=url, secret=SECRET)
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        dispatcher.stop()


@contextmanager
def workers(folder: Path) -> Iterator[Workers]:
    """A server process while the block runs."""
    folder.mkdir()
    plan = folder / "plan.json"
    with ExitStack() as stack:
        listener = stack.enter_context(listen("127.0.0.1", 0))
        ready, told = os.pipe()
        parent, lifeline = os.pipe()
        serving = ServingPlan(
            source=str(KILLING_MAIN),
            functions=None,
            root="api",
            workers=1,
            threads=8,
            listen_fd=listener.fileno(),
            ready_fd=told,
            parent_fd=parent,
        )
        process = subprocess.Popen(
            [sys.executable, "-m", preloaded_server.__name__, serving.to_json()],
            cwd=ROOT,
            env=os.environ | _environment(plan),
            pass_fds=(listener.fileno(), told, parent),
            start_new_session=True,
        )
        stack.callback(process.wait, 20)
        stack.callback(process.terminate)
        for end in (told, parent, lifeline):
            stack.callback(os.close, end)
        assert os.read(ready, 1) == b"1"
        os.close(ready)
        yield Workers(f"http://127.0.0.1:{listener.getsockname()[1]}", plan)


def _environment(plan: Path) -> Mapping[str, str]:
    return {
        killing.VARIABLE: str(plan),
        SECRET_VARIABLE: SECRET,
        "PYTHONPATH": str(ROOT),
    }
