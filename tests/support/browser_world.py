"""A leaderboard with everything on it, served for a browser to look at."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from functions.api.app import create_app
from shared import auth
from shared.context import Services
from tests.support.dashboard_world import filled, scrape
from tests.support.lines import WHEELS, Line, User, day, pr_opened
from tests.support.operations_world import with_money, with_work

GUESTS: tuple[Line, ...] = tuple(
    pr_opened(1000 + number, day(6), User(1000 + number, f"guest-{number:03}"), 1000 + number)
    for number in range(120)
)
"""As many people as it takes for a board of several pages."""


@dataclass(frozen=True)
class Site:
    """Where a leaderboard is served, what is behind it and an admin's key to it."""

    url: str
    services: Services
    key: str


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Requests are no news."""


@contextmanager
def served(services: Services) -> Iterator[Site]:
    """Serve pages on loopback, in a thread, while the block runs. There must be no key yet."""
    key = auth.create_first_key(services)
    assert key is not None
    server = make_server(
        "127.0.0.1", 0, create_app(lambda: services), threaded=True, request_handler=_Quiet
    )
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Site(f"http://127.0.0.1:{server.server_port}", services, key)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def busy(folder: Path) -> Services:
    """Two boards with hostile names among many, money that was spent, jobs in every state."""
    services = filled(folder, GUESTS)
    scrape(services, WHEELS)
    return with_work(with_money(services))
