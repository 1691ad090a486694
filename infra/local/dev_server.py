"""The whole system on one machine: functions on one port, tasks, events and schedules delivered."""

from __future__ import annotations

import errno
import secrets
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue

from infra.clock import Clock, utc_now
from infra.local.deliveries import DeliveryStore
from infra.local.dispatch import Dispatcher
from infra.local.events import SUBSCRIPTIONS, SqliteEvents, Subscription
from infra.local.schedules import SCHEDULES, Schedule, Schedules
from infra.local.serving import SECRET_VARIABLE, Functions, ServingPlan
from infra.local.supervisor import ServerProcess
from infra.local.tasks import QUEUES, SqliteTasks, TaskQueue
from shared.errors import Rejected

_START_WITHIN = timedelta(seconds=60)
_BACKLOG = 512


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """What is served, where, and with which tables.

    ``source`` is the module with the functions, ``state`` the SQLite file of the queues.
    ``functions`` None serves all that the module exports; ``root`` is the one served at ``/``,
    ``front`` what comes before them all (see ``serving.build_app``).
    ``workers`` processes answer, each in ``threads`` at most. They share the data directory alone.
    ``environment`` is added to the functions' own. Port 0 takes any free one. One-off work passes
    no ``schedules``.
    """

    source: Path
    state: Path
    functions: Functions | None = None
    root: str = "api"
    front: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    threads: int = 32
    queues: Sequence[TaskQueue] = QUEUES
    subscriptions: Sequence[Subscription] = SUBSCRIPTIONS
    schedules: Sequence[Schedule] = SCHEDULES
    environment: Mapping[str, str] = field(default_factory=dict)
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    clock: Clock = utc_now


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that answers. ``url`` has no slash at its end."""

    url: str
    tasks: SqliteTasks
    events: SqliteEvents
    _process: ServerProcess
    _dispatcher: Dispatcher

    @property
    def server_pid(self) -> int:
        """The id of the process that answers requests."""
        return self._process.pid

    def drain(self, within: timedelta, *, horizon: timedelta = timedelta(0)) -> bool:
        """Wait until no work is under way or due by ``horizon`` from now. False if time ran out."""
        return self._dispatcher.drain(within, horizon=horizon)


@contextmanager
def running_server(plan: ServerPlan) -> Iterator[RunningServer]:
    """Serve while the block runs. Raises Rejected for a taken port or functions that fail to load.

    At the end calls under way get a few seconds; what is not done then is done at the next start.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(listen(plan.host, plan.port))
        port = int(listener.getsockname()[1])
        url = f"http://{_reachable(plan.host)}:{port}"
        store = DeliveryStore(plan.state, plan.clock)
        tasks = SqliteTasks(store, plan.queues)
        events = SqliteEvents(store, plan.subscriptions)
        schedules = Schedules(store, plan.schedules)

        process = ServerProcess(listener, _serving_plan(plan), _environment(plan, port))
        stack.callback(process.stop)
        process.start(_START_WITHIN)
        dispatcher = Dispatcher(store, (tasks, events, schedules), base_url=url, secret=plan.secret)
        stack.callback(dispatcher.stop)
        dispatcher.start()
        stack.callback(schedules.stop)
        schedules.start()
        yield RunningServer(url, tasks, events, process, dispatcher)


def serve(plan: ServerPlan, *, on_ready: Callable[[RunningServer], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM. Only for the main thread. Raises as ``running_server``."""
    # Unlike an Event, this queue may be filled by a handler that interrupts the one who waits.
    signals: SimpleQueue[int] = SimpleQueue()
    before = {
        number: signal.signal(number, lambda caught, _frame: signals.put(caught))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with running_server(plan) as server:
            if on_ready is not None:
                on_ready(server)
            signals.get()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises Rejected naming the setting to change if there is none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Rejected(
                f"Port {port} on {host} is taken by another program. "
                "Set PORT to another number, or PORT=0 for any free one.",
                details={"variable": "PORT", "port": port},
            ) from error
        variable = "PORT" if error.errno == errno.EACCES else "HOST"
        raise Rejected(
            f"Cannot listen on port {port} of {host}: {error.strerror}. Change {variable}.",
            details={"variable": variable, "host": host, "port": port},
        ) from error


def _reachable(host: str) -> str:
    """The address by which this machine reaches itself when it listens on ``host``."""
    loopback = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104
    address = loopback.get(host, host)
    return f"[{address}]" if ":" in address else address


def _serving_plan(plan: ServerPlan) -> ServingPlan:
    functions = None if plan.functions is None else dict(plan.functions)
    return ServingPlan(
        source=str(plan.source.resolve()),
        functions=functions,
        root=plan.root,
        workers=plan.workers,
        threads=plan.threads,
        front=plan.front,
    )


def _environment(plan: ServerPlan, port: int) -> dict[str, str]:
    return {**plan.environment, SECRET_VARIABLE: plan.secret, "PORT": str(port)}
