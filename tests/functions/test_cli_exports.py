"""The command that exports."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.support.command_line import answer, command, filled_once, refusal


@pytest.fixture
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled_once(tmp_path_factory)


def test_a_board_is_written_whole_and_noted_on_the_trail(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "board.csv"
    said = command(data, "export", "global", "--class", "all", "--output", str(file))
    assert said.exit_code == 0, said.output
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    shown = answer(data, "board", "--class", "all", "--page-size", "100")["data"]
    assert [row["username"] for row in rows] == [row["username"] for row in shown]
    assert [path.name for path in tmp_path.iterdir()] == ["board.csv"]
    trail = command(data, "export", "audit", "--format", "ndjson", "--output", "-").stdout
    actions = [json.loads(line)["action"] for line in trail.splitlines()[1:]]
    assert actions[-2:] == ["export.requested", "export.requested"]


def test_what_does_not_belong_to_a_type_is_refused(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "costs.csv"
    said = command(data, "export", "costs", "--login", "ana", "--output", str(file))
    assert "filters.login is no filter of costs" in refusal(said)
    assert not file.exists()
