"""Pictures of the main pages, for people to look at: light, dark and on a phone.

    python -m tests.browser.screenshots URL OUT_DIR

Needs Playwright for Python and a Chromium that is installed already; without them it says so.
"""

from __future__ import annotations

import argparse
import importlib
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@dataclass(frozen=True, slots=True)
class Look:
    """How a page is looked at."""

    name: str
    width: int
    height: int
    theme: str


LOOKS = (
    Look("light", 1360, 900, "light"),
    Look("dark", 1360, 900, "dark"),
    Look("phone", 320, 700, "light"),
)


def find_browser() -> str | None:
    """The path of an installed Chromium."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def find_playwright() -> Any | None:
    """Playwright's synchronous interface, None where it is not installed."""
    try:
        return importlib.import_module("playwright.sync_api")
    except ImportError:
        return None


def take(
    url: str,
    out: Path,
    *,
    full: bool = True,
    addresses: Mapping[str, str] | None = None,
    key: str | None = None,
) -> list[Path]:
    """Take every page in every look. Raises RuntimeError naming what is missing or went wrong.

    ``addresses`` by name are taken in place of the main pages; with ``key`` somebody is signed in.
    """
    playwright, browser_path = find_playwright(), find_browser()
    if playwright is None or browser_path is None:
        missing = "Playwright (pip install playwright)" if playwright is None else "Chromium"
        raise RuntimeError(f"No pictures: {missing} is not installed.")
    out.mkdir(parents=True, exist_ok=True)
    taken: list[Path] = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=browser_path, args=list(ARGUMENTS))
        for look in LOOKS:
            context = browser.new_context(
                viewport={"width": look.width, "height": look.height},
                color_scheme=look.theme,
                locale="en-GB",
                timezone_id="UTC",
            )
            page = context.new_page()
            complaints = _watch(page, url)
            if key is not None:
                _sign_in(page, url, key)
            chosen = _addresses(page, url) if addresses is None else addresses
            for name, address in chosen.items():
                page.goto(url + address, wait_until="load")
                _check_width(page, address, look)
                path = out / f"{name}-{look.name}.png"
                page.screenshot(path=path, full_page=full)
                taken.append(path)
            context.close()
            if complaints:
                raise RuntimeError("\n".join(complaints))
        browser.close()
    return taken


def _addresses(page: Any, url: str) -> dict[str, str]:
    """The pages to take: those with fixed addresses, and the first of each kind that they link."""
    found = {
        "dashboard": "/dashboard",
        "leaderboard": "/leaderboard",
        "pipeline": "/dashboard/pipeline",
        "costs": "/costs",
        "coverage": "/coverage",
        "settings": "/settings",
        "missing": "/nowhere",
    }
    page.goto(url + "/dashboard")
    links = page.eval_on_selector_all("a[href]", "all => all.map(a => a.getAttribute('href'))")
    for name, pattern in (
        ("repository", r"/repositories/[^?]+"),
        ("contributor", r"/contributors/[^?]+"),
        ("job", r"/jobs/[^?]+"),
    ):
        first = next((link for link in links if re.fullmatch(pattern, link)), None)
        if first is not None:
            found[name] = first
    boards = [link for link in dict.fromkeys(links) if re.fullmatch(r"/repositories/[^?]+", link)]
    names = ",".join(link.removeprefix("/repositories/") for link in boards[:3])
    found["compare"] = f"/compare?repos={names}" if len(boards) > 1 else "/compare"
    found["what-if"] = "/what-if?points.COMMENT=12"
    return found


def _sign_in(page: Any, url: str, key: str) -> None:
    page.goto(url + "/sign-in")
    page.fill("#key", key)
    page.press("#key", "Enter")
    page.wait_for_url(f"{url}/settings?done=signed-in")


def _watch(page: Any, url: str) -> list[str]:
    """Collect what a page complains about: errors on its console, requests to other hosts."""
    complaints: list[str] = []

    def heard(message: Any) -> None:
        # The page that is not there answers 404, which Chromium puts on the console.
        if message.type == "error" and "404" not in message.text:
            complaints.append(f"console: {message.text}")

    def asked(request: Any) -> None:
        if not request.url.startswith((url, "data:")):
            complaints.append(f"request to another host: {request.url}")

    page.on("console", heard)
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on("request", asked)
    return complaints


def _check_width(page: Any, address: str, look: Look) -> None:
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > look.width:
        raise RuntimeError(f"{address} is {wide} pixels wide on a screen of {look.width}.")


def main() -> int:
    parser = argparse.ArgumentParser(description="Take pictures of the main pages.")
    parser.add_argument("url", help="where the server listens, e.g. http://127.0.0.1:8080")
    parser.add_argument("out", type=Path, help="directory for the pictures")
    given = parser.parse_args()
    try:
        taken = take(given.url.rstrip("/"), given.out)
    except RuntimeError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command that people run
        return 1
    for path in taken:
        print(path)  # noqa: T201 - a command that people run
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
