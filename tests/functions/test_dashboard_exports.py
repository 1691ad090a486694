"""Exports from the pages."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from shared.board_reading import Selection
from shared.boards import repository_board
from shared.context import Services
from tests.support.by_hand import by_hand, deliver_all
from tests.support.dashboard_world import Balanced, client_over, filled
from tests.support.lines import ENGINE


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Services:
    return filled(tmp_path_factory.mktemp("dashboard"))


def fields(page: str) -> dict[str, str]:
    form = page.partition('action="/exports"')[2].partition("</form>")[0]
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))


def elsewhere(services: Services) -> FlaskClient:
    """The pages as they are where a key is asked for."""
    chosen = services.settings.model_copy(update={"backend": "gcp"})
    return client_over(replace(services, settings=chosen))


def test_the_menu_of_a_board_gives_that_very_board_as_a_file(services: Services) -> None:
    client = client_over(services)
    page = client.get("/repositories/octo/engine?class=all").text
    given = fields(page)
    assert given["class"] == "all"
    answer = client.post("/exports", data={**given, "format": "csv"})
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    board = services.boards.read(
        repository_board(ENGINE.id), "all", Selection("all", limit=1000), given["generation"]
    )
    assert [int(row["github_id"]) for row in rows] == [row.github_id for row in board.rows]
    refused = client.post("/exports", data={**given, "format": "doc"})
    assert refused.status_code == 400


def test_a_large_one_leads_to_its_link(services: Services) -> None:
    chosen = services.settings.model_copy(update={"export_small_bytes": 0})
    held, queue = by_hand(replace(services, settings=chosen))
    client = client_over(held)
    answer = client.post("/exports", data={"format": "parquet", "window": "all"})
    Balanced(answer.text)
    (again,) = re.findall(r'action="(/exports/\w+)"', answer.text)
    assert "/blobs/" not in answer.text
    deliver_all(held, queue)
    ready = client.post(again)
    assert 'href="/blobs/exports/' in ready.text


def test_elsewhere_the_form_asks_for_a_key(services: Services) -> None:
    client = elsewhere(services)
    page = client.get("/leaderboard").text
    assert 'type="password" name="key"' in page
    assert client.post("/exports", data={**fields(page), "format": "csv"}).status_code == 401
    wrong = {**fields(page), "format": "csv", "key": "lb_00000000_" + "x" * 43}
    assert client.post("/exports", data=wrong).status_code == 401
