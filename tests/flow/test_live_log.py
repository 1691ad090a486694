"""The live log on the real server: during a scrape, over a restart, by events and by WebSocket."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from simple_websocket import Client, ConnectionClosed

from functions.live_routes import SOCKET, STREAM
from tests.support.event_stream import ServerSent, events
from tests.support.eventually import eventually
from tests.support.lines import ENGINE, WHEELS
from tests.support.live_server import LiveServer, live_server
from tests.support.scenario import LINES, ingest

STEPS = ["started", "crediting contributions", "publishing boards", "completed"]


@pytest.fixture
def server(folder: Path) -> Iterator[LiveServer]:
    with live_server(folder / "data", (), live_streams=4) as running:
        ingest(running.services, folder / "files", {"events.json.gz": LINES})
        yield running


class Listener:
    """Reads a stream in the background until it breaks off."""

    def __init__(self, url: str, **parameters: str) -> None:
        self.heard: list[ServerSent] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(url, parameters), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def _read(self, url: str, parameters: dict[str, str]) -> None:
        with httpx.stream("GET", url, params=parameters, timeout=60, trust_env=False) as answer:
            assert answer.status_code == 200
            self._ready.set()
            try:
                for event in events(answer.iter_lines()):
                    self.heard.append(event)
            except httpx.HTTPError:
                return

    @property
    def over(self) -> bool:
        return not self._thread.is_alive()

    def lines(self, job: str) -> list[str]:
        found = [event.data["data"] for event in self.heard if event.event == "log"]
        return [line["message"] for line in found if line["job"] == job]

    def states(self, job: str) -> list[str]:
        found = [event.data for event in self.heard if event.event == "job_status"]
        return [each["status"] for each in found if each["job_id"] == job]


def test_a_scrape_is_followed_line_by_line(server: LiveServer) -> None:
    listener = Listener(server.running.url + STREAM)
    job = server.register(ENGINE.name).json()["data"]["job"]["id"]
    assert eventually(lambda: "completed" in listener.lines(job), within=30)
    assert listener.lines(job) == STEPS
    assert eventually(lambda: listener.states(job)[-1:] == ["COMPLETED"])
    assert "RUNNING" in listener.states(job)


def test_after_a_restart_the_stream_is_taken_up_without_a_gap(server: LiveServer) -> None:
    listener = Listener(server.running.url + STREAM)
    first = server.register(ENGINE.name).json()["data"]["job"]["id"]
    assert eventually(lambda: "completed" in listener.lines(first), within=30)
    last = [event.id for event in listener.heard if event.event == "log"][-1]
    before = server.running.server_pid
    os.kill(before, signal.SIGKILL)
    assert eventually(lambda: listener.over, within=20)
    assert eventually(lambda: server.running.server_pid != before and _answers(server), within=30)
    second = server.register(WHEELS.name).json()["data"]["job"]["id"]
    server.ended(second)
    again = Listener(server.running.url + STREAM, after=last)
    assert eventually(lambda: "completed" in again.lines(second), within=30)
    assert again.lines(second) == STEPS


def _answers(server: LiveServer) -> bool:
    try:
        return server.client.get("/health/live").status_code == 200
    except httpx.HTTPError:
        return False


def test_a_socket_brings_the_same_messages(server: LiveServer) -> None:
    address = server.running.url.replace("http", "ws", 1) + SOCKET
    connection = Client.connect(address)
    job = server.register(ENGINE.name).json()["data"]["job"]["id"]
    heard: list[dict[str, Any]] = []

    def done() -> bool:
        while (text := connection.receive(timeout=0.2)) is not None:
            heard.append(json.loads(text))
        return any(m["event"] == "log" and m["data"]["message"] == "completed" for m in heard)

    assert eventually(done, within=30)
    connection.close()
    lines = [m["data"] for m in heard if m["event"] == "log"]
    assert [line["message"] for line in lines if line["job"] == job] == STEPS
    assert "RUNNING" in [m.get("status") for m in heard if m.get("job_id") == job]


def test_one_reader_too_many_is_told_so_and_the_api_still_answers(server: LiveServer) -> None:
    listeners = [Listener(server.running.url + STREAM) for _ in range(4)]
    refused = server.client.get(STREAM, headers={"Accept": "text/event-stream"})
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) >= 1
    connection = Client.connect(server.running.url.replace("http", "ws", 1) + SOCKET)
    with pytest.raises(ConnectionClosed, match="Too many"):
        connection.receive(timeout=10)
    assert server.client.get("/health/live").status_code == 200
    assert len(listeners) == 4
