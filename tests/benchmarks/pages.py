"""What a board's page takes of the server: rendered anew, from memory, and for who has it."""

from __future__ import annotations

import gzip
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from flask.testing import FlaskClient

from tests.benchmarks.report import Aim, Section
from tests.support.dashboard_world import client_over, scrape
from tests.support.lines import User, day, push
from tests.support.scenario import LINES, ingest, open_services

PEOPLE = 400
ROUNDS = 50
AIM_MS = 20.0
ADDRESSES = ("/leaderboard", "/leaderboard?page_size=100", "/repositories/octo/engine")


def measure(_cache: Path, scale: float, say: Callable[[str], None]) -> Section:
    """The median of some rounds, with a client in the same process."""
    section = Section(
        "Server time of a board's page",
        ("page", "rows", "anew ms", "kept ms", "304 ms", "KB", "packed KB"),
    )
    with tempfile.TemporaryDirectory() as folder:
        say("publishing a board")
        client = _client(Path(folder), int(PEOPLE * scale) or 1)
        slowest = 0.0
        for address in ADDRESSES:
            say(address)
            first = client.get(address)
            packed = client.get(address, headers={"Accept-Encoding": "gzip"})
            tag = {"If-None-Match": first.headers["ETag"]}
            kept = _median(lambda at=address: client.get(at))  # type: ignore[misc]
            same = _median(lambda at=address, tag=tag: client.get(at, headers=tag))  # type: ignore[misc]
            anew = _median(lambda at=address: _anew(client, at))  # type: ignore[misc]
            rows = first.text.count('<td class="c-rank">')
            weights = (len(first.data) / 1000, len(packed.data) / 1000)
            if gzip.decompress(packed.data) != first.data:
                raise AssertionError(f"{address} is another page when it is packed")
            section.rows.append((address, rows, anew, kept, same, *weights))
            slowest = max(slowest, kept)
    section.aims.append(
        Aim(f"a cached page in less than {AIM_MS:.0f} ms", f"{slowest:.1f} ms", slowest < AIM_MS)
    )
    return section


def _client(folder: Path, people: int) -> FlaskClient:
    services = open_services(folder / "data", retry_seconds=())
    crowd = [
        push(1000 + n, day(4), User(5000 + n, f"person-{n}"), push_id=1000 + n, distinct_size=1)
        for n in range(people)
    ]
    ingest(services, folder / "files", {"one.json.gz": [*LINES, *crowd]})
    scrape(services)
    return client_over(services)


def _anew(client: FlaskClient, address: str) -> None:
    client.application.extensions.pop("kept_pages", None)
    client.get(address)


def _median(work: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        times.append((time.perf_counter() - begun) * 1000)
    return sorted(times)[ROUNDS // 2]
