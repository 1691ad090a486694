"""Text as it is drawn: made harmless, measured and shortened, in the font that comes along.

DejaVu Sans (``fonts/``, free to pass on with its licence) is as wide as the Verdana that badges are
commonly drawn in, and has the letters of most alphabets.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

from PIL import ImageFont

_FONTS = Path(__file__).parent / "fonts"
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, marks of direction, halves of pairs, what is no character: none of it is drawn."""

_ELLIPSIS = "…"


def plain(text: str) -> str:
    """The text without characters that nobody sees, which XML forbids or which turn text around."""
    return "".join(c for c in text if unicodedata.category(c) not in _UNSEEN).strip()


@cache
def font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The font at a size in pixels."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    # The plain layout is the same on every machine, whatever libraries it has.
    return ImageFont.truetype(_FONTS / name, size, layout_engine=ImageFont.Layout.BASIC)


def width(text: str, size: int, *, bold: bool = False) -> float:
    """How wide a text is, in pixels."""
    return font(size, bold=bold).getlength(text)


def fitted(text: str, size: int, most: float, *, bold: bool = False) -> str:
    """The text, made harmless, cut to a width in pixels."""
    whole = plain(text)[:400]
    if width(whole, size, bold=bold) <= most:
        return whole
    low, high = 0, len(whole)
    while low < high:
        middle = (low + high + 1) // 2
        if width(whole[:middle] + _ELLIPSIS, size, bold=bold) <= most:
            low = middle
        else:
            high = middle - 1
    return whole[:low].rstrip() + _ELLIPSIS
