"""Boards as people use them: by mouse, by keyboard alone, in their own zone, from an address."""

from __future__ import annotations

import re
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from shared.boards import GLOBAL
from tests.browser.conftest import Visit
from tests.support.browser import Reader
from tests.support.browser_world import Site
from tests.support.scenario import head

MOST_BYTES = 150_000


def names(page: Page) -> list[str]:
    """Who is on the board that is shown, from the top."""
    return page.locator("table.board tbody .name").all_inner_texts()


def columns(page: Page, number: int) -> list[int]:
    cells = page.locator(f"table.board tbody tr > :nth-child({number})").all_inner_texts()
    return [int(re.sub(r"\D", "", cell) or 0) for cell in cells]


def test_a_board_is_sorted_searched_and_paged_and_its_address_says_how(visit: Visit) -> None:
    reader = visit()
    page = reader.page
    reader.go("/leaderboard")
    assert names(page)[0] == "zoe"
    page.get_by_role("navigation", name="Class").get_by_role("link", name="Everybody").click()
    expect(page).to_have_url(re.compile(r"class=all"))
    page.get_by_role("navigation", name="Window").get_by_role("link", name="365 days").click()
    expect(page).to_have_url(re.compile(r"window=365d"))
    page.get_by_label("Sort by").select_option("COMMIT")
    page.get_by_label("Order").select_option("desc")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(r"sort=COMMIT"))
    commits = columns(page, 6)
    assert commits == sorted(commits, reverse=True)
    assert commits[0] == 99
    page.get_by_label("Search by name").fill("guest-1")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"search=guest-1.*class=all|class=all.*search=guest-1"))
    found = names(page)
    assert len(found) == 20
    assert all("guest-1" in name for name in found)
    reader.go(page.url.removeprefix(reader.url))
    assert names(page) == found


def test_pages_of_a_board_do_not_overlap_and_one_can_go_back(visit: Visit) -> None:
    reader = visit()
    page = reader.page
    reader.go("/leaderboard?page_size=20")
    pager = page.get_by_role("navigation", name="Pages")
    first = names(page)
    pager.get_by_role("link", name="Next").click()
    expect(pager).to_contain_text("Page 2 of")
    second = names(page)
    assert len(first) == len(second) == 20
    assert not set(first) & set(second)
    page.go_back()
    expect(pager).to_contain_text("Page 1 of")
    assert names(page) == first


def test_a_heading_sorts_and_tells_readers_of_screens_so(visit: Visit) -> None:
    reader = visit()
    reader.go("/leaderboard")
    reader.page.get_by_role("columnheader", name="Contributor").get_by_role("link").click()
    heading = reader.page.locator("th[aria-sort]")
    expect(heading).to_have_attribute("aria-sort", "ascending")
    expect(heading).to_contain_text("Contributor")


def test_the_permanent_link_and_the_receipt_lead_to_this_very_board(
    visit: Visit, site: Site
) -> None:
    reader = visit()
    page = reader.page
    reader.go("/leaderboard")
    before = names(page)
    page.get_by_text("Receipt and permanent link").click()
    page.get_by_role("link", name="Link to exactly this board").click()
    shown = head(site.services, GLOBAL, "all")
    assert shown is not None
    expect(page).to_have_url(re.compile(rf"generation={shown.generation}"))
    assert names(page) == before


def test_an_earlier_board_says_so_and_leads_back(visit: Visit) -> None:
    reader = visit()
    page = reader.page
    reader.go("/repositories/octo/engine")
    page.get_by_text("Receipt and permanent link").click()
    page.locator("details.receipt p", has_text="Earlier boards").get_by_role("link").last.click()
    expect(page.get_by_text("You are looking at an earlier board")).to_be_visible()
    assert "zoe" not in names(page)
    page.get_by_role("link", name="Show the current one").click()
    assert "zoe" in names(page)


def test_a_score_is_followed_down_to_its_events_by_keyboard_alone(visit: Visit) -> None:
    reader = visit()
    page = reader.page
    reader.go("/leaderboard")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    reach(page, "ben")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/contributors/ben$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("ben")
    reach(page, "Commits")
    page.keyboard.press("Enter")
    events = page.locator("details.fold[open] .events li")
    expect(events.first).to_be_visible()
    expect(events.first).to_contain_text("octo/")


