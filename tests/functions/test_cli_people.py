"""The commands about people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command_line import answer, command, filled_once, refusal
from tests.support.copies import copy_data
from tests.support.lines import ANA, BEN, CLEO


@pytest.fixture
def data(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path / "data"
    copy_data(filled_once(tmp_path_factory), copy)
    return copy


def on_board(data: Path) -> str:
    return str(answer(data, "board", "--class", "all")["data"])


def test_accounts_are_merged_and_somebody_hidden_and_removed_without_a_server(data: Path) -> None:
    merged = command(
        data, "person", "merge", "ana", f"id:{CLEO.id}", "--reason", "both hers", "--wait"
    )
    assert merged.exit_code == 0, merged.output
    assert CLEO.login not in on_board(data)
    command(data, "person", "unmerge", f"id:{CLEO.id}", "--reason", "they are two", "--wait")
    assert CLEO.login in on_board(data)
    told = json.loads(command(data, "person", "export", "ben").stdout)
    assert told["accounts"] == [BEN.id]
    assert told["facts"]["events"]
    removed = command(data, "person", "remove", "ben", "--wait")
    assert removed.exit_code == 0, (removed.output, answer(data, "jobs")["data"][:2])
    assert BEN.login not in on_board(data)
    assert "No event names" in refusal(command(data, "person", "show", "ben"))
    lifted = command(data, "person", "lift", str(BEN.id))
    assert f"The removal of {BEN.id} is lifted." in lifted.stdout


def test_a_wish_without_a_server_waits_for_one(data: Path) -> None:
    said = command(data, "person", "hide", f"id:{ANA.id}").stdout
    assert "They will be shown as anonymous." in said
    assert "--wait does it here" in said
    assert answer(data, "jobs")["data"][0]["type"] == "forget_person"
