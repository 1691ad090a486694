"""Settings by environment and file."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.environment import environment_of, settings_from, with_file
from shared.errors import Rejected
from shared.settings import Settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def test_the_example_names_every_setting_with_its_default() -> None:
    commented = EXAMPLE.read_text(encoding="utf-8")
    named = {
        line.removeprefix("# ").split("=")[0] for line in commented.splitlines() if "=" in line
    }
    assert named == {name.upper() for name in Settings.model_fields}
    assert settings_from(with_file({}, EXAMPLE)) == Settings()


def test_the_environment_wins_over_the_file_and_empty_counts_as_unset(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("PORT=9000\nHOST='127.0.0.2'\n# a comment\nexport DATA_DIR=elsewhere\n")
    found = settings_from(with_file({"PORT": "9001", "HOST": ""}, file))
    assert (found.port, found.host, found.data_dir) == (9001, "127.0.0.2", Path("elsewhere"))


def test_without_a_file_the_environment_is_all_there_is(tmp_path: Path) -> None:
    assert with_file({"PORT": "1"}, tmp_path / ".env") == {"PORT": "1"}


def test_settings_survive_the_way_through_the_environment() -> None:
    settings = Settings(port=0, retry_seconds=(1, 2), log_file=Path("log.jsonl"))
    assert settings_from(environment_of(settings)) == settings


def test_every_wrong_setting_is_named_with_its_value() -> None:
    with pytest.raises(Rejected, match=r"PORT='seven'.*LOG_LEVEL='loud'"):
        settings_from({"PORT": "seven", "LOG_LEVEL": "loud"})


def test_a_secret_that_is_wrong_is_named_and_not_shown() -> None:
    with pytest.raises(Rejected, match="WEBHOOK_SECRET=") as caught:
        settings_from({"WEBHOOK_SECRET": "hunter2"})
    assert "hunter2" not in str(caught.value)
    assert "sixteen letters" not in repr(Settings(webhook_secret="sixteen letters.."))


def test_several_values_are_written_with_commas_between() -> None:
    found = settings_from({"INVOKER_SERVICE_ACCOUNTS": "a@p, b@p", "RETRY_SECONDS": "1,2"})
    assert found.invoker_service_accounts == ("a@p", "b@p")
    assert found.retry_seconds == (1, 2)
    assert settings_from(environment_of(found)) == found


def test_a_line_without_a_value_is_named(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("PORT\n")
    with pytest.raises(Rejected, match=r"'PORT'.*NAME=value"):
        with_file({}, file)
