"""The sample that comes with the project: the same bytes each time, as varied as real archives."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from infra.archive_rows import ArchiveRows
from infra.sample.cast import HOLE, MERGED_ACTION, TRIMMED
from infra.sample.generate import FOLDER, sample_files
from shared.archive_fields import TRACKED_TYPES

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@cache
def generated() -> dict[str, bytes]:
    return sample_files()


@cache
def rows() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in sorted(FOLDER.glob("*.json.gz")):
        for batch in ArchiveRows(path, now=NOW):
            found += batch.to_pylist()
    return found


def reports() -> list[dict[str, Any]]:
    found = []
    for path in sorted(FOLDER.glob("*.json.gz")):
        archive = ArchiveRows(path, now=NOW)
        list(archive)
        found.append(archive.report.as_json())
    return found


def test_generating_it_again_gives_the_files_that_are_there() -> None:
    there = {path.name: path.read_bytes() for path in FOLDER.glob("*.json.gz")}
    assert list(generated()) == sorted(there)
    for name, content in generated().items():
        assert gzip.decompress(content) == gzip.decompress(there[name]), name
        assert content[4:8] == b"\0\0\0\0", "gzip's time of writing"


def test_the_packed_bytes_are_the_same_too() -> None:
    if "ng" in zlib.ZLIB_RUNTIME_VERSION:
        pytest.skip("this zlib packs the same text into other bytes")
    there = {path.name: path.read_bytes() for path in FOLDER.glob("*.json.gz")}
    assert generated() == there


def test_it_is_small_and_large_enough() -> None:
    assert sum(path.stat().st_size for path in FOLDER.glob("*.json.gz")) < 620_000
    assert 8_000 < len(rows()) < 12_000


def test_it_has_every_kind_of_event_and_every_kind_of_damage() -> None:
    assert {row["event_type"] for row in rows()} == set(TRACKED_TYPES)
    ignored, broken = Counter[str](), Counter[str]()
    for report in reports():
        ignored.update(report["ignored"])
        broken.update(report["broken"])
        assert not report["truncated"]
    assert {"WatchEvent", "ForkEvent", "CreateEvent", "DeleteEvent"} <= set(ignored)
    assert {"no_object", "malformed", "incomplete"} <= set(broken)
    assert sum(report["before_2015"] for report in reports()) > 0
    assert sum(report["from_future"] for report in reports()) > 0


def test_a_day_is_missing_and_the_rest_is_there() -> None:
    days = {row["created_at"].date() for row in rows()}
    assert HOLE not in days
    assert (min(days).isoformat(), max(days).isoformat()) == ("2024-12-01", "2026-01-31")
    assert len(days) > 410


def test_rows_stand_twice_within_files_and_across_them() -> None:
    copies = Counter((row["event_type"], row["event_id"], row["created_at"]) for row in rows())
    assert sum(count > 1 for count in copies.values()) > 50
    seen: dict[str, set[str]] = {}
    for path in sorted(FOLDER.glob("*.json.gz")):
        for batch in ArchiveRows(path, now=NOW):
            for event_id in batch["event_id"].to_pylist():
                seen.setdefault(event_id, set()).add(path.name)
    assert any(len(files) > 1 for files in seen.values())


def test_payloads_are_trimmed_from_october_2025() -> None:
    pushes = [row for row in rows() if row["event_type"] == "PushEvent"]
    for row in pushes:
        assert (row["push_distinct_size"] is None) == (row["created_at"] >= TRIMMED)
    pulls = [row for row in rows() if row["event_type"] == "PullRequestEvent"]
    for row in pulls:
        assert (row["author_id"] is None) == (row["created_at"] >= TRIMMED)
        if row["action"] == "merged":
            assert row["created_at"] >= MERGED_ACTION
    assert any(row["action"] == "merged" for row in pulls)
    assert any(row["merged"] for row in pulls)


def test_accounts_are_invented_and_some_were_renamed() -> None:
    logins: dict[int, set[str]] = {}
    names: dict[int, set[str]] = {}
    for row in rows():
        logins.setdefault(row["actor_id"], set()).add(row["actor_login"])
        names.setdefault(row["repo_id"], set()).add(row["repo_name"])
    assert min(*logins, *names) > 900_000_000
    assert 60 < len(logins) < 100
    assert len(names) == 5
    assert sum(len(known) > 1 for known in logins.values()) == 1
    assert sum(len(known) > 1 for known in names.values()) == 1
    everybody = set().union(*logins.values())
    assert {"dependabot[bot]", "renovate[bot]", "github-actions[bot]", "Copilot"} <= everybody


def test_authors_answer_on_their_own_pull_requests_and_issues_are_closed_again() -> None:
    reviews = [row for row in rows() if row["event_type"] == "PullRequestReviewEvent"]
    assert any(row["author_id"] == row["actor_id"] for row in reviews)
    closes = {
        (row["repo_id"], row["number"], row["event_id"])
        for row in rows()
        if row["event_type"] == "IssuesEvent" and row["action"] == "closed"
    }
    closed = Counter((repository, number) for repository, number, _ in closes)
    assert max(closed.values()) > 1
    assert max(row["additions"] or 0 for row in rows()) > 50_000


def test_the_folder_holds_nothing_else() -> None:
    assert {path.suffix for path in Path(FOLDER).iterdir() if path.is_file()} == {".py", ".gz"}
