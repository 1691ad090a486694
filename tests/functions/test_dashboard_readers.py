"""The pages for those who look at people and boards: over time, compared, and by other rules."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from shared import rule_sets
from tests.functions.conftest import World
from tests.support.dashboard_world import Balanced, client_over

BOTH = "/compare?repos=octo/engine,octo/wheels"


@pytest.fixture
def client(team: World) -> FlaskClient:
    return client_over(team.services)


@pytest.mark.parametrize(
    "address",
    [
        "/compare",
        BOTH,
        f"{BOTH}&class=all&weights=3,0&window=30d",
        "/compare?repos=octo/engine",
        "/what-if",
        "/what-if?points.COMMIT=40&board=octo/engine",
        "/what-if?points.COMMIT=%22><script>alert(1)</script>",
        "/contributors/ana",
        "/repositories/octo/engine",
    ],
)
def test_a_page_is_well_formed_and_strict(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    page = Balanced(answer.text)
    assert page.inline == []
    assert len(set(page.ids)) == len(page.ids)
    assert "<script>alert" not in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert all(source.startswith("/dashboard/static/") for source in page.sources)
    links = [link for link in page.links if link.startswith(("/compare", "/what-if", "/api"))]
    assert all(client.get(link).status_code == 200 for link in links)


def test_a_repository_shows_its_months_and_where_holes_are(client: FlaskClient) -> None:
    text = client.get("/repositories/octo/engine").text
    assert "Contributions by month" in text
    assert "<title>Mar 2025: " in text
    assert "Contributions by month" not in client.get("/leaderboard").text


def test_a_contributor_shows_months_and_days(client: FlaskClient) -> None:
    text = client.get("/contributors/ana").text
    assert "Points by month" in text
    assert re.search(r"<title>\d+ Mar 2025: \d+ contributions?", text)
    assert "not known whole" in text
    assert "Longest streak" in text


def test_the_form_leads_to_an_address_that_says_all(client: FlaskClient) -> None:
    sent = (
        "/compare?repo=octo/engine&weight=2&repo=+octo/wheels&weight=1&repo=&weight=1&window=30d"
        "&class=human"
    )
    answer = client.get(sent)
    assert answer.status_code == 302
    assert answer.headers["Location"] == (
        "/compare?window=30d&repos=octo/engine,octo/wheels&weights=2,1"
    )


def test_a_comparison_says_who_is_on_which_board(client: FlaskClient) -> None:
    text = client.get(BOTH).text
    shown = client.get(f"/api/v1/leaderboard/{BOTH.removeprefix('/')}").json
    assert shown is not None
    for found in shown["data"]["charts"]["venn"]:
        assert f">{found['exactly']}</text>" in text
    for person in shown["data"]["cross_ranking"]:
        assert f'"name" href="/contributors/{person["username"]}"' in text or (
            person["username"] not in ("ana", "ben", "cleo")
        )
    assert text.count('class="ring"') == 2
    assert "generations=" in text


@pytest.mark.parametrize(
    ("repos", "status", "says"),
    [
        ("octo/engine", 400, "Name 2 to 5 repositories"),
        ("octo/engine,octo/engine", 400, "is named twice"),
        ("octo/engine,no/body", 404, "no/body"),
        ("nonsense,octo/engine", 400, "nonsense"),
    ],
)
def test_what_cannot_be_compared_is_said_and_the_form_stays(
    client: FlaskClient, repos: str, status: int, says: str
) -> None:
    answer = client.get(f"/compare?repos={repos}")
    assert answer.status_code == status
    assert says in answer.text
    assert f'name="repo" value="{repos.split(",")[0]}"' in answer.text


def test_without_changes_nobody_moves(client: FlaskClient) -> None:
    text = client.get("/what-if?board=octo/engine").text
    assert '<p class="empty" id="nobody">Nobody moves.</p>' in text
    assert "0 of" in text


def test_other_rules_show_the_movers_that_the_api_tells_of(client: FlaskClient) -> None:
    text = client.get("/what-if?points.COMMENT=900&board=octo/engine&class=all").text
    body = {"board": "octo/engine", "class": "all", "changes": {"points": {"COMMENT": "900"}}}
    told = client.post("/api/v1/config/scoring/preview", json=body).json
    assert told is not None
    movers = told["data"]["movers"]
    assert movers
    for mover in movers:
        assert f"{mover['rank_before']} → {mover['rank_after']}" in text
    assert 'name="points.COMMENT" min="0" step="any" value="900"' in text


def test_a_wrong_number_is_named_and_the_form_stays(client: FlaskClient) -> None:
    answer = client.get("/what-if?points.COMMIT=many")
    assert answer.status_code == 400
    assert 'id="problem">' in answer.text
    assert 'value="many"' in answer.text


def test_the_caps_of_the_rules_can_be_changed(client: FlaskClient, team: World) -> None:
    rules = rule_sets.current(team.services).rules
    text = client.get("/what-if?cap.0=1").text
    assert text.count('name="cap.') == len(rules.caps)
    assert 'name="cap.0" min="0" step="any" value="1"' in text


def test_elsewhere_trying_rules_takes_a_key_and_the_page_says_so(team: World) -> None:
    elsewhere = team.services.settings.model_copy(update={"backend": "gcp"})
    answer = client_over(replace(team.services, settings=elsewhere)).get("/what-if")
    assert answer.status_code == 200
    assert "takes an API key" in answer.text
    form = answer.text[answer.text.index("<form") : answer.text.index("</form>")]
    assert 'id="key"' in answer.text
    assert 'id="key"' not in form, "a key in the form would be sent in the address"


def test_an_address_keeps_its_page_for_as_long_as_the_board(
    client: FlaskClient, team: World
) -> None:
    first = client.get("/repositories/octo/engine").text
    team.clock.advance(timedelta(minutes=5))
    assert client.get("/repositories/octo/engine").text == first
