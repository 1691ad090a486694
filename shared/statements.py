"""The statements of ``shared/sql``, by name: constant texts, read once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from shared.canonical import canonical_json
from shared.models import Window

_FOLDER = Path(__file__).parent / "sql"

METHOD = ("credit_contributions", "count_standings", "rank_board")
"""The statements that decide a board. Their texts are part of every receipt."""


@cache
def statement(name: str) -> str:
    """The text of ``shared/sql/<name>.sql``. Raises FileNotFoundError for an unknown name."""
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def names() -> tuple[str, ...]:
    """All statements, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.sql")))


@cache
def method_digest() -> str:
    """SHA-256 of the statements that decide a board: another text is another receipt."""
    digest = hashlib.sha256()
    for name in METHOD:
        digest.update(statement(name).encode())
    return digest.hexdigest()


def windows_parameter(windows: Iterable[Window]) -> str:
    """Windows as the statements take them: JSON text, microseconds; an open start is 0."""
    return canonical_json(
        [
            {
                "name": window.name,
                "start": 0 if window.start is None else micros(window.start),
                "end": micros(window.end),
            }
            for window in windows
        ]
    ).decode()


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=moment.tzinfo)) // timedelta(microseconds=1)
