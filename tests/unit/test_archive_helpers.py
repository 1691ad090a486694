"""Helping processes: the same rows and counts as without them, and a word when one dies."""

from __future__ import annotations

import gzip
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra import archive_helpers, archive_rows
from infra.archive_helpers import Helper
from infra.archive_report import Report
from infra.archive_rows import ArchiveRows
from shared.errors import RetryLater
from tests.unit.test_archive_rows import line, push

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def damaged_file(path: Path) -> Path:
    """Rows among everything that may be wrong, enough for some blocks."""
    dice = random.Random(3)
    lines = []
    for number in range(20_000):
        good = push({"ref": f"r{number}", "number": dice.choice([number, [1]])}, id=str(number))
        other = line(type="TU"[number % 2] + "x" * (number % 59))
        kinds = [[good], [good + good], [good[:-9]], [b"", good], [b"\0" * 9], [other]]
        lines += dice.choices(kinds, [95, 1, 1, 1, 1, 1])[0]
    content = gzip.compress(b"\n".join(lines), 1)
    path.write_bytes(content[:-400])
    return path


def read(path: Path) -> tuple[list[dict[str, Any]], Report]:
    rows = ArchiveRows(path, now=NOW)
    found = [row for batch in rows for row in batch.to_pylist()]
    return found, rows.report


@pytest.fixture
def _helped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_helpers, "HELPED_FROM", 0)
    monkeypatch.setattr(archive_helpers, "_cores", lambda: 2)
    monkeypatch.setattr(archive_rows, "_BLOCK_BYTES", 300_000)


def test_helpers_change_neither_rows_nor_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    path = damaged_file(tmp_path / "archive.json.gz")
    alone = read(path)
    request.getfixturevalue("_helped")
    assert read(path) == alone
    report = alone[1]
    assert report.truncated
    assert {"malformed", "no_object"} <= report.broken.keys()
    assert len(report.ignored) == 61  # beyond so many types they share the name other


@pytest.mark.usefixtures("_helped")
def test_a_helper_that_dies_ends_the_reading_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Helper] = []

    def note(helper: Helper) -> Helper:
        started.append(helper)
        return helper

    monkeypatch.setattr(Helper, "__enter__", note)
    rows = iter(ArchiveRows(damaged_file(tmp_path / "archive.json.gz"), now=NOW)._decoded())
    next(rows)
    started[0]._process.kill()
    with pytest.raises(RetryLater, match="status -9"):
        list(rows)
    assert all(helper._process.poll() is not None for helper in started)


@pytest.mark.usefixtures("_helped")
def test_no_helper_outlives_a_reading_that_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Helper] = []

    def note(helper: Helper) -> Helper:
        started.append(helper)
        return helper

    monkeypatch.setattr(Helper, "__enter__", note)
    rows = ArchiveRows(damaged_file(tmp_path / "archive.json.gz"), now=NOW)._decoded()
    next(iter(rows))
    rows.close()  # type: ignore[attr-defined]
    assert len(started) == 2
    assert all(helper._process.poll() is not None for helper in started)
