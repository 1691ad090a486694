"""A repository with names that nobody would want, and pages read as a strict browser would."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

from flask.testing import FlaskClient

from shared import job_steps, jobs, recalculation, repositories, scraping
from shared.context import SYSTEM, Services
from tests.support.apps import app_over
from tests.support.lines import (
    ANA,
    BEN,
    COPILOT,
    DEPENDABOT,
    ENGINE,
    Line,
    Repo,
    User,
    day,
    pr_merged,
    pr_opened,
    push,
    review,
)
from tests.support.scenario import LINES, ingest, name_of, open_services

SCRIPT = User(900, "<script>alert(1)</script>")
BACKWARDS = User(901, "\u202eevil\u2066\u05d0\u05d1")
ENDLESS = User(902, "x" * 300)
PICTURES = User(903, "🦀🦀🦀")
QUOTES = User(904, "\"'><img src=x onerror=alert(1)>")
HOSTILE = (SCRIPT, BACKWARDS, ENDLESS, PICTURES, QUOTES)

FIRST = [
    *LINES,
    *(
        push(100 + number, day(4), somebody, push_id=100 + number, distinct_size=1)
        for number, somebody in enumerate(HOSTILE)
    ),
    push(120, day(5), DEPENDABOT, push_id=120, distinct_size=2),
    push(121, day(5), COPILOT, push_id=121, distinct_size=2),
    pr_opened(122, day(5), BEN, 50),
    pr_merged(123, day(5), ANA, 50, author=BEN, additions=90_000, deletions=1),
    review(124, day(6), BEN, 50, review_id=50, author=BEN),
]
LATER = [push(200, day(13), User(950, "zoe"), push_id=200, distinct_size=99)]

VOID = {"meta", "link", "input", "br", "img", "hr"}


class Balanced(HTMLParser):
    """Fails on a tag that is not closed, or closed and not open; collects what pages refer to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.inline: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert len(given) == len(attrs), f"{tag} has an attribute twice: {attrs}"
        if tag == "a":
            self.links.append(given["href"] or "")
        self.sources += [given[name] or "" for name in ("src", "srcset") if name in given]
        loaded = tag == "link" and given.get("rel") != "alternate"
        self.sources += [given["href"] or ""] if loaded else []
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        self.inline += ["script"] if tag == "script" and "src" not in given else []
        self.inline += ["style"] if tag == "style" else []
        self.ids += [given["id"] or ""] if "id" in given else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another"


def client_over(services: Services) -> FlaskClient:
    client = app_over(lambda: services).test_client()
    client.environ_base["HTTP_ACCEPT"] = "text/html"
    return client


def scrape(services: Services, repository: Repo = ENGINE) -> None:
    """Register or refresh one repository and carry out all its work."""
    name = name_of(repository)
    registered = repositories.register(services, name, SYSTEM).job
    job = registered or repositories.request_scrape(services, name, SYSTEM, full=False)[0]
    for step in (scraping.scrape, recalculation.recalculate):
        now = jobs.get(services, job.id)
        job_steps.run(services, job.id, now.dispatches, "once", partial(step, services))
    recalculation.recalculate_global(services)


def filled(folder: Path, more: Sequence[Line] = ()) -> Services:
    """Services with boards that were published twice, so that somebody has moved.

    ``more`` happened before the first time.
    """
    made = open_services(folder / "data", retry_seconds=())
    ingest(made, folder / "files", {"one.json.gz": [*FIRST, *more]})
    scrape(made)
    ingest(made, folder / "files", {"two.json.gz": LATER})
    scrape(made)
    return made
