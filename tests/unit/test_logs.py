"""What is logged, and what never is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
import structlog

from infra import logs
from shared.settings import Settings


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def _fail_with(secret: str) -> None:
    """Fails with the secret among the local variables, as a key in a request's headers is."""
    headers = {"X-API-Key": secret}
    raise RuntimeError(f"{len(headers)} header")


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_shows_no_local_variables(
    log_format: Literal["console", "json"], capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(Settings(log_format=log_format))
    secret = f"lb_{1 + 1}_hidden"
    try:
        _fail_with(secret)
    except RuntimeError:
        structlog.get_logger().exception("request_failed")
    written = capsys.readouterr().err
    assert "1 header" in written
    assert secret not in written


def test_a_log_file_gets_one_json_object_a_line(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "log.jsonl"
    logs.configure(Settings(log_file=file))
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        structlog.get_logger().info("scrape_started", repository="a/b")
        structlog.get_logger().debug("left_out")
    (line,) = file.read_text().splitlines()
    entry = json.loads(line)
    assert entry["event"] == "scrape_started"
    assert entry["level"] == "info"
    assert (entry["repository"], entry["request_id"]) == ("a/b", "r-1")
    assert entry["timestamp"].endswith("Z")


@pytest.mark.parametrize(("seconds", "first", "second"), [(0.0, 1, 2), (3600.0, 2, 0)])
def test_a_log_file_that_was_moved_away_is_made_anew_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, first: int, second: int
) -> None:
    monkeypatch.setattr(logs, "REOPENED_AFTER", seconds)
    file, moved = tmp_path / "log.jsonl", tmp_path / "log.jsonl.1"
    logs.configure(Settings(log_file=file))
    log = structlog.get_logger()
    log.info("one")
    file.rename(moved)
    log.info("two")
    if second:
        log.info("three")
    assert len(moved.read_text().splitlines()) == first
    assert (len(file.read_text().splitlines()) if file.exists() else 0) == second


def test_a_log_file_that_was_emptied_begins_anew(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    logs.configure(Settings(log_file=file))
    structlog.get_logger().info("one")
    file.write_text("")
    structlog.get_logger().info("two")
    assert [json.loads(line)["event"] for line in file.read_text().splitlines()] == ["two"]
