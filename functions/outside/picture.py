"""The picture that a link to a board is shown with elsewhere (Open Graph), as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO

from PIL import Image, ImageDraw

from functions.dashboard.words import WINDOWS, moment, number, plural, score
from functions.outside.lettering import fitted, font, width
from shared.boards import Head, Row

SIZE = (1200, 630)
ROWS = 5

_MARGIN = 72
_PAGE, _INK, _MUTED, _ACCENT, _SUNKEN = "#0e1213", "#e9eeee", "#9dabb0", "#62d2b3", "#1e2527"
_TOP, _STEP = 262, 58
_NAMES, _BARS, _SCORES = _MARGIN + 64, 560, SIZE[0] - _MARGIN

Entry = tuple[int, str, str, int]
"""Rank, name, score, and length of the bar in thousandths."""


def of_board(name: str, head: Head, rows: Sequence[Row]) -> bytes:
    """The first of a board as a PNG of ``SIZE``. The same board gives the same bytes."""
    best = max((row.score for row in rows), default=0.0) or 1.0
    entries = tuple(
        (row.rank, row.username, score(row.score), round(1000 * row.score / best))
        for row in rows[:ROWS]
    )
    known = f"{plural(head.total, 'contributor')} · {WINDOWS[head.window].lower()}"
    return _drawn(name, known, f"As of {moment(head.as_of)}", entries)


@lru_cache(maxsize=64)
def _drawn(name: str, known: str, as_of: str, entries: tuple[Entry, ...]) -> bytes:
    image = Image.new("RGB", SIZE, _PAGE)
    draw = ImageDraw.Draw(image)
    room = SIZE[0] - 2 * _MARGIN
    draw.rectangle((0, 0, SIZE[0], 10), fill=_ACCENT)
    draw.text((_MARGIN, 62), "Contributor leaderboard", _ACCENT, font(28))
    title = fitted(name, 60, room, bold=True)
    draw.text((_MARGIN, 104), title, _INK, font(60, bold=True))
    draw.text((_MARGIN, 192), fitted(known, 30, room), _MUTED, font(30))
    for number_, entry in enumerate(entries):
        _row(draw, _TOP + number_ * _STEP, entry)
    if not entries:
        draw.text((_MARGIN, _TOP), "Nobody contributed in this window.", _MUTED, font(30))
    draw.text((_MARGIN, SIZE[1] - 62), as_of, _MUTED, font(24))
    out = BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _row(draw: ImageDraw.ImageDraw, y: int, entry: Entry) -> None:
    rank, name, points, share = entry
    draw.text((_MARGIN, y), fitted(number(rank), 30, 60), _MUTED, font(30))
    draw.text((_NAMES, y), fitted(name, 30, _BARS - _NAMES - 20), _INK, font(30))
    figures = width(points, 30, bold=True)
    draw.text((_SCORES - figures, y), points, _INK, font(30, bold=True))
    end = _SCORES - 210
    draw.rounded_rectangle((_BARS, y + 12, end, y + 26), 7, fill=_SUNKEN)
    length = (end - _BARS) * share // 1000
    if length >= 14:
        draw.rounded_rectangle((_BARS, y + 12, _BARS + length, y + 26), 7, fill=_ACCENT)