def reach(page: Page, words: str) -> None:
    """Press Tab until that has the keyboard. What has it must be seen to have it."""
    for _ in range(120):
        page.keyboard.press("Tab")
        at = page.evaluate(_AT)
        assert at["seen"], f"nothing shows that the keyboard is at {at['words']!r}"
        if at["words"].startswith(words):
            return
    raise AssertionError(f"{words} cannot be reached by the keyboard")


_AT = """() => {
  const at = document.activeElement, look = getComputedStyle(at);
  const seen = look.outlineStyle !== "none" || look.boxShadow !== "none";
  return { words: at.innerText?.trim() ?? "", seen };
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_follows_the_reader(visit: Visit, theme: Literal["light", "dark"]) -> None:
    reader = visit(theme=theme)
    reader.go("/leaderboard")
    colour = reader.page.evaluate("getComputedStyle(document.body).backgroundColor")
    lightness = sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
    assert lightness < 60 if theme == "dark" else lightness > 200


def test_times_are_in_the_readers_zone_with_utc_beside(visit: Visit) -> None:
    reader = visit(timezone_id="Asia/Tokyo", locale="de-DE")
    reader.go("/repositories/octo/engine")
    shown = reader.page.locator("dl.stats time").first
    expect(shown).to_have_attribute("datetime", re.compile(r"2025-03-13T13:"))
    expect(shown).to_have_text(re.compile(r"^13\. März 2025.*22:\d\d.*(GMT\+9|JST|MEZ)"))
    expect(shown).to_have_attribute("title", re.compile(r"13 Mar 2025.*13:\d\d UTC"))


def test_numbers_are_written_as_the_reader_does_and_names_are_left_alone(visit: Visit) -> None:
    english, german = visit(), visit(locale="de-DE")
    swapped = str.maketrans(",.", ".,")
    for address in ("/repositories/octo/engine", "/dashboard", "/costs", "/what-if"):
        here, there = (numbers_on(reader, address) for reader in (english, german))
        assert len(here) > 2
        assert {number.translate(swapped) for number in here} <= there, address
    german.go("/repositories/octo/engine")
    english.go("/repositories/octo/engine")
    assert names(german.page) == names(english.page)


def numbers_on(reader: Reader, address: str) -> set[str]:
    """The numbers of a page that have a comma or a point."""
    reader.go(address)
    text = reader.page.locator("main").inner_text()
    return {
        n for n in re.findall(r"(?<![\w.,/#-])\d[\d.,]*\d(?![\w.,/-])", text) if not n.isdigit()
    }


def test_the_first_view_of_a_board_weighs_little_and_waits_for_nothing(visit: Visit) -> None:
    reader = visit(new=True)  # nothing is kept from before
    sizes: dict[str, int] = {}

    def finished(request: Any) -> None:
        parts = request.sizes()
        sizes[request.url] = parts["responseHeadersSize"] + parts["responseBodySize"]

    reader.page.on("requestfinished", finished)
    reader.go("/repositories/octo/engine?page_size=100")
    reader.page.wait_for_load_state("networkidle")
    assert len(names(reader.page)) == 100
    assert len(sizes) >= 4
    assert sum(sizes.values()) < MOST_BYTES, sizes
    # Nothing that a page is made of holds up reading it: scripts are deferred.
    assert reader.page.locator("script[src]:not([defer])").count() == 0


def test_a_page_does_not_jump_while_it_loads(visit: Visit) -> None:
    reader = visit()
    reader.page.add_init_script(_WATCH_JUMPS)
    for address in ("/leaderboard", "/dashboard", "/contributors/ben"):
        reader.go(address)
        reader.page.wait_for_load_state("networkidle")
        assert reader.page.evaluate("window.jumped") < 0.1


_WATCH_JUMPS = """
window.jumped = 0;
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) window.jumped += one.value;
}).observe({ type: "layout-shift", buffered: true });
"""


def test_without_scripts_a_board_is_as_useful(visit: Visit) -> None:
    reader = visit(java_script_enabled=False)
    reader.go("/leaderboard?class=all&sort=username")
    assert len(names(reader.page)) > 10
    reader.page.get_by_role("link", name="Next").click()
    expect(reader.page.get_by_role("navigation", name="Pages")).to_contain_text("Page 2 of")
