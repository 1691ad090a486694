"""Exports from the pages."""

from __future__ import annotations

import csv
import html
import io
import re
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from shared import keys
from shared.auth import Role
from shared.board_reading import Selection
from shared.boards import repository_board
from shared.context import SYSTEM, Services
from tests.support.by_hand import by_hand, deliver_all
from tests.support.dashboard_world import Balanced, client_over, filled
from tests.support.lines import ENGINE

SECURE = "https://localhost"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Services:
    return filled(tmp_path_factory.mktemp("dashboard"))


def form_of(client: FlaskClient, board: str) -> str:
    """The form that a board's page leads to."""
    (link,) = re.findall(r'href="(/exports\?[^"]+)"', client.get(board).text)
    page = client.get(html.unescape(link)).text
    Balanced(page)
    return page


def fields(page: str) -> dict[str, str]:
    form = page.partition('action="/exports"')[2].partition("</form>")[0]
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))


def elsewhere(services: Services) -> FlaskClient:
    """The pages as they are where a key is asked for."""
    chosen = services.settings.model_copy(update={"backend": "gcp"})
    return client_over(replace(services, settings=chosen))


def test_the_menu_of_a_board_gives_that_very_board_as_a_file(services: Services) -> None:
    client = client_over(services)
    given = fields(form_of(client, "/repositories/octo/engine?class=all"))
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
    assert answer.status_code == 303
    waiting = client.get(answer.location).text
    Balanced(waiting)
    assert "being made" in waiting
    assert "/blobs/" not in waiting
    deliver_all(held, queue)
    assert 'href="/blobs/exports/' in client.get(answer.location).text


def test_elsewhere_boards_are_exported_in_a_session(services: Services) -> None:
    client = elsewhere(services)
    page = form_of(client, "/leaderboard")
    assert 'action="/exports"' not in page
    link = re.findall(r'href="(/sign-in\?[^"]+)"', page)[-1]
    assert client.post("/exports", data={"format": "csv"}).status_code == 401
    unknown = client.get("/exports/nothing")
    assert unknown.status_code == 401
    assert 'href="/sign-in?back=/exports/nothing"' in unknown.text
    key = keys.create(services, SYSTEM, "reader", Role.READONLY)
    back = dict(re.findall(r'name="(\w+)" value="([^"]*)"', client.get(html.unescape(link)).text))
    there = client.post("/sign-in", data={**unescaped(back), "key": key.text}, base_url=SECURE)
    given = fields(client.get(there.location, base_url=SECURE).text)
    assert given["window"] == "all"
    forged = {**given, "csrf": "another", "format": "csv"}
    assert client.post("/exports", data=forged, base_url=SECURE).status_code == 403
    answer = client.post("/exports", data={**given, "format": "csv"}, base_url=SECURE)
    assert answer.status_code == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_no_page_elsewhere_exports_by_a_visitor(services: Services) -> None:
    sent = {"Sec-Fetch-Site": "cross-site"}
    answer = client_over(services).post("/exports", data={"format": "csv"}, headers=sent)
    assert answer.status_code == 403


def test_a_link_in_a_notice_may_be_followed_from_another_site(services: Services) -> None:
    sent = {"Sec-Fetch-Site": "cross-site"}
    assert client_over(services).get("/exports/nothing", headers=sent).status_code == 404


def unescaped(fields: dict[str, str]) -> dict[str, str]:
    return {name: html.unescape(value) for name, value in fields.items()}
