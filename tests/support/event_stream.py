"""Server-sent events, read as a browser reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class ServerSent:
    """One event: its name, the id in force after it, and its data."""

    event: str = "message"
    id: str = ""
    data: Any = None
    _lines: list[str] = field(default_factory=list)


def events(lines: Iterable[str]) -> Iterator[ServerSent]:
    """The events of a stream's lines (WHATWG HTML, 9.2.6)."""
    current = ServerSent()
    for line in lines:
        if not line:
            if current._lines:
                current.data = json.loads("\n".join(current._lines))
                yield current
            current = ServerSent(id=current.id)
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            current._lines.append(value)
        elif name in ("event", "id"):
            setattr(current, name, value)
