"""Every page: nobody is kept out, in either theme; it fits a phone; nothing is asked elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Route, ViewportSize, expect

from shared import jobs, keys, sign_in
from shared.auth import Role
from shared.context import SYSTEM
from shared.jobs import State
from tests.browser.conftest import Visit
from tests.support.browser import Reader
from tests.support.browser_world import Site, served
from tests.support.by_hand import by_hand, deliver_all
from tests.support.dashboard_world import filled
from tests.support.github_oauth import ACCOUNT, oauth_server
from tests.support.scenario import open_services

PHONE = ViewportSize(width=360, height=740)
SCREEN = ViewportSize(width=1280, height=900)

Seats = Callable[[Site, bool], Reader]

PAGES = (
    "/dashboard",
    "/dashboard/pipeline",
    "/dashboard/logs",
    "/leaderboard?class=all&page_size=20",
    "/leaderboard?search=nobody-at-all",
    "/repositories/octo/engine?page_size=20",
    "/repositories/octo/horn",
    "/contributors/ana",
    "/compare",
    "/compare?repos=octo/engine,octo/wheels",
    "/what-if?points.COMMIT=40",
    "/costs?period=month",
    "/costs/ledger",
    "/coverage",
    "/settings",
    "/exports",
    "/reports/weekly",
    "/reports/weekly/letter",
    "/embed/leaderboard",
)
FOR_STRANGERS = ("/sign-in", "/settings", "/exports")
WITHOUT_ANYTHING = (
    "/dashboard", "/dashboard/pipeline", "/leaderboard", "/compare", "/what-if", "/costs",
    "/coverage", "/reports/weekly",
)  # fmt: skip


def look(reader: Reader, address: str) -> None:
    """On a phone and on a screen, light and dark."""
    reader.page.set_viewport_size(PHONE)
    assert reader.go(address).status == 200
    look_around(reader)


def look_around(reader: Reader) -> None:
    """The same of the page that somebody is on."""
    reader.page.set_viewport_size(PHONE)
    assert reader.too_wide() == []
    reader.page.set_viewport_size(SCREEN)
    assert reader.too_wide() == []
    assert reader.barriers() == []
    reader.page.emulate_media(color_scheme="dark")
    try:
        assert reader.barriers(colours_only=True) == []
    finally:
        reader.page.emulate_media(color_scheme="light")
    heard, reader.complaints[:] = list(reader.complaints), []
    assert heard == []


@pytest.mark.parametrize("address", PAGES)
def test_a_page_keeps_nobody_out_in_either_theme_and_fits_a_phone(
    seats: Seats, site: Site, address: str
) -> None:
    look(seats(site, True), address)


@pytest.mark.parametrize("state", [State.RUNNING, State.COMPLETED, State.FAILED])
def test_so_does_the_page_of_a_job(seats: Seats, site: Site, state: State) -> None:
    (found,) = jobs.listed(site.services, {"state": state.value}, limit=1).documents
    look(seats(site, True), f"/jobs/{found.id}")


@pytest.mark.parametrize("address", FOR_STRANGERS)
def test_so_does_what_strangers_see(seats: Seats, site: Site, address: str) -> None:
    look(seats(site, False), address)


@pytest.mark.parametrize("address", WITHOUT_ANYTHING)
def test_so_does_a_page_without_anything_on_it(seats: Seats, empty: Site, address: str) -> None:
    look(seats(empty, True), address)


def test_so_does_the_page_of_an_address_that_leads_nowhere(seats: Seats, site: Site) -> None:
    reader = seats(site, False)
    reader.page.set_viewport_size(PHONE)
    assert reader.go("/nowhere/" + "x" * 300).status == 404
    assert reader.too_wide() == []
    assert reader.barriers() == []
    # Chromium itself tells of the status, and nobody of anything else.
    assert [said for said in reader.complaints if "status of 404" not in said] == []
    reader.complaints.clear()


def test_the_description_of_the_api_fits_a_phone_and_keeps_nobody_out(
    seats: Seats, site: Site
) -> None:
    look(seats(site, False), "/docs")


# --- pages that are answers to forms ----------------------------------------------------------


def test_so_does_the_page_that_shows_a_key_once(visit: Visit, own: Site) -> None:
    reader = visit(own.url, own.key)
    page = reader.page
    reader.go("/settings")
    page.get_by_label("What it is for").fill("reading " * 12)
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("A key was made")
    look_around(reader)


def test_so_does_an_export_while_it_is_made_and_afterwards(visit: Visit, tmp_path: Path) -> None:
    made = filled(tmp_path)
    chosen = made.settings.model_copy(update={"export_small_bytes": 0})
    services, queue = by_hand(replace(made, settings=chosen))
    with served(services) as site:
        reader = visit(site.url, site.key)
        page = reader.page
        reader.go("/exports")
        page.get_by_role("button", name="Export").click()
        expect(page.get_by_text("The file is being made")).to_be_visible()
        look_around(reader)
        deliver_all(services, queue)
        page.reload()
        expect(page.get_by_role("link", name="Download")).to_be_visible()
        look_around(reader)
        reader.leave()


def test_so_does_the_way_in_by_github(visit: Visit, tmp_path: Path) -> None:
    services = open_services(tmp_path)
    key = keys.create(services, SYSTEM, "octocat's", Role.ADMIN)
    sign_in.attach(services, SYSTEM, key.key.id, ACCOUNT)
    with (
        oauth_server() as github,
        served(replace(services, sign_in=github.flow()), key=key.text) as site,
    ):
        github.callback = f"{site.url}/sign-in/github/back"
        reader = visit(site.url)
        page = reader.page

        def go_there_and_back() -> None:
            look(reader, "/sign-in")
            page.get_by_role("link", name="GitHub").click()
            page.get_by_role("link", name="Authorize").click()

        # It leads on by itself, and is to be looked at first.
        page.route(f"{github.callback}?*", _without_refresh, times=1)
        go_there_and_back()
        expect(page.get_by_role("heading", level=1)).to_have_text("You are signed in")
        forgive(reader, github.url)
        look_around(reader)
        go_there_and_back()
        page.wait_for_url("**/settings")
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        forgive(reader, github.url)
        reader.leave()


def forgive(reader: Reader, url: str) -> None:
    """Forget that a page was of another site where that is meant."""
    there = f"request to another host: {url}/"
    reader.complaints[:] = [said for said in reader.complaints if not said.startswith(there)]


def _without_refresh(route: Route) -> None:
    answer = route.fetch()
    body, count = re.subn(r'<meta http-equiv="refresh"[^>]*>', "", answer.text())
    assert count == 1
    route.fulfill(response=answer, body=body)
