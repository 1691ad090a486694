"""What a removed repository leaves among the gathered events, and how it goes.

Events that were gathered for registered repositories hold rows of those which were removed since.
A removal is noted; retention takes the rows out of the warehouse by the statement that it runs
anyway, and whole units of which nobody is registered any more. Archive files hold everybody's
events, and what was extracted of the archive serves those who are registered later: both stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from shared import repositories
from shared.context import Services
from shared.models import iso
from shared.ports import Document, Query, Unit, Write
from shared.repositories import Repository
from shared.tables import Dataset

SETTLED = timedelta(hours=2)
"""After a removal. Longer than a step that still read events for it, and an hour beyond: the
warehouse leaves alone what was written within the last hour."""

_MOST = 500
"""Removals that one round sees to. The rest follows in the next."""


def sweep_events(services: Services) -> int:
    """Remove gathered events that belong to nobody any more. Returns how many units and rows.

    Safe to repeat: a note goes after the rows of its repository. Raises BudgetWaits and what else
    a statement raises.
    """
    everyone = repositories.everyone(services)
    removed = _remove_units(services, everyone)
    notes = _due(services, everyone)
    ids = frozenset(
        repo_id for note in notes for repo_id in _ids(services, note) if _is_gone(repo_id, everyone)
    )
    removed += services.warehouse.sweep(Dataset.EVENTS, forgotten=ids)
    if notes:
        services.documents.write([Write(note.path, None) for note in notes])
    return removed


def _remove_units(services: Services, everyone: Sequence[Repository]) -> int:
    numbers = [repository.number for repository in everyone]
    units = services.warehouse.units(Dataset.EVENTS)
    unused = [unit for unit in units if not _serves(unit, numbers)]
    for unit in unused:
        services.warehouse.remove(Dataset.EVENTS, unit.name)
    return len(unused)


def _serves(unit: Unit, numbers: Sequence[int]) -> bool:
    """Whether it holds events of somebody registered, or of everybody. Numbers are never reused."""
    registered = unit.about.get("registered")
    if not isinstance(registered, list):
        return True
    after, until = (int(str(number)) for number in registered)
    return any(after < number <= until for number in numbers)


def _due(services: Services, everyone: Sequence[Repository]) -> list[Document]:
    """Removals that are long enough ago, and of which none can have come back by another name.

    Whoever was registered since and whose id is not known yet might be the one that was removed.
    """
    after = max((each.registered_at for each in everyone if each.github_id is None), default="")
    before = iso(services.now() - SETTLED)
    query = Query(
        "removed_repositories",
        (("removed_at", ">", after), ("removed_at", "<", before)),
        "removed_at",
        limit=_MOST,
    )
    return list(services.documents.query(query).documents)


def _ids(services: Services, note: Document) -> Sequence[int]:
    """The id of the removed repository; by its name, where it was removed before it was known."""
    if note.fields["github_id"] is not None:
        return [int(str(note.fields["github_id"]))]
    found = services.warehouse.query("find_repositories", {"names": [str(note.fields["name"])]})
    return [int(repo_id) for repo_id in found["repo_id"].to_pylist()]


def _is_gone(repo_id: int, everyone: Sequence[Repository]) -> bool:
    return all(repository.github_id != repo_id for repository in everyone)
