"""Parts of a board's rows that templates would escape one by one: filters that give SVG and cells.

A board of fifty rows has two thousand of them, which is most of the time that its page takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import quote

from flask import request
from markupsafe import Markup

from functions.dashboard.score_bars import Segment
from functions.dashboard.words import KINDS, points

_UNQUOTED = "!$'()*,/:;=@~"
"""What may stand in a path beside letters and digits. RFC 3986, section 3.3."""


def drawn(segments: Sequence[Segment]) -> Markup:
    """The rectangles of a bar. Numbers and our own words: there is nothing to escape."""
    rectangles = (
        f'<rect class="k{s.number}" x="{s.start}" width="{s.length}" height="10"><title>'
        f"{KINDS[s.kind]}: {points(s.points)} ({s.share} %)</title></rect>"
        for s in segments
    )
    return Markup("".join(rectangles))  # noqa: S704 - no text of others is in it


def cells(counts: Mapping[str, int]) -> Markup:
    """The cells of a row's counts; those that are 0 have the class ``z``."""
    made = (f"<td>{n:,}</td>" if n else '<td class="z">0</td>' for n in counts.values())
    return Markup("".join(made))  # noqa: S704 - no text of others is in it


def contributor_link(login: str) -> str:
    """The page of a contributor."""
    return f"{request.script_root}/contributors/{quote(login, safe=_UNQUOTED)}"


def day(value: date) -> str:
    """A day in UTC: ``20 Mar 2025``."""
    return f"{value.day} {value:%b %Y}"


FILTERS: Mapping[str, Callable[..., Any]] = {
    "drawn": drawn,
    "cells": cells,
    "contributor_link": contributor_link,
    "day": day,
}
