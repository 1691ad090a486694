"""What a flag comes to: one pure function, and what wins over what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from infra.environment import environment_of, settings_from, with_file
from shared.flags import (
    ENRICHMENT,
    FLAGS,
    INCREMENTAL,
    SCRAPES,
    Rules,
    default,
    evaluate,
    is_explicit,
    rules_in,
    share,
    stored_form,
)
from shared.ports import Document
from shared.settings import Settings

NOW = datetime(2025, 3, 20, 12, tzinfo=UTC)
KEY = "0123abcd"


def value(
    rule: dict[str, Any] | None,
    *,
    key: str | None = None,
    subject: str = "",
    settings: Settings | None = None,
) -> object:
    rules = Rules.model_validate({} if rule is None else {"enable_enrichment": rule})
    return evaluate(ENRICHMENT, rules, settings or Settings(), NOW, key, subject)


def test_every_flag_has_a_setting_a_rule_and_the_default_that_was_asked_for() -> None:
    assert FLAGS.keys() == Rules.model_fields.keys()
    assert {name: default(flag) for name, flag in FLAGS.items()} == {
        "enable_enrichment": True,
        "enable_incremental_scrape": True,
        "enable_websocket_logs": True,
        "max_concurrent_scrapes": 3,
        "new_scoring_algorithm": 0,
    }


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (None, True),
        ({"value": False}, False),
        ({"value": False, "starts_at": "2025-03-20T12:00:00Z"}, False),
        ({"value": False, "starts_at": "2025-03-20T12:00:01Z"}, True),
        ({"value": False, "starts_at": "2025-03-20T12:00:01+01:00"}, False),
        ({"value": False, "percent": 100}, False),
        ({"value": False, "percent": 0}, True),
        ({"value": False, "keys": {KEY: True}}, True),
        ({"value": True, "keys": {KEY: False}}, False),
        ({"value": True, "keys": {"aaaaaaaa": False}}, True),
        ({"value": True, "keys": {KEY: False}, "starts_at": "2030-01-01T00:00:00Z"}, False),
        ({"value": True, "keys": {KEY: False}, "percent": 0}, False),
    ],
)
def test_a_rule_gives_its_value_to_whom_it_says(rule: dict[str, Any], expected: bool) -> None:
    assert value(rule, key=KEY) is expected


def test_a_share_is_of_the_subjects_and_always_the_same_ones() -> None:
    subjects = [str(number) for number in range(2000)]
    off = {s for s in subjects if not value({"value": False, "percent": 10}, subject=s)}
    assert 140 < len(off) < 260
    more = {s for s in subjects if not value({"value": False, "percent": 30}, subject=s)}
    assert off < more
    other = {s for s in subjects if share(INCREMENTAL, s) < 10}
    assert len(off & other) < 60
    assert (share(ENRICHMENT, "583231"), share(ENRICHMENT, "octo~engine")) == (79, 56)


def test_the_environment_wins_then_the_file_then_what_is_stored_then_the_default(
    tmp_path: Path,
) -> None:
    file = tmp_path / ".env"
    file.write_text("ENABLE_ENRICHMENT=false\n")
    stored = {"value": False}

    def settings(environment: dict[str, str], path: Path = file) -> Settings:
        return settings_from(with_file(environment, path))

    nowhere = tmp_path / "none"
    assert value({"value": True}, settings=settings({"ENABLE_ENRICHMENT": "true"})) is True
    assert value(stored, settings=settings({"ENABLE_ENRICHMENT": "true"})) is True
    assert value({"value": True}, settings=settings({})) is False
    assert value(stored, settings=settings({}, nowhere)) is False
    assert value(None, settings=settings({}, nowhere)) is True


def test_a_process_that_is_started_knows_what_was_set_and_what_was_not() -> None:
    started = settings_from(environment_of(Settings(max_concurrent_scrapes=3)))
    assert is_explicit(SCRAPES, started)
    assert not is_explicit(ENRICHMENT, started)


def test_the_example_sets_no_flag_for_whoever_copies_it() -> None:
    example = Path(__file__).parents[2] / ".env.example"
    copied = settings_from(with_file({}, example))
    assert not [name for name, flag in FLAGS.items() if is_explicit(flag, copied)]


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("enable_enrichment", {"value": 1}),
        ("enable_enrichment", {"value": "true"}),
        ("enable_enrichment", {}),
        ("enable_enrichment", {"value": True, "percent": 101}),
        ("enable_enrichment", {"value": True, "percent": -1}),
        ("enable_enrichment", {"value": True, "percent": 1.5}),
        ("enable_enrichment", {"value": True, "percent": True}),
        ("enable_enrichment", {"value": True, "keys": {"everybody": True}}),
        ("enable_enrichment", {"value": True, "keys": {KEY: 3}}),
        ("enable_enrichment", {"value": True, "starts_at": "2025-03-20T12:00:00"}),
        ("enable_enrichment", {"value": True, "ends_at": "2025-03-20T12:00:00Z"}),
        ("max_concurrent_scrapes", {"value": 0}),
        ("max_concurrent_scrapes", {"value": True}),
        ("max_concurrent_scrapes", {"value": 10**9}),
        ("max_concurrent_scrapes", {"value": 3, "percent": 50}),
        ("max_concurrent_scrapes", {"value": 3, "keys": {KEY: 4}}),
        ("new_scoring_algorithm", {"value": True}),
        ("new_scoring_algorithm", {"value": -1}),
        ("dark_mode", {"value": True}),
    ],
)
def test_a_rule_that_cannot_be_is_refused(name: str, rule: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=name):
        Rules.model_validate({name: rule})


def test_rules_are_read_as_they_were_stored() -> None:
    rules = Rules.model_validate(
        {
            "enable_enrichment": {
                "value": False,
                "keys": {KEY: True},
                "percent": 10,
                "starts_at": NOW + timedelta(days=1),
            },
            "max_concurrent_scrapes": {"value": 5},
        }
    )
    fields: Any = {"flags": stored_form(rules)}
    assert rules_in(Document("config/flags", fields, "1")) == rules
    assert rules_in(None) == Rules()
