"""How heavy a board's page is, and that it is rendered once for as long as its board stays."""

from __future__ import annotations

import gzip
import re
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from functions.dashboard import board_page
from functions.dashboard.kept_pages import KeptPages
from shared.boards import GLOBAL
from shared.context import Services
from tests.support.dashboard_world import LATER, Balanced, client_over, scrape
from tests.support.lines import User, day, push
from tests.support.manual_clock import ManualClock
from tests.support.scenario import LINES, ingest, open_services

FIRST_VIEW_BYTES = 150_000
GZIP = {"Accept-Encoding": "gzip"}
CROWD = [
    *LINES,
    *(
        push(
            300 + n,
            day(4),
            User(3000 + n, f"somebody-with-a-name-{n}"),
            push_id=300 + n,
            distinct_size=1,
        )
        for n in range(60)
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("speed")


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="module")
def services(folder: Path, clock: ManualClock) -> Services:
    made = open_services(folder / "data", clock, retry_seconds=())
    ingest(made, folder / "files", {"one.json.gz": CROWD})
    scrape(made)
    return made


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return client_over(services)


def test_the_first_view_of_a_board_is_light(client: FlaskClient) -> None:
    answer = client.get("/leaderboard", headers=GZIP)
    text = gzip.decompress(answer.data).decode()
    assert text.count("<tr>") > 50
    weight = len(answer.data)
    for source in set(Balanced(text).sources):
        weight += len(client.get(source, headers=GZIP, buffered=True).data)
    assert weight < FIRST_VIEW_BYTES


def test_compressed_and_plain_pages_are_the_same(client: FlaskClient) -> None:
    plain = client.get("/leaderboard")
    packed = client.get("/leaderboard", headers=GZIP)
    assert gzip.decompress(packed.data) == plain.data
    assert "Content-Encoding" not in plain.headers
    assert "Accept-Encoding" in plain.headers["Vary"]
    again = client.get("/leaderboard", headers={**GZIP, "If-None-Match": packed.headers["ETag"]})
    assert again.status_code == 304
    assert again.data == b""


def test_static_files_are_compressed(client: FlaskClient) -> None:
    for source in set(Balanced(client.get("/leaderboard").text).sources):
        plain = client.get(source, buffered=True)
        packed = client.get(source, headers=GZIP, buffered=True)
        if len(plain.data) >= 1000:
            assert gzip.decompress(packed.data) == plain.data


def test_a_board_is_read_once_for_an_address(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.get("/leaderboard")
    with monkeypatch.context() as patch:
        patch.delattr(board_page, "read")
        assert client.get("/leaderboard").data == first.data
    assert client.get("/leaderboard?class=all").data != first.data
    assert client.get("/leaderboard?sort=username").data != first.data


def test_a_new_board_shows_at_the_same_address(
    client: FlaskClient, services: Services, folder: Path, clock: ManualClock
) -> None:
    before = client.get("/leaderboard").text
    generation = services.boards.head(GLOBAL, "all").generation
    ingest(services, folder / "files", {"two.json.gz": LATER})
    scrape(services)
    clock.advance(timedelta(seconds=10))
    after = client.get("/leaderboard").text
    assert generation in before
    assert services.boards.head(GLOBAL, "all").generation in after
    assert "earlier board" in client.get(f"/leaderboard?generation={generation}").text


def test_the_memory_forgets_what_was_not_asked_for_longest() -> None:
    made: list[str] = []

    def page(name: str) -> str:
        made.append(name)
        return name * 40

    kept = KeptPages(most=100)
    for name in ("a", "b", "a", "c", "a", "b"):
        assert kept.page(name, lambda name=name: page(name)) == name * 40  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"]


def test_rows_keep_what_the_templates_would_have_escaped(client: FlaskClient) -> None:
    text = client.get("/leaderboard").text
    assert re.search(r'<rect class="k0" x="0" width="\d+" height="10"><title>Commits: ', text)
    assert '<td class="z">0</td>' in text
