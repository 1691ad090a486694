"""A night on the real server, from the set time to the summary, also with its worker killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from infra.local.schedules import SCHEDULES
from shared import repositories, webhooks
from shared.models import RepositoryName, iso
from shared.repositories import Repository
from tests.support.eventually import eventually
from tests.support.fast_folder import fast_folder
from tests.support.lines import ENGINE, WHEELS, Repo, User, day, push
from tests.support.live_server import LiveServer, live_server
from tests.support.receiver import Receiver, receiver
from tests.support.scenario import LINES, ingest, left_behind, unfinished

SECRET = "sixteen letters.."
DORA = User(14, "dora")
OTHERS = (Repo(103, "octo/brakes"), Repo(104, "octo/horn"))
GHOST = "octo/ghost"
NAMES = (ENGINE.name, WHEELS.name, *(repo.name for repo in OTHERS), GHOST)
MORE = [
    push(31 + n, day(3), DORA, push_id=31 + n, distinct_size=5, repo=repo)
    for n, repo in enumerate(OTHERS)
]
NIGHTLY = tuple(s for s in SCHEDULES if s.name in {"run-pipeline", "sweep-jobs"})


@pytest.fixture
def listening() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def server(listening: Receiver) -> Iterator[LiveServer]:
    notices = {
        "notify_webhook_url": f"{listening.url}/in",
        "notify_webhook_secret": SECRET,
        "webhook_secret": SECRET,
    }
    with fast_folder() as folder, live_server(folder / "data", NIGHTLY, **notices) as running:
        ingest(running.services, folder / "files", {"events.json.gz": [*LINES, *MORE]})
        for name in NAMES:
            fresh = Repository(
                key=RepositoryName.parse(name).key,
                name=name,
                number=1,
                registered_at=iso(running.services.now()),
                registered_by="test",
            )
            running.services.documents.write([repositories.stored(fresh)])
        yield running


def the_run(server: LiveServer, *states: str) -> Any:
    """The only run, once it is in one of the states."""

    def look() -> Any:
        with contextlib.suppress(httpx.TransportError):  # while the server is replaced
            runs = server.data("/pipeline/runs")
            return runs[0] if len(runs) == 1 and runs[0]["state"] in states else None
        return None

    return eventually(look, within=90)


@pytest.mark.parametrize("killed", [False, True])
def test_a_set_time_leads_to_boards_and_a_summary(
    server: LiveServer, listening: Receiver, killed: bool
) -> None:
    server.clock.ahead += timedelta(hours=24)
    if killed:
        the_run(server, "SCRAPING")
        os.kill(server.running.server_pid, signal.SIGKILL)
    ended = the_run(server, "COMPLETED", "FAILED")
    assert (ended["state"], ended["error"], ended["key"]) == ("COMPLETED", None, "nightly")
    summary = ended["summary"]
    assert (summary["repositories"], summary["scraped"], summary["failed"]) == (5, 4, 1)
    assert summary["recalculated"]
    shares = {share["name"]: share for share in ended["repositories"]}
    assert shares.keys() == set(NAMES)
    assert "No event of octo/ghost" in shares[GHOST]["error"]
    assert summary["rows"] == sum(share["rows"] or 0 for share in shares.values()) > len(LINES)
    board = server.data("/leaderboard/global", **{"class": "all"})
    assert summary["contributors"] == len(board)
    assert "dora" in {row["username"] for row in board}
    jobs = server.data("/jobs", type="full_scrape")
    assert sorted(job["repository"] for job in jobs) == sorted(NAMES)

    server.clock.ahead += timedelta(minutes=1)  # the sweep sends what there is to tell
    assert eventually(lambda: listening.calls("in"))
    (call,) = listening.calls("in")
    timestamp = call.headers[webhooks.TIMESTAMP_HEADER.lower()]
    expected = webhooks.signature(SECRET, timestamp, call.body)
    assert call.headers[webhooks.SIGNATURE_HEADER.lower()] == expected
    assert json.loads(call.body)["details"]["failures"].keys() == {GHOST}
    server.settle()
    assert unfinished(server.services) == []
    left = left_behind(server.services)
    assert not left, left


def test_a_signed_call_starts_a_run_over_http(server: LiveServer) -> None:
    timestamp = str(int(server.services.now().timestamp()))
    headers = {
        webhooks.TIMESTAMP_HEADER: timestamp,
        webhooks.SIGNATURE_HEADER: webhooks.signature(SECRET, timestamp, b"{}"),
        "X-API-Key": "",
    }
    for expected in (202, 409):
        answer = server.client.post("/api/v1/hooks/pipeline", content=b"{}", headers=headers)
        assert answer.status_code == expected
    assert the_run(server, "COMPLETED")["key"] == "webhook"
