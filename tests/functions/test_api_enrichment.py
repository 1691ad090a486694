"""Profiles through the API and on a contributor's page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import pytest

from shared.auth import Role
from shared.github import SocialAccount
from tests.functions.conftest import SCRIPT, TEAM, World
from tests.support.api_client import ApiClient
from tests.support.apps import app_over
from tests.support.dashboard_world import Balanced, client_over
from tests.support.fake_profiles import Profiles, full, profile
from tests.support.lines import ANA, BEN, COPILOT, ENGINE

ASK = "/api/v1/contributors/{}/enrich"
HOSTILE = "\"'><img src=x onerror=alert(1)>\u202e"


@pytest.fixture(scope="module")
def github() -> Profiles:
    found = Profiles()
    found.known["ana"] = full(ANA.id, "ana")
    found.known["ben"] = profile(99, "ben", name="A stranger")
    found.known[SCRIPT.login] = profile(
        SCRIPT.id,
        SCRIPT.login,
        name=HOSTILE,
        bio=HOSTILE,
        company=HOSTILE,
        website="https://evil.example/\"onmouseover='alert(1)'",
        social=(SocialAccount("<b>", "https://evil.example/<script>alert(1)</script>"),),
        followers=1,
    )
    return found


@pytest.fixture(scope="module")
def world(make_world: Callable[[], World], github: Profiles) -> World:
    """The team, where GitHub is asked about profiles."""
    made = make_world()
    made.ingest("team.json.gz", TEAM)
    made.register(ENGINE)
    made.services = replace(made.services, github=github.port)
    made.app = app_over(lambda: made.services)
    return made


@pytest.fixture(scope="module")
def writer(world: World) -> ApiClient:
    return world.client(world.key(Role.USER))


def told(world: World, login: str) -> dict[str, object] | None:
    found: dict[str, object] | None = world.client().data(
        f"/api/v1/contributors/{quote(login, safe='')}"
    )["profile"]
    return found


def test_a_profile_is_asked_for_and_shown_with_sources_and_times(
    world: World, writer: ApiClient
) -> None:
    assert told(world, "ana") is None
    answer = writer.post(ASK.format("ANA"))
    assert answer.status_code == 202
    assert answer.headers["Location"] == "/api/v1/contributors/ana"
    body = answer.get_json()
    assert (body["data"]["state"], body["meta"]) == ("PENDING", {"created": True})
    again = writer.post(ASK.format("ana")).get_json()
    assert (again["data"]["state"], again["meta"]) == ("PENDING", {"created": False})
    world.work()
    shown = told(world, "ana")
    assert shown is not None
    assert shown["state"] == "COMPLETED"
    at = shown["enriched_at"]
    assert shown["fields"] == {
        "name": {"value": "Ana <b>Núñez</b>", "source": "github", "noted_at": at},
        "company": {"value": "@octo", "source": "github", "noted_at": at},
        "location": {"value": "Lima", "source": "github", "noted_at": at},
        "bio": {"value": "Engines and wheels", "source": "github", "noted_at": at},
        "website": {"value": "https://ana.example.org/", "source": "github", "noted_at": at},
        "followers": {"value": 1234, "source": "github", "noted_at": at},
        "account_created_at": {
            "value": "2015-06-01T00:00:00.000000Z",
            "source": "github",
            "noted_at": at,
        },
    }
    assert shown["social"] == [
        {"provider": provider, "url": url, "source": "github", "noted_at": at}
        for provider, url in (
            ("twitter", "https://twitter.com/ana"),
            ("linkedin", "https://www.linkedin.com/in/ana"),
            ("mastodon", "https://mastodon.example.org/@ana"),
        )
    ]
    (entry,) = [e for e in world.audited() if e["action"] == "enrichment.requested"]
    assert str(entry["actor_id"]).startswith("key:")
    assert "ana" not in str(entry["description"])


def test_why_there_is_nothing_is_shown(world: World, writer: ApiClient) -> None:
    for login in (BEN.login, COPILOT.login):
        assert writer.post(ASK.format(login)).status_code == 202
    world.work()
    taken, gone = told(world, "ben"), told(world, "Copilot")
    assert taken is not None
    assert gone is not None
    assert (taken["state"], taken["fields"]) == ("FAILED", {})
    assert "another account" in str(taken["error"])
    assert (gone["state"], gone["error"]) == ("COMPLETED", None)
    assert "deleted" in str(gone["note"])
    page = client_over(world.services).get("/contributors/ben")
    assert 'class="profile"' not in page.text


def test_asking_takes_a_key_that_may_write(world: World) -> None:
    assert world.client().post(ASK.format("ana")).status_code == 401
    reader = world.client(world.key(Role.READONLY))
    assert reader.post(ASK.format("ana")).status_code == 403


@pytest.mark.parametrize("login", ["nobody-at-all", "x" * 3000, "%00", "a/b"])
def test_somebody_who_is_on_no_board_is_not_asked_about(
    writer: ApiClient, github: Profiles, login: str
) -> None:
    before = list(github.asked)
    answer = writer.post(ASK.format(login))
    assert answer.status_code == 404
    assert answer.get_json()["error"] == "not_found"
    assert github.asked == before


def test_where_github_is_not_asked_at_all_that_is_said(engine: World) -> None:
    answer = engine.client(engine.key(Role.USER)).post(ASK.format("ana"))
    assert answer.status_code == 409
    assert "GITHUB_TOKEN" in answer.get_json()["message"]


def test_a_page_shows_what_somebody_tells_as_text_and_links_that_gain_nothing(
    world: World, writer: ApiClient
) -> None:
    for login in ("ana", SCRIPT.login):
        writer.post(ASK.format(quote(login, safe="")))
    world.work()
    client = client_over(world.services)
    page = client.get("/contributors/ana")
    links = Balanced(page.text).links
    assert "Ana &lt;b&gt;Núñez&lt;/b&gt;" in page.text
    assert "Lima" in page.text
    assert "1,234 followers" in page.text
    assert "X (Twitter)" in page.text
    outside = [link for link in links if not link.startswith(("/", "#", "https://github.com"))]
    assert outside == [
        "https://ana.example.org/",
        "https://twitter.com/ana",
        "https://www.linkedin.com/in/ana",
        "https://mastodon.example.org/@ana",
    ]
    assert page.text.count('rel="nofollow noopener noreferrer"') == len(outside)
    hostile = client.get(f"/contributors/{quote(SCRIPT.login, safe='')}")
    read = Balanced(hostile.text)
    assert read.inline == []
    assert "<img src=x" not in hostile.text
    assert "\u202e" not in hostile.text
    assert "1 follower<" in hostile.text
    assert "mail" not in hostile.text.lower()
