"""What people look up and try: somebody's story, repositories compared, other rules, files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.support.browser import Reader
from tests.support.browser_world import Site, listening


def test_a_contributor_is_looked_at_by_window_kind_and_event(visit: Visit) -> None:
    reader = visit()
    page = reader.page
    reader.go("/contributors/ana")
    windows = page.get_by_role("navigation", name="Standing in each window")
    expect(windows.get_by_role("link")).to_have_count(5)
    table = page.get_by_role("table", name="Points by kind")
    total = table.locator("tfoot td").inner_text()
    expect(windows.locator("[aria-current]")).to_contain_text(
        re.compile(rf"\b{total.split('.')[0]}\.\d\d\b")
    )
    behind = page.get_by_role("region", name="The events behind it")
    behind.locator("summary", has_text="Pull requests merged").click()
    event = page.locator("details.fold[open] li").first
    expect(event.get_by_role("link", name="on GitHub")).to_have_attribute(
        "href", re.compile(r"^https://github\.com/octo/")
    )
    windows.get_by_role("link", name="30 days").click()
    expect(page).to_have_url(re.compile(r"window=30d"))
    expect(page.get_by_role("heading", name="How the score comes about")).to_be_visible()


def test_days_are_a_calendar_that_says_what_each_holds(visit: Visit) -> None:
    reader = visit()
    reader.go("/contributors/ana")
    said = reader.page.locator("svg title").all_text_contents()
    assert any(re.fullmatch(r"\d+ Mar 2025: \d+ contributions?", each) for each in said)


def test_holes_in_what_was_captured_are_drawn_as_holes(visit: Visit) -> None:
    reader = visit()
    reader.go("/repositories/octo/engine")
    hole = reader.page.locator("svg.strip .hole").first
    hole.scroll_into_view_if_needed()
    box = hole.bounding_box()
    assert box is not None
    assert box["width"] > 1
    colours = hole.evaluate(
        "one => [one, one.parentElement.firstElementChild].map(o => getComputedStyle(o).fill)"
    )
    assert colours[0] != colours[1]


def test_repositories_are_chosen_and_compared(visit: Visit) -> None:
    reader = visit()
    page = reader.page
    reader.go("/compare")
    page.get_by_label("Repository 1", exact=True).fill("octo/engine")
    page.get_by_label("Repository 2", exact=True).fill("octo/wheels")
    page.get_by_label("Weight of repository 1").fill("3")
    page.get_by_role("button", name="Compare").click()
    expect(page).to_have_url(re.compile(r"/compare\?repos=octo(/|%2F)engine(,|%2C)octo(/|%2F)w"))
    for heading in ("What kind of work", "Who is where", "Contributions by month"):
        section = page.locator("section", has=page.get_by_role("heading", name=heading))
        picture = section.locator("svg").first
        expect(picture).to_be_visible()
    expect(page.get_by_text("weighted 3 : 1")).to_be_visible()
    shown = page.locator("main").inner_text()
    page.reload()
    assert page.locator("main").inner_text() == shown


def test_a_repository_that_is_not_there_is_named_in_the_form(visit: Visit) -> None:
    reader = visit()
    page = reader.page
    reader.go("/compare?repos=octo/engine,octo/nowhere")
    expect(page.get_by_role("alert")).to_contain_text("octo/nowhere")
    expect(page.get_by_label("Repository 2", exact=True)).to_have_value("octo/nowhere")
    assert all("status of 404" in said for said in reader.complaints)
    reader.complaints.clear()


def told(page: Page) -> str:
    return page.locator("#told").inner_text()


def test_a_slider_moves_people_while_it_is_moved(visit: Visit) -> None:
    reader = visit()
    page = reader.page
    reader.go("/what-if")
    expect(page.locator("#told")).to_have_text(
        re.compile(r"^0 of \d+ change their rank, 0 their score$")
    )
    slider = page.get_by_role("slider", name="Pull requests opened")
    with page.expect_response("**/api/v1/config/scoring/preview") as previewed:
        slider.focus()
        page.keyboard.press("End")
    assert previewed.value.ok
    expect(page.locator("#told")).not_to_contain_text(re.compile("^0 of"))
    expect(page.locator("#rows tr", has_text="Pull requests opened +")).not_to_have_count(0)
    number = page.locator("[name='points.PR_OPENED']")
    assert number.input_value() == slider.input_value()
    expect(page).to_have_url(re.compile(rf"points\.PR_OPENED={number.input_value()}$"))
    moved, rows = told(page), page.locator("#rows tr").all_inner_texts()
    page.reload()
    assert told(page) == moved
    assert len(page.locator("#rows tr").all_inner_texts()) == len(rows)


def test_a_number_that_makes_no_sense_is_told_and_the_form_stays(visit: Visit) -> None:
    reader = visit()
    page = reader.page
    reader.go("/what-if")
    page.locator("[name='points.COMMIT']").fill("-3")
    expect(page.get_by_role("alert")).to_be_visible()
    assert all("status of 4" in said for said in reader.complaints)
    reader.complaints.clear()
    page.locator("[name='points.COMMIT']").fill("3")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_another_board_is_tried_from_the_same_page(visit: Visit) -> None:
    reader = visit()
    page = reader.page
    reader.go("/what-if?points.COMMIT=40")
    page.get_by_label("Board").select_option("octo/wheels")
    page.wait_for_url("**board=octo*wheels*")
    assert page.locator("[name='points.COMMIT']").input_value() == "40"
    expect(page.locator("#told")).to_contain_text(" of 2 ")


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_board_is_taken_away_as_a_file(visit: Visit, kind: str, tmp_path: Path) -> None:
    reader = visit()
    page = reader.page
    reader.go("/leaderboard?class=all")
    page.get_by_text("Receipt and permanent link").click()
    page.get_by_role("link", name="Export every row").click()
    page.locator("select[name=format]").select_option(kind)
    with page.expect_download() as taken:
        page.get_by_role("button", name="Export").click()
    assert taken.value.suggested_filename.endswith(f".{kind}")
    there = tmp_path / "file"
    taken.value.save_as(there)
    start = there.read_bytes()
    assert start.startswith(b"PK") if kind == "xlsx" else b"guest-119" in start


# --- on other sites -------------------------------------------------------------------------


@contextmanager
def elsewhere(body: str) -> Iterator[str]:
    """Another site whose only page says that."""
    app = Flask("elsewhere")
    app.add_url_rule("/", view_func=lambda: f"<!doctype html><link rel=icon href=data:,>{body}")
    with listening(app) as url:
        yield url


def refused(reader: Reader, site: Site) -> list[str]:
    """What a page elsewhere was refused. That it asks the leaderboard is meant."""
    meant = f"request to another host: {site.url}/"
    found = [said for said in reader.complaints if not said.startswith(meant)]
    reader.complaints.clear()
    return found


def test_another_site_frames_the_board_that_is_made_for_it_and_no_other_page(
    visit: Visit, site: Site
) -> None:
    frames = (
        f"<iframe src='{site.url}{page}'></iframe>"
        for page in ("/embed/leaderboard", "/leaderboard")
    )
    with elsewhere("".join(frames)) as there:
        reader = visit(there)
        reader.go("/")
        inside, kept_out = (reader.page.frame_locator("iframe").nth(number) for number in (0, 1))
        expect(inside.get_by_role("row").nth(1)).to_contain_text("zoe")
        expect(kept_out.get_by_text("zoe")).to_have_count(0)
        (said,) = refused(reader, site)
        assert "frame-ancestors" in said


def test_badges_cards_and_the_picture_of_a_link_are_pictures_elsewhere(
    visit: Visit, site: Site
) -> None:
    reader = visit()
    reader.go("/repositories/octo/engine")
    picture = reader.page.locator("meta[property='og:image']").get_attribute("content")
    assert picture is not None
    addresses = [
        "/badges/repositories/octo/engine/contributors.svg",
        "/badges/repositories/octo/engine/top.svg",
        "/badges/contributors/ana/rank.svg",
        "/cards/leaderboard.svg",
        "/cards/contributors/ana.svg",
        picture.removeprefix(site.url),
    ]
    with elsewhere("".join(f"<img src='{site.url}{each}'>" for each in addresses)) as there:
        outside = visit(there)
        outside.go("/")
        sizes = outside.page.evaluate("[...document.images].map((one) => one.naturalWidth)")
        assert refused(outside, site) == []
    assert len(sizes) == len(addresses)
    assert min(sizes) > 50
    assert sizes[-1] == 1200
