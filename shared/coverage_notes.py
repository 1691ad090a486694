"""What a coverage says in words: what the archive lacks of a window, and what is not known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Protocol

from shared.authority import Authority
from shared.models import Kind

REVIEWS_BEGIN = datetime(2020, 8, 1, tzinfo=UTC)
CAPTURE_FADES = datetime(2025, 5, 24, tzinfo=UTC)
PAYLOADS_TRIMMED = datetime(2025, 10, 7, tzinfo=UTC)

_ERAS: tuple[tuple[str, datetime | None, datetime | None], ...] = (
    ("The archive has no review events before August 2020.", None, REVIEWS_BEGIN),
    (
        (
            "Since 2025-05-24 the archive misses many events: it saw 42 % of opened pull "
            "requests in 2025-07 and 4 to 16 % in 2026."
        ),
        CAPTURE_FADES,
        None,
    ),
    (
        "Since 2025-10-07 archive payloads carry no commits, merge authors or lines.",
        PAYLOADS_TRIMMED,
        None,
    ),
)
"""What is to be said where the archive is the source of anything in [from, until)."""

_WITHOUT_GITHUB = (
    "GitHub itself was not asked: a token for its API adds what the archive lacks since then, "
    "commits by their authors, who wrote what was merged, and lines."
)

_GAPS = (
    (
        "pushes_without_commits",
        "{} pushes do not say how many commits they brought; their commits are unknown, not zero.",
    ),
    ("merges_unattributed", "{} merges name no author and count for nobody."),
    (
        "commits_unlinked",
        "{} commits bear an address of no account on GitHub and count for nobody.",
    ),
    ("accounts_deleted", "{} contributions are of deleted accounts and count for nobody."),
)


class Unknown(Protocol):
    """Something of which ``unknown`` are not known."""

    @property
    def unknown(self) -> int: ...


def era_notes(begin: datetime, end: datetime, authority: Authority) -> tuple[str, ...]:
    """What the archive lacks in [begin, end), as far as it is the source there."""
    notes = [
        note
        for note, since, until in _ERAS
        if _is_archives(
            max(begin, since or begin), min(end, until or end), authority, reviews=until is not None
        )
    ]
    if not authority.known and _is_archives(max(begin, PAYLOADS_TRIMMED), end, authority):
        notes.append(_WITHOUT_GITHUB)
    return tuple(notes)


def together(parts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """The notes on eras of several coverages, each once."""
    found = {note for part in parts for note in part}
    return tuple(n for n in (*(note for note, _, _ in _ERAS), _WITHOUT_GITHUB) if n in found)


def gap_notes(gaps: Mapping[str, Unknown]) -> tuple[str, ...]:
    """What is not known, by number."""
    return tuple(
        text.format(gaps[name].unknown)
        for name, text in _GAPS
        if name in gaps and gaps[name].unknown
    )


def _is_archives(
    start: datetime, end: datetime, authority: Authority, *, reviews: bool = False
) -> bool:
    """True if any kind (or reviews) has a moment in [start, end) that is the archive's."""
    kinds = (Kind.PR_REVIEWED,) if reviews else Kind
    return start < end and any(
        not any(span.start <= start and end <= span.end for span in authority.days_of(kind))
        for kind in kinds
    )
