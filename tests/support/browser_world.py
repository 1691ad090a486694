"""A leaderboard with everything on it, served for a browser to look at."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from shared import auth, enrichment, enrichment_steps
from shared.context import SYSTEM, Services
from tests.support.apps import app_over
from tests.support.dashboard_world import filled, scrape
from tests.support.fake_profiles import Profiles, profile
from tests.support.lines import ANA, WHEELS, Line, User, day, pr_opened
from tests.support.operations_world import with_money, with_work

GUESTS: tuple[Line, ...] = tuple(
    pr_opened(1000 + number, day(6), User(1000 + number, f"guest-{number:03}"), 1000 + number)
    for number in range(120)
)
"""As many people as it takes for a board of several pages."""

HOSTILE_PROFILE = {
    "name": "\u202eanA\u2066 <b>Núñez</b> \u05d0\u05d1",
    "company": "\"'><img src=x onerror=alert(1)>",
    "location": "🦀" * 20,
    "bio": "<script>alert(1)</script> " + "long" * 20,
}
"""What somebody says of themselves, and nobody would want to show."""


@dataclass(frozen=True)
class Site:
    """Where a leaderboard is served, what is behind it and an admin's key to it."""

    url: str
    services: Services
    key: str


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's
        """Requests are no news."""


@contextmanager
def served(services: Services, *, key: str | None = None) -> Iterator[Site]:
    """Serve pages on loopback, in a thread, while the block runs.

    ``key`` is an admin's; where there is none yet, one is made.
    """
    key = key or auth.create_first_key(services)
    assert key is not None
    with listening(app_over(lambda: services)) as url:
        yield Site(url, services, key)


@contextmanager
def listening(app: Flask) -> Iterator[str]:
    """Serve an app on loopback, in a thread, while the block runs. Gives its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def busy(folder: Path) -> Services:
    """Two boards with hostile names among many, money that was spent, jobs in every state."""
    services = filled(folder, GUESTS)
    scrape(services, WHEELS)
    _tell_of_ana(services)
    return with_work(with_money(services))


def _tell_of_ana(services: Services) -> None:
    github = Profiles()
    github.known[ANA.login] = profile(ANA.id, ANA.login, **HOSTILE_PROFILE)
    there = replace(services, github=github.port)
    asked = enrichment.request(there, ANA.id, ANA.login, SYSTEM).enrichment
    enrichment_steps.enrich(there, asked.id, asked.dispatches, "once")
