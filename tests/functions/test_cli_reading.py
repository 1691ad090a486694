"""Commands that show something: for people at 80 columns, and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest

from infra.clock import utc_now
from infra.environment import settings_from
from infra.local.documents import SqliteDocuments
from infra.services import build
from shared.budget import Budget
from shared.budget_books import Charge
from shared.ports import Usage, Write
from shared.settings import Settings
from tests.support.command_line import ENGINE_NAME, answer, command, filled_once
from tests.support.copies import copy_data
from tests.support.lines import ANA


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled_once(tmp_path_factory)


READING = (
    ("board",),
    ("board", ENGINE_NAME, "--window", "30d", "--class", "all", "--sort", "COMMIT"),
    ("board", "--start", "2025-03-01", "--end", "2025-03-04"),
    ("explain", "ana"),
    ("explain", "@ANA", "--repository", ENGINE_NAME, "--events", "0"),
    ("what-if", "--set", "COMMIT=1"),
    ("coverage",),
    ("coverage", ENGINE_NAME),
    ("verify",),
    ("verify", ENGINE_NAME, "--window", "7d"),
    ("jobs",),
    ("jobs", "--state", "completed", "--repository", ENGINE_NAME),
    ("costs",),
)
every_reading = pytest.mark.parametrize("arguments", READING, ids=" ".join)


@every_reading
def test_a_reading_command_answers_people_within_80_columns(
    data: Path, arguments: tuple[str, ...]
) -> None:
    result = command(data, *arguments)
    assert result.exit_code == 0, result.output
    assert not result.stderr
    table = [line for line in result.stdout.splitlines() if "http" not in line]
    assert table
    assert "…" not in result.stdout


@every_reading
def test_a_reading_command_answers_programs_in_json_alone(
    data: Path, arguments: tuple[str, ...]
) -> None:
    assert answer(data, *arguments)["data"]


def test_the_board_shows_rank_movement_login_class_score_and_the_biggest_kinds(data: Path) -> None:
    lines = command(data, "board", ENGINE_NAME).stdout.splitlines()
    (ana,) = [line.split() for line in lines if " ana " in line]
    assert ana[:5] == ["1", "new", "ana", "human", "60.00"]
    assert " ".join(ana[5:]) == "commits 4, reviews 1"


def test_a_bot_is_ranked_apart_and_its_name_is_shown_whole(data: Path) -> None:
    assert "dependabot" not in command(data, "board").stdout
    assert "Ranked apart: 1 bot" in command(data, "board").stdout
    assert " dependabot[bot] " in command(data, "board", "--class", "all").stdout


def test_rows_in_json_have_the_fields_of_the_api(data: Path) -> None:
    body = answer(data, "board", "--page-size", "1")
    (row,) = body["data"]
    assert (row["rank"], row["username"], row["class"]) == (1, "ana", "human")
    assert row["counts"]["COMMIT"] == 5
    assert body["meta"]["total_pages"] == body["meta"]["total"] == 3
    assert body["meta"]["receipt"]["board"]


def test_search_page_and_order_choose_rows(data: Path) -> None:
    found = answer(data, "board", "--search", "LE", "--class", "all")["data"]
    assert [row["username"] for row in found] == ["cleo"]
    by_name = answer(data, "board", "--sort", "username", "--order", "desc", "--page-size", "2")
    assert [row["username"] for row in by_name["data"]] == ["cleo", "ben"]
    assert "no page 9" in command(data, "board", "--page", "9").stdout


def test_a_range_of_time_counts_only_what_lies_in_it(data: Path) -> None:
    rows = answer(data, "board", "--start", "2025-03-18", "--end", "2025-03-20T00:00:00Z")["data"]
    assert {row["username"]: row["score"] for row in rows} == {"cleo": 20.0, "ana": 10.0}


def test_an_explanation_names_counts_points_links_and_what_was_left_out(data: Path) -> None:
    shown = command(data, "explain", "ben").stdout
    assert "ben (human) is number 2 with 49.05 points" in shown
    assert "https://github.com/octo/engine/pull/1" in shown
    assert "the push does not say how many commits" in " ".join(shown.split())


def test_an_explanation_in_json_adds_up_to_the_score(data: Path) -> None:
    explained = answer(data, "explain", "ana")["data"]
    assert explained["total"] == 70_000
    assert explained["standing"]["github_id"] == ANA.id
    assert sum(part["score"]["total"] for part in explained["repositories"]) == 70_000


def test_what_if_says_who_moves_by_how_much_and_through_which_kind(data: Path) -> None:
    body = answer(data, "what-if", "--set", "COMMIT=1", "--set", "pr_merged=50")
    ben = next(mover for mover in body["data"] if mover["username"] == "ben")
    assert (ben["rank_before"], ben["rank_after"]) == (2, 1)
    assert ben["by_kind"] == {"PR_MERGED": 25_000}
    shown = command(data, "what-if", "--set", "COMMIT=1").stdout
    assert "Nothing is published" in shown
    assert "commits -45.00" in shown


def test_what_if_takes_a_file_of_rules(data: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text('{"points": {"RELEASE": 1}}')
    body = answer(data, "what-if", ENGINE_NAME, "--rules", str(rules))
    assert all(mover["score_after"] == 0 for mover in body["data"])


def test_coverage_says_hours_holes_and_what_is_unknown(data: Path) -> None:
    shown = command(data, "coverage", ENGINE_NAME).stdout
    assert "Missing: 2025-03-07 00:00 to 2025-03-18 00:00, not captured." in shown
    assert "Unknown: commits of 1 of 3 pushes." in shown


def test_a_receipt_that_does_not_hold_any_more_ends_with_1_and_says_why(
    data: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "changed"
    copy_data(data, changed)
    services = build(Settings(data_dir=changed))
    services.documents.write([Write("state/account_classes", {str(ANA.id): "bot"})])
    result = command(changed, "verify", ENGINE_NAME)
    assert result.exit_code == 1
    assert "differs: accounts, board" in " ".join(result.stdout.split())
    assert command(changed, "verify", "--json").exit_code == 1


def test_one_job_is_shown_with_its_progress(data: Path) -> None:
    (job,) = answer(data, "jobs", "--repository", ENGINE_NAME)["data"]
    shown = command(data, "jobs", job["id"]).stdout
    assert "completed" in shown.lower()
    assert ENGINE_NAME in shown
    assert answer(data, "jobs", job["id"])["data"]["id"] == job["id"]


def test_costs_name_every_statement_and_cost_nothing(data: Path) -> None:
    body = answer(data, "costs")
    assert "credit_contributions" in {cost["statement"] for cost in body["data"]}
    assert body["meta"]["total"]["dollars"] == "0.00"
    assert body["meta"]["total"]["bytes_billed"] == 0
    assert body["meta"]["total"]["bytes_processed"] > 0


def test_costs_show_what_the_budget_leaves_where_bytes_have_a_price(tmp_path: Path) -> None:
    data = tmp_path / "data"
    priced = {"PRICE_PER_TIB_USD": "6.25", "BUDGET_DAILY_USD": "2"}
    with closing(SqliteDocuments(data / "documents.sqlite")) as documents:
        settings = settings_from(priced)
        budget = Budget(documents, settings, utc_now)
        budget.reserve(Charge("mine", 1 << 38, "extract_events"))
        budget.settle(Usage("extract_events", utc_now(), 5, 1, 1 << 38, 1 << 38, id="mine"))
        budget.reserve(Charge("open", 1 << 36, "extract_events"))
    shown = command(data, "costs", **priced).stdout
    assert "1.57" in shown
    assert "Today: 1.57 USD of 2.00 USD spent, 0.40 USD reserved, 0.04 USD left" in shown
    body = json.loads(command(data, "costs", "--json", **priced).stdout)
    assert body["meta"]["budget"]["day"]["spent_usd"] == 1.5625
    assert body["meta"]["total"]["dollars"] == "1.57"
    assert "Nothing is metered" in command(data, "costs").stdout


def test_every_command_has_help() -> None:
    from infra.cli.__main__ import cli

    def every(group: click.Group) -> Iterator[click.Command]:
        for each in group.commands.values():
            yield each
            if isinstance(each, click.Group):
                yield from every(each)

    assert [each.name for each in every(cli) if not each.help] == []
