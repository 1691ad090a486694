"""Names, descriptions, errors and log lines that nobody would want are text and break nothing."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from shared import jobs, live_log
from shared.live_log import Level
from shared.profiles import text
from tests.browser.conftest import Visit
from tests.support.browser_world import HOSTILE_PROFILE, Site
from tests.support.dashboard_world import HOSTILE
from tests.support.lines import User
from tests.support.operations_world import HOSTILE_WORDS

WIDTHS = (360, 1280)

ALIVE = "main img, main script:not([src])"
"""What hostile words would have made."""


@pytest.mark.parametrize("width", WIDTHS)
def test_names_on_a_board_are_text(visit: Visit, width: int) -> None:
    reader = visit(width=width)
    page = reader.page
    reader.go("/leaderboard?page_size=100&page=2")
    rows = page.locator("table.board tbody tr")
    for somebody in HOSTILE:
        row = rows.filter(has=page.get_by_text(somebody.login, exact=True))
        expect(row).to_have_count(1)
        # Whoever has a long name gets no more room than others, and no row of a board runs over.
        box = row.bounding_box()
        assert box is not None
        assert box["height"] < (260 if width == 360 else 80)
    assert page.locator(ALIVE).count() == 0
    assert reader.too_wide() == []


def test_a_name_that_turns_writing_round_turns_nothing_beside_it(visit: Visit) -> None:
    reader = visit()
    page = reader.page
    reader.go("/leaderboard?search=evil&class=all")
    row = page.locator("table.board tbody tr").first
    name, score = row.locator(".name"), row.locator(".c-score")
    left, right = name.bounding_box(), score.bounding_box()
    assert left is not None
    assert right is not None
    assert left["x"] + left["width"] <= right["x"]


@pytest.mark.parametrize("somebody", HOSTILE, ids=lambda somebody: str(somebody.id))
def test_their_own_pages_stand(visit: Visit, somebody: User) -> None:
    reader = visit()
    page = reader.page
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        reader.go(f"/contributors/{quote(somebody.login, safe='')}")
        expect(page.get_by_role("heading", level=1)).to_have_text(somebody.login)
        assert page.locator(ALIVE).count() == 0
        assert reader.too_wide() == []


@pytest.mark.parametrize("width", WIDTHS)
def test_what_people_write_of_themselves_is_text(visit: Visit, width: int) -> None:
    reader = visit(width=width)
    page = reader.page
    reader.go("/contributors/ana")
    profile = page.get_by_role("region", name="Profile")
    for words in HOSTILE_PROFILE.values():
        expect(profile.get_by_text(str(text(words, 300)), exact=True)).to_have_count(1)
    assert page.locator(ALIVE).count() == 0
    assert reader.too_wide() == []


@pytest.mark.parametrize("width", WIDTHS)
def test_lines_of_the_log_are_text(visit: Visit, site: Site, width: int) -> None:
    (found,) = jobs.listed(site.services, {}, limit=1).documents
    said = f"{HOSTILE_WORDS} at {width}"[-300:]
    line = live_log.line(site.services, jobs.read(found), Level.ERROR, said)
    site.services.documents.write([line])
    reader = visit(width=width)
    page = reader.page
    reader.go("/dashboard/logs")
    shown = page.get_by_role("log").locator("li", has_text=f"at {width}")
    expect(shown).to_have_count(1)
    assert said in shown.inner_text()
    assert page.locator(ALIVE).count() == 0
    assert reader.too_wide() == []
    inside = page.get_by_role("log").evaluate("log => log.scrollWidth - log.clientWidth")
    assert inside <= 0
