"""GraphQL's lists: pages, cursors as GitHub makes them, and its words for bad ones."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from graphql import GraphQLError

Arguments = Mapping[str, Any]
Key = list[Any]
MOST = 100
_HISTORY = re.compile(r"([0-9a-f]{40}) (\d+)")


def problem(kind: str, message: str) -> GraphQLError:
    """An error with GitHub's ``type``."""
    return GraphQLError(message, extensions={"type": kind})


def bad_cursor(cursor: str) -> GraphQLError:
    return problem("INVALID_CURSOR_ARGUMENTS", f"`{cursor}` does not appear to be a valid cursor.")


def cursor_of(key: Key) -> str:
    return base64.b64encode(b"cursor:v2:" + msgspec.msgpack.encode(key)).decode()


def _key_of(cursor: str, like: Key | None) -> Key:
    try:
        text = base64.b64decode(cursor, validate=True)
        if not text.startswith(b"cursor:v2:"):
            raise bad_cursor(cursor)
        key: Key = msgspec.msgpack.decode(text.removeprefix(b"cursor:v2:"), type=list)
    except (ValueError, msgspec.MsgspecError):
        raise bad_cursor(cursor) from None
    if like is not None and [*map(type, key)] != [*map(type, like)]:
        raise bad_cursor(cursor)
    return key


def connection(
    name: str,
    items: Sequence[Any],
    key: Callable[[Any], Key],
    node: Callable[[Any], Any],
    arguments: Arguments,
    descending: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """A page of items in the order of their keys, after or before the key of a cursor."""
    ordered = sorted(items, key=key, reverse=descending)
    bounds = {end: arguments.get(end) for end in ("after", "before")}
    keys = [key(item) for item in ordered]
    start, stop, like = 0, len(ordered), keys[0] if keys else None
    if bounds["after"] is not None:
        after = _key_of(bounds["after"], like)
        start = sum(each >= after if descending else each <= after for each in keys)
    if bounds["before"] is not None:
        before = _key_of(bounds["before"], like)
        stop = sum(each > before if descending else each < before for each in keys)
    cursors = [cursor_of(each) for each in keys]
    return _page(name, ordered, cursors, node, arguments, (start, max(start, stop)), more)


def history(
    shas: Callable[[str], Sequence[str]],
    head: str,
    known: Callable[[str], bool],
    node: Callable[[str], Any],
    arguments: Arguments,
) -> dict[str, Any]:
    """Commits from ``head`` on. A cursor names the commit at which its list began, and a place."""
    start, begin = 0, head
    if (after := arguments.get("after")) is not None:
        found = _HISTORY.fullmatch(after)
        if found is None or not known(found[1]):
            raise bad_cursor(after)
        begin, start = found[1], int(found[2]) + 1
    listed = shas(begin)
    stop = len(listed)
    if (before := arguments.get("before")) is not None:
        found = _HISTORY.fullmatch(before)
        if found is None or found[1] != begin:
            raise bad_cursor(before)
        stop = min(stop, int(found[2]))
    cursors = [f"{begin} {place}" for place in range(len(listed))]
    return _page("history", listed, cursors, node, arguments, (start, max(start, stop)), {})


def _page(
    name: str,
    items: Sequence[Any],
    cursors: Sequence[str],
    node: Callable[[Any], Any],
    arguments: Arguments,
    span: tuple[int, int],
    more: Mapping[str, Any],
) -> dict[str, Any]:
    start, stop = span
    first, last = arguments.get("first"), arguments.get("last")
    for word, size in (("first", first), ("last", last)):
        if size is not None and size > MOST:
            raise problem(
                "EXCESSIVE_PAGINATION",
                f"Requesting {size} records on the `{name}` connection exceeds the `{word}` limit"
                f" of {MOST} records.",
            )
    begin, end = start, stop
    if first is not None:
        end = min(stop, start + first)
    if last is not None:
        begin = max(begin, end - last)
    chosen = range(begin, end)

    def bounded() -> range:
        if first is None and last is None:
            raise problem(
                "MISSING_PAGINATION_BOUNDARIES",
                "You must provide a `first` or `last` value to properly paginate the"
                f" `{name}` connection.",
            )
        return chosen

    return {
        "totalCount": len(items),
        "nodes": lambda _: [node(items[at]) for at in bounded()],
        "edges": lambda _: [{"cursor": cursors[at], "node": node(items[at])} for at in bounded()],
        "pageInfo": {
            "startCursor": cursors[begin] if chosen else None,
            "endCursor": cursors[end - 1] if chosen else None,
            "hasNextPage": end < len(items),
            "hasPreviousPage": begin > 0,
        },
        "filteredCount": len(items),
        "pageCount": len(chosen),
        **more,
    }
