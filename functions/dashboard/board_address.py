"""The address of a board: what a reader has chosen, read from a query and written to links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

from flask import request, url_for

from shared.board_reading import Selection
from shared.boards import ALL_CLASSES, CLASSES, SORTS
from shared.errors import Rejected
from shared.models import WINDOW_DAYS

PAGE_SIZES = (25, 50, 100)
_CLASSES = (*(account_class.value for account_class in CLASSES), ALL_CLASSES)
_ORDERS = ("asc", "desc")
_LONGEST_SEARCH = 100
_LAST_PAGE = 1_000_000


@dataclass(frozen=True, slots=True)
class BoardAddress:
    """A board's page. ``order`` is empty for the sort's own: best first, names from A.

    ``endpoint`` and ``place`` (its path parameters) say which board. A field that has its default
    is left out of the address, and an empty ``generation`` is the current one.
    """

    endpoint: str
    place: Mapping[str, str] = field(default_factory=dict)
    window: str = "all"
    account_class: str = "human"
    search: str = ""
    sort: str = "rank"
    order: str = ""
    page: int = 1
    page_size: int = 50
    generation: str = ""

    @classmethod
    def read(
        cls, endpoint: str, place: Mapping[str, str], query: Mapping[str, str]
    ) -> BoardAddress:
        """The address that a query describes. Raises Rejected naming what is wrong with it."""
        return cls(
            endpoint,
            place,
            _one_of("window", query.get("window") or "all", tuple(WINDOW_DAYS)),
            _one_of("class", query.get("class") or "human", _CLASSES),
            query.get("search", "").strip()[:_LONGEST_SEARCH],
            _one_of("sort", query.get("sort") or "rank", SORTS),
            _one_of("order", query.get("order", ""), ("", *_ORDERS)),
            _whole("page", query.get("page") or "1", _LAST_PAGE),
            _whole("page_size", query.get("page_size") or "50", PAGE_SIZES[-1]),
            query.get("generation", "")[:64],
        )

    @property
    def selection(self) -> Selection:
        descending = None if not self.order else self.order == "desc"
        offset = (self.page - 1) * self.page_size
        return Selection(
            self.account_class, self.sort, descending, self.search, offset, self.page_size
        )

    @property
    def descending(self) -> bool:
        """How the rows really run."""
        return self.order == "desc" if self.order else self.sort not in ("rank", "username")

    @property
    def parameters(self) -> dict[str, str]:
        """What stands in the query: whatever is not the default."""
        chosen = {
            "window": self.window,
            "class": self.account_class,
            "search": self.search,
            "sort": self.sort,
            "order": self.order,
            "page": str(self.page),
            "page_size": str(self.page_size),
            "generation": self.generation,
        }
        return {name: value for name, value in chosen.items() if value != _DEFAULTS[name]}

    @property
    def json(self) -> str:
        """The same rows from the API, which takes the same parameters."""
        board = [quote(part, safe="") for part in self.place.values()] or ["global"]
        query = f"?{urlencode(self.parameters)}" if self.parameters else ""
        return f"{request.script_root}/api/v1/leaderboard/{'/'.join(board)}{query}"

    def link(self, **changes: Any) -> str:
        """The address with some of it changed. Whatever changes the rows begins at page 1.

        A generation belongs to a window, so another window shows its current one.
        """
        if "window" in changes:
            changes = {"generation": "", **changes}
        if "page" not in changes:
            changes["page"] = 1
        changed = replace(self, **changes)
        return url_for(self.endpoint, **self.place, **changed.parameters)  # type: ignore[arg-type]

    def sorted_by(self, sort: str) -> str:
        """The address of this board by another column, or the other way round by the same."""
        if sort != self.sort:
            return self.link(sort=sort, order="")
        return self.link(order="asc" if self.descending else "desc")

    def direction(self, sort: str) -> str:
        """``aria-sort`` of a column, empty where the rows are not sorted by it."""
        if sort != self.sort:
            return ""
        return "descending" if self.descending else "ascending"


_DEFAULTS = {
    "window": "all",
    "class": "human",
    "search": "",
    "sort": "rank",
    "order": "",
    "page": "1",
    "page_size": "50",
    "generation": "",
}


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        words = ", ".join(word for word in allowed if word)
        raise Rejected(
            f"{name} {value[:60]!r} is not known. Use one of: {words}.", details={"field": name}
        )
    return value


def _whole(name: str, text: str, most: int) -> int:
    # Superscripts are digits to isdigit() and no number to int().
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:12]) <= most:
        raise Rejected(
            f"{name} {text[:60]!r} is not a whole number from 1 to {most:,}.",
            details={"field": name},
        )
    return int(text)
