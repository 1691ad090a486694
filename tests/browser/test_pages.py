"""Every page: nobody is kept out, in either theme; it fits a phone; nothing is asked elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import ViewportSize

from shared import jobs
from shared.jobs import State
from tests.support.browser import Reader
from tests.support.browser_world import Site

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


def look(reader: Reader, address: str, status: int = 200) -> None:
    """On a phone and on a screen, light and dark."""
    reader.page.set_viewport_size(PHONE)
    assert reader.go(address).status == status
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
    reader = seats(site, False)
    reader.page.set_viewport_size(PHONE)
    reader.go("/docs")
    assert reader.too_wide() == []
    assert reader.barriers() == []
