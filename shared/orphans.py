"""Generations of boards that nobody keeps any more: what a killed publication left behind."""

from __future__ import annotations

from datetime import timedelta

from shared.context import Services
from shared.generation_store import head_of, remove_generation
from shared.models import iso
from shared.ports import Document, Query

UNTOUCHED_FOR = timedelta(days=1)
"""Beyond any publication, so whoever wrote it is not at it any more."""


def remove_orphans(services: Services, after: str | None, limit: int) -> tuple[int, str | None]:
    """Remove orphans among some generations from a cursor on. Returns how many and the next cursor.

    A generation is kept while its board's pointer shows or keeps it.
    """
    documents = services.documents
    page = documents.query(Query("board_generations", after=after, limit=limit))
    slots = sorted({str(document.fields["slot"]) for document in page.documents})
    # After the generations, so one that was published meanwhile is found to be kept.
    pointers = documents.get(*(f"boards/{slot}" for slot in slots)) if slots else ()
    kept = {
        f"{slot}~{edition}"
        for slot, pointer in zip(slots, pointers, strict=True)
        if pointer is not None
        for edition in _editions(pointer)
    }
    oldest = iso(services.now() - UNTOUCHED_FOR)
    removed = 0
    for document in page.documents:
        if document.id not in kept and str(document.fields["published_at"]) < oldest:
            remove_generation(documents, document)
            removed += 1
    return removed, page.cursor


def _editions(pointer: Document) -> tuple[str, ...]:
    head = head_of(pointer)
    return (head.edition, *head.kept)
