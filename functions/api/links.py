"""Addresses on this server, as they stand in answers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from flask import request

from functions.api.schemas import CursorLinks, Links, PageLinks

LAST_PAGE = 1000
"""The last page that can be asked for; rows further down are found with larger pages or search."""


def here() -> Links:
    """The address that was asked for, and nothing else."""
    return Links(self_=_address(request.args.to_dict()))


def with_cursor(cursor: str | None) -> CursorLinks:
    """A list that goes on at a cursor."""
    asked = request.args.to_dict()
    start = {name: value for name, value in asked.items() if name != "cursor"}
    return CursorLinks(
        self_=_address(asked),
        first=_address(start),
        next=None if cursor is None else _address({**start, "cursor": cursor}),
    )


def with_pages(page: int, total_pages: int, pins: Mapping[str, str]) -> PageLinks:
    """A list in pages. Others than this one are pinned by ``pins``, to what they are pages of."""
    asked = request.args.to_dict()
    pinned = {**asked, **pins}
    last = max(min(total_pages, LAST_PAGE), 1)

    def at(number: int) -> str:
        return _address({**pinned, "page": str(number)})

    return PageLinks(
        self_=_address(asked),
        first=at(1),
        prev=at(min(page - 1, last)) if page > 1 else None,
        next=at(page + 1) if page < last else None,
        last=at(last),
    )


def path_to(*parts: str) -> str:
    """The address of another resource."""
    return request.script_root + "/api/v1/" + "/".join(quote(part, safe="") for part in parts)


def _address(parameters: Mapping[str, str]) -> str:
    path = quote(request.script_root + request.path)
    return f"{path}?{urlencode(parameters)}" if parameters else path
