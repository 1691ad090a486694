"""Chromium for the tests and for pictures: one of Debian's packages, driven by Playwright.

It can reach nothing but loopback. ``python -m tests.support.browser report.xml`` fails if a test
run did not look at the pages in it.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    sync_playwright,
)

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first is Chromium without the frame of a window, which takes as long to draw as a page."""

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

TESTS = "tests.browser."
"""How the tests that need Chromium are named in a report."""

_COLOURS = ("color-contrast", "link-in-text-block")
_AXE = Path(__file__).parents[1] / "browser" / "axe-core" / "axe.min.js"


@functools.cache
def find_browser() -> str | None:
    """The path of an installed Chromium."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def missing() -> str | None:
    """Why pages cannot be looked at here, None if they can."""
    return "Chromium is not installed" if find_browser() is None else None


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running Chromium without a window."""
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Reader:
    """Somebody with a page before them, what they see there and what it complains of.

    ``complaints`` are errors on the console, errors of scripts and requests to other hosts. Who
    ``shares`` a window leaves it to others.
    """

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    shares: bool = False

    def __post_init__(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", self._asked)

    @classmethod
    def arrives(
        cls,
        browser: Browser,
        url: str,
        *,
        width: int = 1280,
        height: int = 900,
        theme: Literal["light", "dark"] = "light",
        **context: Any,
    ) -> Reader:
        """In a new window of that many pixels. ``context`` goes to Playwright's ``new_context``."""
        chosen = {"locale": "en-GB", "timezone_id": "UTC", "reduced_motion": "reduce", **context}
        made = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, **chosen
        )
        made.set_default_timeout(15_000)
        return cls(made.new_page(), url)

    @classmethod
    def joins(
        cls,
        window: BrowserContext,
        url: str,
        *,
        width: int = 1280,
        height: int = 900,
        theme: Literal["light", "dark"] = "light",
    ) -> Reader:
        """In a window that others use as well, one after the other."""
        page = window.new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=theme)
        return cls(page, url, shares=True)

    def go(self, address: str) -> Response:
        """Open an address of the server, with its scripts run."""
        answer = self.page.goto(self.url + address)
        assert answer is not None
        return answer

    def sign_in(self, key: str) -> None:
        """With an API key, by the keyboard."""
        self.go("/sign-in")
        self.page.fill("#key", key)
        self.page.press("#key", "Enter")
        self.page.wait_for_url("**/settings?done=signed-in")

    def leave(self) -> None:
        """Close the window, or the page in one that is shared, and forget its cookies."""
        if self.shares:
            self.page.close()
            self.page.context.clear_cookies()
        else:
            self.page.context.close()

    def too_wide(self) -> list[str]:
        """What makes the page scroll sideways: nothing should."""
        found: list[str] = self.page.evaluate(_TOO_WIDE)
        return found

    def barriers(self, *, colours_only: bool = False) -> list[str]:
        """What axe-core finds that keeps people out: serious and critical, opened details too."""
        self.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(axe_core())
        only = {"type": "rule", "values": _COLOURS} if colours_only else None
        options = {
            "resultTypes": ["violations"],
            "preload": False,
            **({"runOnly": only} if only else {}),
        }
        found = self.page.evaluate(f"axe.run(document, {json.dumps(options)})")
        return [
            f"{each['impact']} {each['id']}: {each['nodes'][0]['html'][:200]}"
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
        ]

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/", "data:", "about:")):
            self.complaints.append(f"request to another host: {request.url}")


_TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const wide = [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > width + 1);
  return [`${document.documentElement.scrollWidth} pixels`, ...wide.slice(0, 5).map((one) => one.outerHTML.slice(0, 120))];
}"""  # noqa: E501 - it is a script


@functools.cache
def axe_core() -> str:
    """The script that looks for barriers."""
    return _AXE.read_text(encoding="utf-8")


def check_report(report: Path) -> list[str]:
    """What is wrong with a test run: no test looked at a page in Chromium."""
    cases = ET.parse(report).getroot().iter("testcase")
    ran = any(
        f"{case.get('classname')}.".startswith(TESTS) and case.find("skipped") is None
        for case in cases
    )
    reason = missing() or "it is installed"
    return [] if ran else [f"No test looked at the pages in Chromium ({reason})."]


if __name__ == "__main__":
    problems = check_report(Path(sys.argv[1]))
    sys.stderr.write("".join(f"{problem}{os.linesep}" for problem in problems))
    sys.exit(bool(problems))
