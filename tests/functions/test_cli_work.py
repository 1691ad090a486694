"""Commands that have work done, with a server and without one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.services import build
from shared import jobs
from shared.ports import Query, Write
from shared.settings import Settings
from tests.support.command_line import (
    ENGINE_NAME,
    WHEELS_NAME,
    answer,
    command,
    filled_once,
    refusal,
    server,
    write_archive,
)
from tests.support.copies import copy_data
from tests.support.lines import CLEO, day, push, write_gz


@pytest.fixture
def data(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path / "data"
    copy_data(filled_once(tmp_path_factory), copy)
    return copy


def generation(data: Path, *name: str) -> str:
    return str(answer(data, "board", *name)["meta"]["generation"])


def more_of_engine(folder: Path) -> str:
    path = folder / "more.json.gz"
    write_gz(path, [push(70, day(20), CLEO, push_id=70, distinct_size=9)])
    return str(path)


def test_the_same_file_again_changes_nothing_and_says_so(data: Path, tmp_path: Path) -> None:
    archive = str(write_archive(tmp_path))
    assert "1 file with 9 events is there already" in command(data, "ingest", archive).stdout
    assert answer(data, "ingest", archive)["meta"] == {"fresh": [], "missing": []}


def test_a_registration_that_is_repeated_says_so(data: Path) -> None:
    assert f"{ENGINE_NAME} was registered before." in command(data, "register", ENGINE_NAME).stdout
    assert answer(data, "register", ENGINE_NAME)["data"][0]["name"] == ENGINE_NAME


def test_work_that_was_only_asked_for_waits_for_a_server(tmp_path: Path) -> None:
    command(tmp_path, "ingest", str(write_archive(tmp_path)))
    assert f"{WHEELS_NAME} registered." in command(tmp_path, "register", WHEELS_NAME).stdout
    assert [job["state"] for job in answer(tmp_path, "jobs")["data"]] == ["QUEUED"]
    assert command(tmp_path, "register", WHEELS_NAME, "--wait").exit_code == 0
    assert answer(tmp_path, "board", WHEELS_NAME)["meta"]["total"] == 2


@pytest.mark.parametrize("arguments", [("scrape", ENGINE_NAME, "--full"), ("refresh", "--all")])
def test_new_events_reach_both_boards_without_a_server(
    data: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    before = generation(data), generation(data, ENGINE_NAME)
    assert "refresh --all" in command(data, "ingest", more_of_engine(tmp_path)).stdout
    result = command(data, *arguments)
    assert result.exit_code == 0, result.output
    assert f"{ENGINE_NAME}: completed" in result.stdout
    assert generation(data) != before[0]
    assert generation(data, ENGINE_NAME) != before[1]
    assert not (data / "server.json").exists()


def test_nothing_stale_is_said(data: Path) -> None:
    assert "No repository is stale" in command(data, "refresh").stdout
    assert answer(data, "refresh")["data"] == []


@pytest.mark.parametrize("what", [(ENGINE_NAME,), ("--global",), ("--all",)])
def test_recalculating_unchanged_facts_gives_the_same_board(
    data: Path, what: tuple[str, ...]
) -> None:
    before = generation(data), generation(data, ENGINE_NAME)
    done = answer(data, "recalculate", *what)["data"]
    assert {job["state"] for job in done} == {"COMPLETED"}
    assert before == (generation(data), generation(data, ENGINE_NAME))


def test_a_running_server_does_the_work(data: Path, tmp_path: Path) -> None:
    command(data, "ingest", more_of_engine(tmp_path))
    with server(data, "serve", "--json") as (serving, url):
        assert json.loads((data / "server.json").read_text())["url"] == url
        result = command(data, "scrape", ENGINE_NAME)
        assert result.exit_code == 0, result.output
        assert "completed" in result.stdout
        assert f"already works on {data}" in refusal(command(data, "serve"))
        assert url in refusal(command(data, "run", "--no-serve"))
        assert serving.stdout is not None
        told = "".join(iter(serving.stdout.readline, "}\n")) + "}"
        assert json.loads(told)["data"]["url"] == url
    assert serving.returncode == 0
    assert not (data / "server.json").exists()


def test_work_whose_worker_was_killed_is_taken_up_at_once(data: Path, tmp_path: Path) -> None:
    command(data, "ingest", more_of_engine(tmp_path))
    services = build(Settings(data_dir=data))
    command(data, "register", "--wait", ENGINE_NAME)
    job_id = answer(data, "jobs", "--repository", ENGINE_NAME)["data"][0]["id"]
    lost = jobs.get(services, job_id).model_copy(
        update={"state": jobs.State.RUNNING, "holder": "a worker that was killed", "error": None}
    )
    services.documents.write([jobs.stored(lost)])
    assert command(data, "recalculate", "--global").exit_code == 0
    assert answer(data, "jobs", job_id)["data"]["state"] == "COMPLETED"


# --- hours to fetch ---------------------------------------------------------------------------


@contextmanager
def archive_server(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The files of a folder by HTTP, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object, **named: object) -> None:
            super().__init__(*arguments, directory=str(folder), **named)  # type: ignore[arg-type]

        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}", asked
        serving.shutdown()


def test_hours_are_fetched_once_and_a_missing_one_is_said(tmp_path: Path) -> None:
    shelf, data = tmp_path / "shelf", tmp_path / "data"
    shelf.mkdir()
    write_gz(
        shelf / "2025-03-20-9.json.gz",
        [push(1, day(20, "09:30:00"), CLEO, push_id=1, distinct_size=1)],
    )
    with archive_server(shelf) as (url, asked):
        for _ in range(2):
            result = command(data, "ingest", "2025-03-20-9..2025-03-20-10", ARCHIVE_URL=url)
            assert result.exit_code == 0, result.output
            assert "does not have 1 hour: 2025-03-20-10.json.gz" in result.stdout
    assert asked.count("/2025-03-20-9.json.gz") == 1


def test_the_pipeline_is_seen_through_and_says_what_it_came_to(data: Path) -> None:
    services = build(Settings(data_dir=data))
    for document in services.documents.query(Query("repositories")).documents:
        stale = {**document.fields, "last_scraped_at": "2020-01-01T00:00:00.000000Z"}
        services.documents.write([Write(document.path, stale)])
    said = command(data, "pipeline").stdout
    assert "2 of 2 repositories scraped" in said
    run = answer(data, "pipeline")["data"]
    assert (run["state"], run["repositories"]) == ("COMPLETED", [])
    assert run["summary"]["recalculated"] is False


def test_a_run_that_is_only_asked_for_waits_for_a_server(data: Path) -> None:
    first = answer(data, "pipeline", "--no-wait")["data"]
    assert first["state"] == "CHECKING"
    assert answer(data, "pipeline")["data"]["id"] == first["id"]


def test_retention_says_what_was_removed(data: Path) -> None:
    removed = answer(data, "retention")["data"]
    assert removed["jobs"] == 0
    assert "dead letters: 0 removed" in command(data, "retention").stdout
