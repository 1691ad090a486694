"""The dashboard's pages over a small data directory, as a reader's browser gets them."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from shared import job_steps, jobs, repositories, scraping
from shared.boards import GLOBAL
from shared.context import SYSTEM, Services
from tests.support.dashboard_world import HOSTILE, Balanced, client_over, filled
from tests.support.lines import ENGINE, User
from tests.support.scenario import name_of, open_services

MINUS = "\N{MINUS SIGN}"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Services:
    return filled(tmp_path_factory.mktemp("dashboard"))


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return client_over(services)


@pytest.fixture
def empty(tmp_path: Path) -> FlaskClient:
    return client_over(open_services(tmp_path))


def latest_job(services: Services) -> str:
    return jobs.listed(services, {}, limit=1).documents[0].id


ADDRESSES = (
    "/dashboard",
    "/dashboard/logs",
    "/reports/weekly",
    "/leaderboard",
    "/leaderboard?class=all&window=30d&sort=COMMIT&order=asc",
    "/leaderboard?search=nobody-like-this",
    "/leaderboard?page=9",
    "/leaderboard?class=agent&window=7d",
    "/repositories/octo/engine",
    "/contributors/ben",
    "/contributors/ben?window=7d",
    "/contributors/cleo?window=7d",
    "/contributors/dependabot[bot]",
    *(f"/contributors/{quote(somebody.login)}" for somebody in HOSTILE),
    "/nowhere",
    "/repositories/no/body",
    "/leaderboard?sort=charm",
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_is_well_formed_and_strict(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    page = Balanced(answer.text)
    assert answer.text.startswith("<!doctype html>")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Referrer-Policy" in answer.headers
    assert page.inline == []
    assert page.sources
    assert all(source.startswith("/dashboard/static/") for source in page.sources)
    assert len(set(page.ids)) == len(page.ids)
    assert len(answer.data) < 100_000


def test_every_link_of_every_page_leads_somewhere(client: FlaskClient) -> None:
    seen: set[str] = set()
    waiting = ["/dashboard"]
    while waiting:
        address = waiting.pop()
        seen.add(address)
        answer = client.get(address)
        assert answer.status_code == 200, address
        links = Balanced(answer.text).links
        assert all(link.startswith(("/", "#", "https://github.com/")) for link in links)
        # The combinations of choices are endless: one choice a step is enough.
        waiting += [
            link
            for link in links
            if link.startswith("/")
            and "&" not in link
            and not re.match(r"/contributors/.*\?", link)
            and link not in seen | set(waiting)
        ]
    assert len(seen) > 30


def test_the_root_leads_to_the_dashboard(client: FlaskClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/dashboard"


def test_without_a_repository_the_first_page_says_what_to_do(empty: FlaskClient) -> None:
    answer = empty.get("/dashboard")
    Balanced(answer.text)
    assert "Nothing is registered yet" in answer.text
    assert "make run" in answer.text
    assert "No board yet" in empty.get("/leaderboard").text


def test_a_repository_without_a_board_shows_how_far_it_is(tmp_path: Path) -> None:
    services = open_services(tmp_path)
    job = repositories.register(services, name_of(ENGINE), SYSTEM).job
    assert job is not None
    client = client_over(services)
    page = client.get("/repositories/octo/engine").text
    assert f"/jobs/{job.id}" in page
    assert 'data-refresh="3"' in page
    assert "Waiting for its first scrape" in client.get("/dashboard").text
    shown = client.get(f"/jobs/{job.id}").text
    Balanced(shown)
    assert "Queued" in shown
    assert 'http-equiv="refresh"' in shown


def test_a_failed_job_says_why(tmp_path: Path) -> None:
    services = open_services(tmp_path)
    job = repositories.register(services, name_of(ENGINE), SYSTEM).job
    assert job is not None
    job_steps.run(services, job.id, 0, "once", lambda j: scraping.scrape(services, j))
    page = client_over(services).get(f"/jobs/{job.id}").text
    Balanced(page)
    assert "Failed" in page
    assert "No event of octo/engine was captured" in page


def test_a_finished_job_links_to_the_boards_it_made(
    client: FlaskClient, services: Services
) -> None:
    answer = client.get(f"/jobs/{latest_job(services)}")
    assert "Completed" in answer.text
    boards = [link for link in Balanced(answer.text).links if "generation=" in link]
    assert len(boards) == 5
    assert all(client.get(link).status_code == 200 for link in boards)


@pytest.mark.parametrize("somebody", HOSTILE, ids=lambda user: str(user.id))
def test_hostile_names_are_text(client: FlaskClient, somebody: User) -> None:
    for address in ("/leaderboard", f"/contributors/{quote(somebody.login)}"):
        text = client.get(address).text
        assert "<script>alert" not in text
        assert "<img" not in text
        assert f"<bdi>{words_escaped(somebody.login)}</bdi>" in text or (
            f">{words_escaped(somebody.login)}</bdi>" in text
        )


def words_escaped(text: str) -> str:
    for raw, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&#34;"), ("'", "&#39;")):
        text = text.replace(raw, safe)
    return text


def test_what_somebody_searched_for_comes_back_as_text(client: FlaskClient) -> None:
    text = client.get('/leaderboard?search="><script>alert(1)</script>').text
    Balanced(text)
    assert "<script>alert" not in text
    assert "Nobody here is called" in text


def test_choices_survive_in_links(client: FlaskClient) -> None:
    address = "/leaderboard?window=30d&class=all&sort=COMMIT&order=asc&search=e&page_size=25"
    page = Balanced(client.get(address).text)
    chosen = [parse_qs(urlsplit(link).query) for link in page.links if "page_size=25" in link]
    windows = [query for query in chosen if query.get("window") == ["90d"]]
    assert windows == [
        {
            "window": ["90d"],
            "class": ["all"],
            "sort": ["COMMIT"],
            "order": ["asc"],
            "search": ["e"],
            "page_size": ["25"],
        }
    ]
    other_way = [
        query for query in chosen if query.get("sort") == ["COMMIT"] and query["order"] == ["desc"]
    ]
    assert other_way[0]["search"] == ["e"]


def test_the_column_that_sorts_says_so(client: FlaskClient) -> None:
    assert client.get("/leaderboard").text.count('aria-sort="ascending"') == 1
    text = client.get("/leaderboard?sort=COMMIT").text
    assert text.count("aria-sort=") == 1
    assert 'aria-sort="descending"><a href="/leaderboard?sort=COMMIT&amp;order=asc"' in text


def test_the_rows_come_in_pages(client: FlaskClient) -> None:
    first = client.get("/leaderboard?page_size=2&class=all")
    nexts = re.findall(r'rel="next" href="([^"]+)"', first.text)
    second = client.get(nexts[0].replace("&amp;", "&"))
    assert names_of(first) != names_of(second)
    assert len(names_of(first)) == 2
    assert 'rel="prev"' in second.text
    assert "There are" in client.get("/leaderboard?page=9").text


def names_of(answer: TestResponse) -> list[str]:
    return re.findall(r'class="name" href="/contributors/([^"]+)"', answer.text)


def test_bots_and_agents_stand_apart(client: FlaskClient) -> None:
    assert "dependabot%5Bbot%5D" not in client.get("/leaderboard").text
    assert names_of(client.get("/leaderboard?class=bot")) == ["dependabot%5Bbot%5D"]
    everybody = client.get("/leaderboard?class=all").text
    assert '<span class="tag bot">Bot</span>' in everybody
    assert '<span class="tag agent">AI agent</span>' in everybody


def test_a_score_explains_itself_down_to_events(client: FlaskClient) -> None:
    text = client.get("/contributors/ben").text
    assert "Capped at 500.00" in text
    assert f"{MINUS}400.005" in text
    assert "https://github.com/octo/engine/pull/50" in text
    assert "a review of one&#39;s own pull request" in text
    assert "a merge counts for the author of the pull request" in text


def test_an_older_board_stays_at_its_address(client: FlaskClient, services: Services) -> None:
    head = services.boards.head(GLOBAL, "all")
    assert head.kept
    older = head.kept[0].partition("-")[0]
    page = client.get(f"/leaderboard?generation={older}").text
    assert "earlier board" in page
    assert "zoe" not in page
    assert head.generation in client.get("/leaderboard").text
    gone = client.get("/leaderboard?generation=0123456789abcdef01234567")
    assert gone.status_code == 404
    assert "is not kept" in gone.text


def test_movement_is_told_in_words(client: FlaskClient) -> None:
    text = client.get("/leaderboard").text
    assert 'title="Not on the board before">new' in text
    assert '<span class="vh">down </span>' in text
    assert "Movers" in client.get("/dashboard").text


def test_a_page_that_did_not_change_is_not_sent_again(client: FlaskClient) -> None:
    first = client.get("/leaderboard")
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.get("/leaderboard", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert "Content-Security-Policy" in again.headers


def test_static_files_are_kept_by_browsers(client: FlaskClient) -> None:
    for source in set(Balanced(client.get("/dashboard").text).sources):
        answer = client.get(source)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
        answer.close()


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("page=0", "page &#39;0&#39; is not a whole number from 1"),
        ("page=²", "is not a whole number"),
        ("page_size=5000", "from 1 to 100"),
        ("window=2d", "window &#39;2d&#39; is not known. Use one of: all, 365d"),
        ("class=cat", "Use one of: human, bot, agent, all"),
        ("sort=charm", "Use one of: rank, score, username"),
        ("order=up", "Use one of: asc, desc"),
    ],
)
def test_a_wrong_choice_is_named_with_its_remedy(
    client: FlaskClient, query: str, says: str
) -> None:
    answer = client.get(f"/leaderboard?{query}")
    assert answer.status_code == 400
    assert says in answer.text


def test_a_defect_shows_a_page_and_nothing_of_the_inside(
    client: FlaskClient, services: Services
) -> None:
    broken = client_over(SimpleNamespace(now=services.now))  # type: ignore[arg-type]
    with capture_logs() as logged:
        answer = broken.get("/contributors/ana")
    Balanced(answer.text)
    assert answer.status_code == 500
    failed = [entry for entry in logged if entry["event"] == "page_failed"]
    assert {entry["route"] for entry in failed} == {"/contributors/<path:login>"}
    assert "/ana" not in str(failed)
    assert "Something went wrong" in answer.text
    assert "AttributeError" not in answer.text
    assert "Content-Security-Policy" in answer.headers
