"""Archive files made of the stand-in's history look like the archive's own, and tell the same."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.archive_decoder import Fault, patiently
from tests.support.github_doors import TRIMMED_SINCE, full_archive, trimmed_archive
from tests.support.github_history import History
from tests.support.github_story import ENGINE, LOST, story
from tests.support.real_data import real_file

Line = dict[str, Any]


@pytest.fixture(scope="module")
def history() -> History:
    return story()


def _lines(paths: Iterable[Path]) -> list[Line]:
    texts = [gzip.decompress(path.read_bytes()).decode() for path in paths]
    return [json.loads(line) for text in texts for line in text.split("\n") if line]


def _real(*names: str) -> list[Line]:
    return _lines(real_file(name) for name in names)


def _members(value: Any, depth: int = 4) -> set[str]:
    """The paths of an object's members."""
    if not isinstance(value, dict) or not depth:
        return set()
    return {
        path
        for name, each in value.items()
        for path in (name, *(f"{name}.{inner}" for inner in _members(each, depth - 1)))
    }


def _shapes(lines: Iterable[Line]) -> Mapping[tuple[str, str | None], set[str]]:
    """The members of the payloads that were seen, by type; of pull requests by action too."""
    found: dict[tuple[str, str | None], set[str]] = {}
    for line in lines:
        action = line["payload"].get("action") if line["type"] == "PullRequestEvent" else None
        found.setdefault((line["type"], action), set()).update(_members(line["payload"]))
    return found


def test_every_line_is_read_without_a_fault(history: History, tmp_path: Path) -> None:
    paths = [
        *full_archive(history, tmp_path / "full"),
        *trimmed_archive(history, tmp_path / "trimmed", LOST),
    ]
    for path in paths:
        for line in gzip.decompress(path.read_bytes()).splitlines():
            (read,) = patiently(line)
            assert not isinstance(read, Fault)


def test_full_payloads_hold_nothing_that_the_archive_has_not(
    history: History, tmp_path: Path
) -> None:
    real = _shapes(_real("ghmap-julia-2025-03-20-input100", "gha-2021-07-21-sample800-pinot"))
    kinds = {kind for kind, _ in real}
    for (kind, _), members in _shapes(_lines(full_archive(history, tmp_path))).items():
        assert kind in kinds
        known = set().union(*(seen for (other, _), seen in real.items() if other == kind))
        known |= {f"{path}.{name}" for path in known for name in _ACCOUNT}
        new = {path for path in members - known if not path.endswith(".user_view_type")}
        assert new <= _LATER


_ACCOUNT = ("login", "id", "node_id", "type")
_LATER = {
    "repository_id",
    "action",
    "issue.pull_request",
    "issue.pull_request.url",
}
"""What stands in rows of other days than those of the files at hand."""


def test_trimmed_payloads_are_those_of_october_2025(history: History, tmp_path: Path) -> None:
    real = _shapes(_real("api-post-2025-10-events"))
    lines = _lines(trimmed_archive(history, tmp_path, {}))
    made = _shapes(line for line in lines if line["created_at"] >= TRIMMED_SINCE)
    for kind in (
        ("PushEvent", None),
        ("PullRequestEvent", "opened"),
        ("PullRequestEvent", "merged"),
    ):
        assert made[kind] == real[kind]


def test_both_doors_tell_of_the_same_events_but_those_of_lost_numbers(
    history: History, tmp_path: Path
) -> None:
    def told(lines: Iterable[Line]) -> list[tuple[Any, ...]]:
        return [(x["type"], x["actor"]["id"], x["repo"]["id"], x["created_at"]) for x in lines]

    full = _lines(full_archive(history, tmp_path / "full"))
    whole = _lines(trimmed_archive(history, tmp_path / "whole", {}))
    assert told(whole) == told(full)
    blind = _lines(trimmed_archive(history, tmp_path / "blind", LOST))
    opened = [x for x in blind if x["payload"].get("action") == "opened"]
    numbers = {
        (x["payload"].get("pull_request") or x["payload"]["issue"])["number"]
        for x in opened
        if x["repo"]["id"] == ENGINE
    }
    assert numbers == set(history.repositories[ENGINE].threads) - LOST[ENGINE]
    assert 0 < len(blind) < len(whole)


def test_one_file_has_an_event_for_each_day(history: History, tmp_path: Path) -> None:
    (path,) = full_archive(history, tmp_path, one_file=True)
    days = {line["created_at"][:10] for line in _lines([path])}
    assert len(days) == 348


def test_a_late_file_holds_what_was_crawled_in_its_hour(history: History, tmp_path: Path) -> None:
    names = {path.name for path in full_archive(history, tmp_path)}
    assert "2026-01-10-10.json.gz" in names
    (line,) = [
        x for x in _lines([tmp_path / "2026-01-10-10.json.gz"]) if x["type"] == "PullRequestEvent"
    ]
    assert line["created_at"] == "2026-01-10T09:58:00Z"


def test_names_are_those_of_the_time(history: History, tmp_path: Path) -> None:
    lines = _lines(full_archive(history, tmp_path))
    names = {line["repo"]["name"] for line in lines if line["repo"]["id"] == ENGINE}
    assert names == {"octo/motor", "octo/engine"}
    logins = {line["actor"]["login"] for line in lines if line["actor"]["id"] == 12}
    assert logins == {"benny", "ben"}
    assert "ghost-to-be" in {line["actor"]["login"] for line in lines}
