"""One Chromium and one leaderboard a test process; pages are closed after each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.support.browser import Reader, chromium, missing
from tests.support.browser_world import Site, busy, served
from tests.support.dashboard_world import filled
from tests.support.scenario import open_services


class Visit(Protocol):
    """Opens a page; by default at the busy leaderboard, and signed in with ``key``.

    What only a window of its own can have, and whoever is ``new``, gets one.
    """

    def __call__(
        self, url: str | None = None, key: str | None = None, *, new: bool = False, **look: Any
    ) -> Reader: ...


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The running Chromium. Skips where there is none."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A leaderboard with everything on it."""
    with served(busy(tmp_path_factory.mktemp("busy"))) as found:
        yield found


@pytest.fixture
def own(browser: Browser, tmp_path: Path) -> Iterator[Site]:
    """A leaderboard with boards, for one test to change."""
    with served(filled(tmp_path)) as found:
        yield found


@pytest.fixture(scope="session")
def empty(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A leaderboard on which nothing is registered."""
    with served(open_services(tmp_path_factory.mktemp("empty"))) as found:
        yield found


@pytest.fixture(scope="session")
def window(browser: Browser) -> Iterator[BrowserContext]:
    """A window that tests share: to open one takes Chromium longer than most tests."""
    first = Reader.arrives(browser, "about:blank")
    yield first.page.context
    first.leave()


@pytest.fixture
def visit(
    browser: Browser, window: BrowserContext, request: pytest.FixtureRequest
) -> Iterator[Visit]:
    """Opens pages. At the end none of them may have complained of anything."""
    readers: list[Reader] = []

    def arrive(
        url: str | None = None, key: str | None = None, *, new: bool = False, **look: Any
    ) -> Reader:
        there = request.getfixturevalue("site").url if url is None else url
        if new or look.keys() - {"width", "height", "theme"}:
            reader = Reader.arrives(browser, there, **look)
        else:
            reader = Reader.joins(window, there, **look)
        readers.append(reader)
        if key is not None:
            reader.sign_in(key)
        return reader

    yield arrive
    for reader in readers:
        reader.leave()
    assert [said for reader in readers for said in reader.complaints] == []


@pytest.fixture(scope="module")
def seats(browser: Browser) -> Iterator[Callable[[Site, bool], Reader]]:
    """Windows that stay open for all tests of a file: of each site one signed in and one not.

    At the end nothing of what they complained of may be left that no test looked at.
    """
    taken: dict[tuple[str, bool], Reader] = {}

    def seat(at: Site, signed_in: bool) -> Reader:
        found = taken.get((at.url, signed_in))
        if found is None:
            found = taken[at.url, signed_in] = Reader.arrives(browser, at.url)
            if signed_in:
                found.sign_in(at.key)
        return found

    yield seat
    for reader in taken.values():
        reader.leave()
    assert [said for reader in taken.values() for said in reader.complaints] == []
