"""Keys from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared import auth
from shared.context import SYSTEM
from shared.errors import Unauthenticated
from tests.support.command_line import answer, command, refusal
from tests.support.scenario import open_services


def authenticated(data: Path, text: str) -> auth.Key | None:
    return auth.authenticate(open_services(data), text, SYSTEM)


def test_a_key_is_made_listed_replaced_and_revoked(tmp_path: Path) -> None:
    made = answer(tmp_path, "key", "create", "CI", "--role", "readonly")["data"]
    id_ = made["about"]["id"]
    assert authenticated(tmp_path, made["key"]) == auth.Key(
        id_, auth.Role.READONLY, ("read:leaderboard",)
    )
    replaced = answer(tmp_path, "key", "rotate", id_)["data"]
    with pytest.raises(Unauthenticated):
        authenticated(tmp_path, made["key"])
    assert authenticated(tmp_path, replaced["key"])
    assert answer(tmp_path, "key", "revoke", id_)["data"]["state"] == "revoked"
    (listed,) = answer(tmp_path, "key", "list")["data"]
    assert (listed["id"], listed["state"]) == (id_, "revoked")
    assert "hash" not in listed


def test_a_new_key_is_all_that_stands_on_standard_output(tmp_path: Path) -> None:
    result = command(tmp_path, "key", "create", "CI", "--scope", "read:leaderboard")
    assert authenticated(tmp_path, result.stdout.strip())
    assert "cannot be shown again" in result.stderr
    assert "CI" in command(tmp_path, "key", "list").stdout


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    wrong = command(tmp_path, "key", "create", "CI", "--scope", "admin:*")
    assert "read:leaderboard, write:repository" in refusal(wrong)
    assert "expires in the future" in refusal(
        command(tmp_path, "key", "create", "CI", "--expires", "2020-01-01T00:00:00Z")
    )
    assert "There is no key" in refusal(command(tmp_path, "key", "revoke", "00000000"))
