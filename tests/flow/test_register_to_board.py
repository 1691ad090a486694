"""From a request over HTTP to published boards, through the real server and its queues."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared import audit, jobs, repositories
from shared.context import SYSTEM
from shared.jobs import RepositoryStatus
from shared.models import RepositoryName, iso
from shared.ports import Write
from tests.support.by_hand import HandQueue
from tests.support.eventually import eventually
from tests.support.fast_folder import fast_folder
from tests.support.lines import BEN, ENGINE, WHEELS, Repo, User, day, push
from tests.support.live_server import LiveServer, live_server
from tests.support.scenario import (
    LINES,
    everything,
    ingest,
    left_behind,
    name_of,
    receipts,
    unfinished,
)

BRAKES = Repo(103, "octo/brakes")
HORN = Repo(104, "octo/horn")
LAMP = Repo(105, "octo/lamp")
DORA = User(14, "dora")
MORE = (
    push(31, day(3), DORA, push_id=31, distinct_size=5, repo=BRAKES),
    push(32, day(4), BEN, push_id=32, distinct_size=1, repo=HORN),
    push(33, day(5), BEN, push_id=33, distinct_size=1, repo=LAMP),
)


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with fast_folder() as folder, live_server(folder / "data") as running:
        ingest(running.services, folder / "files", {"events.json.gz": [*LINES, *MORE]})
        yield running


def on_board(server: LiveServer, repository: Repo, **parameters: Any) -> list[tuple[str, float]]:
    rows = server.data(f"/leaderboard/{repository.name}", **parameters)
    return [(row["username"], row["score"]) for row in rows]


def registered(server: LiveServer, repository: Repo) -> Any:
    """The job of a first scrape, once it has ended and the global boards have followed."""
    answer = server.register(repository.name)
    job = server.ended(answer.json()["data"]["job"]["id"])
    server.settle()
    return job


def scraped(server: LiveServer, repository: Repo) -> None:
    """See to it that a repository has its board, whichever test was first."""
    if server.get(f"/leaderboard/{repository.name}").is_error:
        registered(server, repository)


def test_a_registered_repository_comes_onto_its_board_and_the_global_one(
    server: LiveServer,
) -> None:
    answer = server.register(ENGINE.name)
    assert answer.status_code == 201
    shown = answer.json()["data"]
    assert shown["repository"]["status"] == "PENDING"
    assert shown["job"]["state"] == "QUEUED"

    job = server.ended(shown["job"]["id"])
    assert (job["state"], job["failures"], job["error"]) == ("COMPLETED", 0, None)
    assert job["progress"]["done"] == job["progress"]["total"]
    assert job["created_at"] <= job["started_at"] <= job["finished_at"]
    repository = server.data(f"/repositories/{ENGINE.name}")["repository"]
    assert repository["status"] == "COMPLETED"
    assert repository["github_id"] == ENGINE.id
    assert repository["active_job"] is None
    assert repository["latest_data_at"] == "2025-03-12T13:00:00.000000Z"

    # ana: opened and merged a pull request of 40 and 5 lines, and a release.
    expected = [("ana", 70.43), ("ben", 55), ("cleo", 21)]
    assert on_board(server, ENGINE) == expected
    assert on_board(server, ENGINE, window="7d") == [("ben", 35), ("ana", 30), ("cleo", 3)]
    assert on_board(server, ENGINE, **{"class": "bot"}) == [("dependabot[bot]", 15)]
    eventually(lambda: {"ana", "ben", "cleo"} <= global_names(server))
    server.settle()
    assert unfinished(server.services) == []
    assert left_behind(server.services) == []


def test_the_registration_is_on_the_audit_trail_with_its_key(server: LiveServer) -> None:
    registered(server, LAMP)
    wanted = {"resource_id": LAMP.name, "action": "repository.registered"}
    (document,) = audit.trail(server.services, wanted).documents
    record = document.fields
    assert record["actor_type"] == "admin"
    assert str(record["actor_id"]).startswith("key:")
    assert record["ip_address"] == "127.0.0.1"
    assert record["request_id"]


def test_coverage_says_how_much_of_a_window_was_captured(server: LiveServer) -> None:
    scraped(server, LAMP)
    windows = {item["window"]: item["coverage"] for item in server.data(f"/coverage/{LAMP.name}")}
    week = windows["7d"]
    assert week["captured_until"] == "2025-03-12T13:00:00.000000Z"
    assert week["hours_expected"] == 7 * 24
    assert 0 < week["hours_captured"] < week["hours_expected"]
    assert not week["complete"]
    assert {hole["reason"] for hole in week["holes"]} == {"not captured"}


def test_requests_at_the_same_time_collapse_into_one_job(server: LiveServer) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: server.register(HORN.name), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    server.settle()
    (job,) = server.data("/jobs", repository=HORN.name)
    assert job["state"] == "COMPLETED"
    assert server.register(HORN.name.upper()).json()["data"]["job"] is None


def test_a_repository_without_events_fails_with_the_remedy_and_a_dead_letter(
    server: LiveServer,
) -> None:
    answer = server.register("octo/nowhere").json()["data"]
    job = server.ended(answer["job"]["id"])
    assert job["state"] == "FAILED"
    assert job["failures"] == 1
    assert job["error"]["code"] == "not_found"
    message = "No event of octo/nowhere was captured. Check the spelling, or ingest the hours"
    assert job["error"]["message"].startswith(message)
    repository = server.data("/repositories/octo/nowhere")["repository"]
    assert repository["status"] == "ERROR"
    assert repository["error_message"] == job["error"]["message"]
    letters = [document.fields for document in everything(server.services, "dead_letters")]
    assert [(letter["job_id"], letter["reason"]) for letter in letters] == [
        (job["id"], "not_found")
    ]
    assert server.get("/leaderboard/octo/nowhere").status_code == 404


def test_a_refresh_after_the_same_hours_came_again_leaves_the_receipts(
    server: LiveServer,
) -> None:
    registered(server, WHEELS)
    before = receipts(server.services, (WHEELS,))
    with fast_folder() as folder:
        ingest(
            server.services,
            folder,
            {"again.json.gz": [*MORE, *LINES], "reversed.json.gz": LINES[::-1]},
        )
    answer = server.client.post(f"/api/v1/repositories/{WHEELS.name}/refresh")
    assert answer.status_code == 202
    assert server.ended(answer.json()["data"]["id"])["state"] == "COMPLETED"
    server.settle()
    assert receipts(server.services, (WHEELS,)) == before


def test_a_removed_repository_goes_off_the_global_board(server: LiveServer) -> None:
    registered(server, BRAKES)
    assert on_board(server, BRAKES) == [("dora", 50)]
    eventually(lambda: "dora" in global_names(server))

    answer = server.client.delete(f"/api/v1/repositories/{BRAKES.name}")
    assert answer.status_code == 200
    eventually(lambda: "dora" not in global_names(server))
    assert server.get(f"/leaderboard/{BRAKES.name}").status_code == 404
    server.settle()
    assert receipts(server.services, (BRAKES,)).keys() == receipts(server.services, ()).keys()
    assert left_behind(server.services) == []

    assert registered(server, BRAKES)["state"] == "COMPLETED"
    eventually(lambda: "dora" in global_names(server))


def global_names(server: LiveServer) -> set[str]:
    """Who is on the global board, as readers see it within two seconds."""
    answer = server.get("/leaderboard/global")
    return {row["username"] for row in answer.json()["data"]} if answer.is_success else set()


def test_when_its_time_has_come_the_stale_is_refreshed_and_the_stuck_swept_up(
    server: LiveServer,
) -> None:
    stale = stale_repository(server, HORN)
    stuck = stuck_job(server, LAMP)
    server.clock.ahead += timedelta(hours=1, minutes=1)
    refreshed = eventually(
        lambda: (
            (now := repositories.get(server.services, name_of(HORN))).last_scraped_at
            != stale.last_scraped_at
            and now.status is RepositoryStatus.COMPLETED
            and now
        )
    )
    assert refreshed
    newest, *_ = server.data("/jobs", repository=HORN.name)
    assert newest["type"] == "incremental_scrape"
    assert server.ended(stuck.id)["state"] == "COMPLETED"
    server.settle()
    assert unfinished(server.services) == []


def stale_repository(server: LiveServer, repository: Repo) -> repositories.Repository:
    """A scraped repository, as it is more than a day later."""
    scraped(server, repository)
    fresh = repositories.get(server.services, name_of(repository))
    yesterday = iso(server.services.now() - timedelta(hours=25))
    stale = fresh.model_copy(update={"last_scraped_at": yesterday})
    server.services.documents.write([repositories.stored(stale)])
    return stale


def stuck_job(server: LiveServer, repository: Repo) -> jobs.Job:
    """A refresh whose task got lost a while ago."""
    scraped(server, repository)
    nowhere = HandQueue()
    lossy = replace(server.services, tasks=nowhere, events=nowhere)
    name = RepositoryName.parse(repository.name)
    job, _ = repositories.request_scrape(lossy, name, SYSTEM, full=True)
    late = job.model_copy(update={"due_at": iso(server.services.now() - timedelta(seconds=1))})
    server.services.documents.write([Write(f"jobs/{job.id}", late.model_dump(mode="json"))])
    return job


def test_the_time_is_told_once_in_an_answer(server: LiveServer) -> None:
    for _ in range(2):
        answer = server.client.get("/api/v1/leaderboard/global", headers={"X-API-Key": ""})
        assert answer.status_code == 200
        assert len(answer.headers.get_list("Date")) == 1
