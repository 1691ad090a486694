"""Who moved on a board, as a feed: Atom (RFC 4287) and JSON Feed 1.1."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from flask import render_template

from functions.dashboard.words import WINDOWS, score, stamp
from functions.outside.lettering import plain
from shared.boards import Row
from shared.movements import Moves, said

EACH = 50
IN_ALL = 100
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """One move: what it was, when, whose, and where that person's page is."""

    id: str
    title: str
    text: str
    at: str
    who: str
    url: str


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed. Addresses are whole ones; times are RFC 3339 in UTC."""

    id: str
    title: str
    page: str
    self_: str
    updated: str
    entries: tuple[Entry, ...]


def of_moves(name: str, history: Sequence[Moves], *, page: str, self_: str, people: str) -> Feed:
    """The feed of a board. ``people`` is the address of somebody's page, with ``{login}`` in it.

    An entry's id is made from what moved, so a reader sees each move once.
    """
    newest = history[0].head
    board = f"urn:leaderboard:{newest.board}:{newest.window}"
    entries = tuple(
        Entry(
            id=f"{board}:{moves.head.edition}:{row.github_id}",
            title=f"{_name(row)} {said(row)}",
            text=f"{_name(row)} is {said(row)} of {plain(name)} with a score of "
            f"{score(row.score)}.",
            at=stamp(moves.head.published_at),
            who=_name(row),
            url=people.replace("{login}", quote(row.username, safe="")),
        )
        for moves in history
        for row in moves.rows
    )
    title = f"{plain(name)}: who moved, {WINDOWS[newest.window].lower()}"
    return Feed(board, title, page, self_, stamp(newest.published_at), entries)


def _name(row: Row) -> str:
    name = plain(row.username)
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def atom(feed: Feed) -> str:
    """The feed as Atom."""
    return render_template("outside/feed.xml", feed=feed)


def json_feed(feed: Feed) -> str:
    """The feed as JSON Feed."""
    return json.dumps(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": feed.title,
            "home_page_url": feed.page,
            "feed_url": feed.self_,
            "language": "en",
            "items": [
                {
                    "id": entry.id,
                    "url": entry.url,
                    "title": entry.title,
                    "content_text": entry.text,
                    "date_published": entry.at,
                    "authors": [{"name": entry.who}],
                }
                for entry in feed.entries
            ],
        },
        ensure_ascii=False,
    )
