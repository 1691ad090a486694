"""The statements of ``shared/sql``, by name: constant texts, read once."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

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
