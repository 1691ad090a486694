"""``run``: from nothing to a board that is served, as ``make run`` calls it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import httpx
import pytest

from tests.support.command_line import (
    ENGINE_NAME,
    ROOT,
    WHEELS_NAME,
    answer,
    command,
    is_live,
    process,
    refusal,
    server,
    write_archive,
)
from tests.support.github_bench import github
from tests.support.github_story import many
from tests.support.github_wire import TOKEN


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A data directory on which the sample was run, and what was shown."""
    data = tmp_path_factory.mktemp("sample") / "data"
    with process(data, "run", SERVE="0") as running:
        shown, problems = running.communicate(timeout=200)
    assert running.returncode == 0, problems
    assert problems == ""
    return data, shown


def test_the_first_start_shows_a_key_a_board_its_coverage_and_the_addresses(
    sample: tuple[Path, str],
) -> None:
    _, shown = sample
    lines = shown.splitlines()
    assert sum("lb_" in line for line in lines) == 1
    assert "X-API-Key" in shown
    assert any(line.split()[:4] == ["1", "new", "odabrightwell", "human"] for line in lines)
    assert any(line.split()[:1] == ["15"] for line in lines)
    assert "Ranked apart: " in shown
    assert "Coverage: " in shown
    assert "Dashboard  http://127.0.0.1:" in shown


def test_the_board_fits_80_columns(sample: tuple[Path, str]) -> None:
    _, shown = sample
    begin = shown.index("All 5 repositories")
    table = shown[begin : shown.index("... and", begin)]
    assert max(map(len, table.splitlines())) <= 80
    assert "…" not in table


def test_logs_go_to_a_file_as_json_and_not_to_the_screen(sample: tuple[Path, str]) -> None:
    data, shown = sample
    assert str(data / "log.jsonl") in shown
    events = [json.loads(line)["event"] for line in (data / "log.jsonl").read_text().splitlines()]
    assert "scrape_completed" in events


def test_the_boards_of_the_sample_verify(sample: tuple[Path, str]) -> None:
    data, _ = sample
    assert all(receipt["holds"] for receipt in answer(data, "verify")["data"])


def test_repositories_are_read_from_github_where_there_is_a_token(tmp_path: Path) -> None:
    with github(many(2), tokens=[TOKEN]) as bench:
        told = {"REPOS": "octo/small-0 octo/small-1", "GITHUB_TOKEN": TOKEN}
        told["GITHUB_API_URL"] = bench.url
        with process(tmp_path / "data", "run", SERVE="0", **told) as running:
            shown, problems = running.communicate(timeout=200)
    assert running.returncode == 0, problems
    assert "reading GitHub's API" in shown
    assert "sample" not in shown
    assert "All 2 repositories, all time" in shown
    assert "cleo" in shown


def test_a_second_start_reuses_what_is_there(sample: tuple[Path, str]) -> None:
    data, _ = sample
    before = answer(data, "jobs", "--limit", "1000")["data"]
    generation = answer(data, "board")["meta"]["generation"]
    result = command(data, "run", "--no-serve")
    assert result.exit_code == 0, result.output
    assert "are there already" in result.stdout
    assert "5 boards of 5 are up to date already" in result.stdout
    assert "lb_" not in result.stdout
    assert answer(data, "jobs", "--limit", "1000")["data"] == before
    assert answer(data, "board")["meta"]["generation"] == generation


def test_in_json_everything_shown_is_one_document(sample: tuple[Path, str]) -> None:
    data, _ = sample
    body = answer(data, "run", "--no-serve")
    assert body["data"]["rows"][0]["username"] == "odabrightwell"
    assert body["data"]["admin_key"] is None
    assert set(body["data"]["addresses"]) == {"dashboard", "api", "docs"}
    assert body["meta"]["coverage"]["percent"]


def test_it_keeps_serving_until_it_is_interrupted(sample: tuple[Path, str]) -> None:
    data, _ = sample
    with server(data, "run") as (running, url):
        assert running.stdout is not None
        shown = list(iter(running.stdout.readline, "Serving until Ctrl-C.\n"))
        addresses = [line.split()[-1] for line in shown if url in line]
        assert len(addresses) == 3
        for address in addresses:
            answer_there = httpx.get(address, trust_env=False, follow_redirects=True)
            assert answer_there.status_code == 200, address
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
        assert running.stderr is not None
        assert running.stderr.read() == ""
    assert not is_live(url)
    assert not (data / "server.json").exists()


def test_real_events_take_the_place_of_the_sample(sample: tuple[Path, str], tmp_path: Path) -> None:
    data, _ = sample
    archive = write_archive(tmp_path)
    result = command(data, "run", "--no-serve", ARCHIVE=str(archive))
    assert result.exit_code == 0, result.output
    assert "The sample made room" in result.stdout
    assert f"The most active of the repositories found (REPOS names others): {ENGINE_NAME}, " in (
        result.stdout
    )
    logins = [row["username"] for row in answer(data, "board", "--class", "all")["data"]]
    assert logins == ["ana", "ben", "cleo", "dependabot[bot]"]
    again = command(data, "run", "--no-serve")
    assert "Using what is there: 1 file" in again.stdout
    assert " ana " in again.stdout


def test_a_repository_without_events_is_said_and_the_others_go_on(tmp_path: Path) -> None:
    archive = write_archive(tmp_path)
    result = command(
        tmp_path / "data",
        "run",
        "--no-serve",
        ARCHIVE=str(archive),
        REPOS=f"nobody/nothing,{WHEELS_NAME}",
    )
    assert result.exit_code == 0, result.output
    assert "No event of nobody/nothing was captured. Check the spelling" in result.stderr
    assert " cleo " in result.stdout


def test_a_start_that_can_show_nothing_fails_and_ends(tmp_path: Path) -> None:
    result = command(
        tmp_path / "data", "run", ARCHIVE=str(write_archive(tmp_path)), REPOS="nobody/nothing"
    )
    assert "There is no board to show" in refusal(result)
    assert not (tmp_path / "data" / "server.json").exists()


def test_logs_on_the_screen_are_there_for_who_asks(tmp_path: Path) -> None:
    data = tmp_path / "data"
    archive = str(write_archive(tmp_path))
    asked = {"SERVE": "0", "ARCHIVE": archive, "LOG_FORMAT": "json"}
    with process(data, "run", **asked) as running:
        shown, logged = running.communicate(timeout=200)
    assert running.returncode == 0, logged
    assert "Log " not in shown
    assert "scrape_completed" in {json.loads(line)["event"] for line in logged.splitlines()}
    assert not (data / "log.jsonl").exists()


def test_the_makefile_calls_it() -> None:
    assert "-m infra.cli run" in (ROOT / "Makefile").read_text()
