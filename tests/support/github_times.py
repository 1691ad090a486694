"""Times as the history writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def written(moment: str | datetime) -> str:
    """An aware time, or its text in any zone, as ``2025-02-01T08:00:00Z``."""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read(text: str) -> datetime:
    return datetime.fromisoformat(text)
