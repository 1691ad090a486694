"""The weekly report as a letter: HTML that e-mail programs show, with its styles in place.

No picture, no script, no style sheet, nothing loaded from anywhere.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from functions.dashboard.words import FILTERS
from functions.outside.lettering import plain
from shared.weekly_report import Report

_TEMPLATES = Path(__file__).parent / "templates" / "outside"
_LONGEST_NAME = 60


def weekly(report: Report, public_url: str | None) -> str:
    """The report as a whole HTML page. Without ``public_url`` it has no links."""
    base = None if public_url is None else public_url.rstrip("/")
    return _environment().get_template("letter.html").render(report=report, base=base)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {**FILTERS, "named": _named, "quoted": lambda text: quote(text, safe="")}
    return environment


def _named(text: str) -> str:
    name = plain(text)
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
