"""The live log's streams: what they begin with, how they go on, and whom they turn away."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import functions_framework
import pytest
from flask import Flask
from simple_websocket import Server

import functions.live as function
from functions import live_routes
from functions.live_messages import Pace, Wanted, follow
from infra import services as composition
from shared import job_steps, jobs, live_log
from shared.context import SYSTEM, Services
from shared.errors import Rejected, RetryLater
from shared.jobs import Job, JobType, Stage
from shared.live_feed import Feed
from shared.live_log import Level
from shared.models import iso, parse_time
from tests.support.event_stream import ServerSent, events
from tests.support.eventually import eventually
from tests.support.manual_clock import ManualClock
from tests.support.scenario import open_services

MAIN = Path(__file__).parents[2] / "main.py"
BRISK = Pace(heartbeat=0.05, lasts=0.2)
HOSTILE = "</script>\n\nevent: end\ndata: {}\n\n\u202e" + "x" * 400


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def services(tmp_path: Path, clock: ManualClock) -> Services:
    return open_services(tmp_path, clock, retry_seconds=(60,))


def app_over(services: Services, pace: Pace = BRISK) -> Flask:
    app = Flask("live")
    live_routes.attach(app, lambda: services, pace=pace)
    app.register_error_handler(Exception, function._failed)
    return app


def job_of(services: Services, repository: str = "octo/engine") -> Job:
    made = jobs.new(
        services,
        SYSTEM,
        JobType.FULL_SCRAPE,
        Stage.SCRAPE,
        "high",
        repository=(repository, repository.replace("/", "~")),
    )
    services.documents.write([jobs.stored(made)])
    return made


def say(services: Services, job: Job, message: str, level: Level = Level.INFO) -> None:
    services.documents.write([live_log.line(services, job, level, message)])


def streamed(app: Flask, query: str = "", **headers: str) -> list[ServerSent]:
    """All events of a stream until it ends."""
    answer = app.test_client().get(f"{live_routes.STREAM}?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    return list(events(answer.text.split("\n")))


def said(found: list[ServerSent]) -> list[str]:
    return [each.data["data"]["message"] for each in found if each.event == "log"]


def test_a_stream_begins_with_the_latest_lines_and_how_jobs_stand(
    services: Services, clock: ManualClock
) -> None:
    job = job_of(services)
    for number in range(120):
        clock.advance(timedelta(seconds=1))
        say(services, job, f"line {number}")
    found = streamed(app_over(services))
    assert said(found) == [f"line {number}" for number in range(20, 120)]
    (status,) = [each.data for each in found if each.event == "job_status"]
    assert status["job_id"] == job.id
    assert (status["status"], status["label"], status["tone"]) == ("QUEUED", "Queued", "wait")
    assert status["progress"] == {"done": 0, "total": 1, "message": "waiting"}


def test_a_stream_has_heartbeats_and_ends_by_itself(services: Services) -> None:
    found = streamed(app_over(services))
    assert [each.event for each in found].count("ping") >= 2
    assert found[-1].event == "end"
    assert found[-1].data == {"event": "end", "reason": "time"}


def test_whoever_names_the_last_line_gets_what_was_said_since(
    services: Services, clock: ManualClock
) -> None:
    job = job_of(services)
    app = app_over(services)
    say(services, job, "long ago")
    clock.advance(timedelta(minutes=1))
    say(services, job, "last seen")
    last = streamed(app)[1].id
    assert last == iso(clock())
    clock.advance(timedelta(minutes=1))
    say(services, job, "new")
    for found in (streamed(app, **{"Last-Event-ID": last}), streamed(app, f"after={last}")):
        # What was said just then comes again: something beside it may have come late.
        assert said(found) == ["last seen", "new"]


def test_lines_are_chosen_by_level_and_job(services: Services) -> None:
    mine, other = job_of(services), job_of(services, "octo/wheels")
    for job in (mine, other):
        for level in Level:
            say(services, job, f"{level} of {job.repository}", level)
    app = app_over(services)
    assert len(said(streamed(app))) == 6
    assert sorted(said(streamed(app, "level=error"))) == [
        "error of octo/engine",
        "error of octo/wheels",
    ]
    found = streamed(app, f"level=warning&job={mine.id}")
    assert sorted(said(found)) == ["error of octo/engine", "warning of octo/engine"]
    assert {each.data["job_id"] for each in found if each.event == "job_status"} == {mine.id}


@pytest.mark.parametrize("query", ["level=loud", "job=../x", "after=yesterday"])
def test_a_wrong_choice_is_refused(services: Services, query: str) -> None:
    answer = app_over(services).test_client().get(f"{live_routes.STREAM}?{query}")
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["error"] == "invalid_request"


def test_no_line_can_end_a_line_of_the_stream(services: Services) -> None:
    job = job_of(services, "octo/engine")
    say(services, job, HOSTILE)
    found = streamed(app_over(services))
    (message,) = said(found)
    assert message == HOSTILE[:299] + "…"
    assert [each.event for each in found][:2] == ["log", "job_status"]


def test_what_changes_while_somebody_reads_is_told_once(services: Services) -> None:
    job = job_of(services)
    feed = Feed(services.documents, 2)
    reader = feed.join()
    say(services, job, "between joining and reading")
    stream = follow(services, reader, Wanted(), Pace(), look_up=0.02)
    found: list[Any] = []

    def text(message: Any) -> str:
        told: str = message["data"]["message"] if "data" in message else message["status"]
        return told

    def read() -> None:
        for message in stream:
            if message is not None:
                found.append(message)
            if {"over", "COMPLETED"} <= {text(m) for m in found}:
                return

    reading = threading.Thread(target=read)
    reading.start()
    job_steps.run(services, job.id, 0, "once", lambda _: (None, {}))
    say(services, job, "over")
    reading.join(timeout=10)
    reader.close()
    assert not reading.is_alive()
    lines = [text(message) for message in found if message["event"] == "log"]
    assert lines == ["between joining and reading", "started", "completed", "over"]
    assert [m["status"] for m in found if m["event"] == "job_status"][-1] == "COMPLETED"


def test_a_failed_step_says_so_with_its_level(services: Services, clock: ManualClock) -> None:
    job = job_of(services)

    def fails(_: Job) -> Any:
        raise RetryLater("the warehouse is asleep")

    job_steps.run(services, job.id, 0, "first", fails)
    clock.advance(timedelta(minutes=5))
    job_steps.run(services, job.id, 1, "second", fails)
    lines = live_log.latest(services.documents, 10)
    assert [(line.level, line.message) for line in lines] == [
        (Level.INFO, "started"),
        (Level.WARNING, "will be tried again: the warehouse is asleep"),
        (Level.ERROR, "failed: the warehouse is asleep"),
    ]
    assert {line.repository for line in lines} == {"octo/engine"}


def test_the_number_of_readers_is_bounded_and_places_come_free(services: Services) -> None:
    feed = Feed(services.documents, 2)
    first, second = feed.join(), feed.join()
    with pytest.raises(RetryLater, match="Too many"):
        feed.join()
    first.close()
    first.close()
    third = feed.join()
    second.close()
    third.close()
    assert feed.readers == 0
    assert not services.documents._watches  # type: ignore[attr-defined]


def test_a_stream_that_is_broken_off_frees_its_place(services: Services) -> None:
    app = app_over(services)
    answer = app.test_client().get(live_routes.STREAM, buffered=False)
    feed = app.extensions["live"].feed()
    assert feed.readers == 1
    answer.close()
    assert feed.readers == 0
    assert app.test_client().head(live_routes.STREAM).status_code == 200
    assert feed.readers == 0


def test_a_reader_who_falls_behind_is_told_to_begin_anew(services: Services) -> None:
    job = job_of(services)
    feed = Feed(services.documents, 1)
    reader = feed.join()
    writes = [live_log.line(services, job, Level.INFO, str(number)) for number in range(1100)]
    for start in range(0, len(writes), 400):
        services.documents.write(writes[start : start + 400])
    assert eventually(lambda: reader._waiting.qsize() > 1000)
    stream = follow(services, reader, Wanted(after=services.now()), Pace())
    *_, last = stream
    assert last == {"event": "end", "reason": "behind"}
    reader.close()


def test_old_lines_are_removed_by_the_sweep(services: Services, clock: ManualClock) -> None:
    job = job_of(services)
    say(services, job, "old")
    clock.advance(live_log.KEPT + timedelta(seconds=1))
    say(services, job, "young")
    assert live_log.expire(services) == 1
    assert live_log.expire(services) == 0
    assert [line.message for line in live_log.latest(services.documents, 10)] == ["young"]


def test_where_a_function_of_its_own_streams_the_pages_lead_there(services: Services) -> None:
    there = "https://example.org/stream_logs"
    elsewhere = replace(
        services, settings=services.settings.model_copy(update={"stream_url": there})
    )
    answer = app_over(elsewhere).test_client().get(f"{live_routes.STREAM}?level=error")
    assert answer.status_code == 307
    assert answer.headers["Location"] == f"{there}?level=error"


class Silent:
    """The other end of a socket, as a server sees it: one that answers pings, or does not."""

    def __init__(self, *, answers: bool) -> None:
        self.answers = answers
        self.answered = 0
        self.sent: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None

    def send(self, text: str) -> None:
        self.sent.append(json.loads(text))

    def receive(self, timeout: float) -> str | None:
        assert timeout == 0
        pings = sum(message["event"] == "ping" for message in self.sent)
        if self.answers and pings > self.answered:
            self.answered += 1
            return '{"event": "pong"}'
        return None

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


@pytest.mark.parametrize("answers", [False, True])
def test_a_socket_whose_reader_answers_no_ping_is_closed(
    services: Services, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    monkeypatch.setattr(live_routes, "_LOOK_UP", 0.01)
    reader = Feed(services.documents, 1).join()
    silent = Silent(answers=answers)
    pace = Pace(heartbeat=0.05, lasts=1.0, stale=0.4)
    live_routes._converse(cast("Server", silent), services, reader, Wanted(), pace)
    reader.close()
    assert silent.closed == (None if answers else (1008, "no answer to pings"))
    assert (silent.sent[-1]["event"] == "end") is answers


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The function as the platform makes it."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("STREAM_URL", "https://example.org/stream_logs")
    caches = (composition.services, function._app)
    for cached in caches:
        cached.cache_clear()
    create: Callable[..., Flask] = functions_framework.create_app
    yield create("stream_logs", str(MAIN), "http")
    for cached in caches:
        cached.cache_clear()


@pytest.mark.parametrize("address", ["/", live_routes.STREAM, "/stream_logs"])
def test_the_function_streams_at_any_address(deployed: Flask, address: str) -> None:
    answer = deployed.test_client().get(address, buffered=False)
    assert answer.status_code == 200
    assert answer.mimetype == "text/event-stream"
    assert next(iter(answer.response)) in (b"retry: 3000\n\n", "retry: 3000\n\n")
    answer.close()
    wrong = deployed.test_client().get(f"{address}?level=loud")
    assert wrong.status_code == 400


def test_times_of_lines_are_read_back_as_ids() -> None:
    with pytest.raises(Rejected):
        Wanted.read({}, "no time")
    at = "2025-03-20T00:00:00.000001Z"
    assert Wanted.read({"after": "2025-03-19T00:00:00Z"}, at).after == parse_time(at)
