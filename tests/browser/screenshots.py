"""Pictures of the main pages, made from the sample: what ``make screenshots`` does.

    python -m tests.browser.screenshots OUT

Money is invented: nothing is metered on one machine.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser

from infra.cli.sample import sample_names
from shared import auth
from shared.auth import Role
from tests.support.browser import Reader, chromium, missing
from tests.support.browser_world import Site, served
from tests.support.operations_world import with_money
from tests.support.scenario import open_services

QUALITY = 82
"""Of WebP: text is still sharp, and a page takes less than 100 KB."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A page in a window of some size."""

    name: str
    address: str
    theme: Literal["light", "dark"] = "light"
    width: int = 1360
    height: int = 900


def pictures() -> Iterator[Picture]:
    """The pictures that are taken."""
    boards = [name.full for name in sample_names()[:3]]
    yield Picture("leaderboard", "/leaderboard")
    yield Picture("leaderboard-dark", "/leaderboard", theme="dark")
    yield Picture("leaderboard-phone", "/leaderboard", width=360, height=740)
    yield Picture("dashboard", "/dashboard")
    yield Picture("dashboard-dark", "/dashboard", theme="dark")
    yield Picture("repository", f"/repositories/{boards[0]}")
    yield Picture("contributor", "/contributors/odabrightwell")
    yield Picture("compare", f"/compare?repos={','.join(boards)}", height=1200)
    yield Picture("what-if", "/what-if?points.COMMENT=12", height=1300)
    yield Picture("pipeline", "/dashboard/pipeline")
    yield Picture("costs", "/costs?period=month")
    yield Picture("coverage", "/coverage")


def take(browser: Browser, site: Site, picture: Picture) -> bytes:
    """A picture as WebP. Raises RuntimeError with what the page complained of."""
    reader = Reader.arrives(
        browser, site.url, width=picture.width, height=picture.height, theme=picture.theme
    )
    try:
        reader.go(picture.address)
        reader.page.wait_for_function("!document.querySelector('.live-state[data-tone=warn]')")
        shot = reader.page.screenshot()
        problems = [*reader.complaints, *reader.too_wide()]
    finally:
        reader.leave()
    if problems:
        raise RuntimeError("\n".join([picture.address, *problems]))
    packed = io.BytesIO()
    Image.open(io.BytesIO(shot)).save(packed, "WEBP", quality=QUALITY, method=6)
    return packed.getvalue()


@contextmanager
def sample() -> Iterator[Site]:
    """The sample's boards, served from a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "DATA_DIR": folder, "PORT": "0", "SERVE": "0", "ARCHIVE": ""}
        subprocess.run(
            [sys.executable, "-m", "infra.cli", "run"],
            check=True, env=environment, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        services = with_money(
            open_services(Path(folder), log_level="ERROR"),
            names=[name.full for name in sample_names()],
        )
        key, write = auth.new_key(services, "pictures", Role.ADMIN)
        services.documents.write([write])
        with served(services, key=key) as site:
            yield site


def main() -> int:
    parser = argparse.ArgumentParser(description="Take pictures of the main pages.")
    parser.add_argument("out", type=Path, help="directory for the pictures")
    out = parser.parse_args().out
    reason = missing()
    if reason is not None:
        print(f"No pictures: {reason}.", file=sys.stderr)  # noqa: T201 - a command people run
        return 1
    out.mkdir(parents=True, exist_ok=True)
    with sample() as site, chromium() as browser:
        for picture in pictures():
            path = out / f"{picture.name}.webp"
            path.write_bytes(take(browser, site, picture))
            print(f"{path} {path.stat().st_size // 1000} KB")  # noqa: T201 - likewise
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
