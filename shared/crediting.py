"""From the events of both sources to a repository's contributions."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial

from shared import authority, people, rule_sets, sync_state
from shared.accounts import Classifier
from shared.authority import Authority, sources_parameter
from shared.context import Services
from shared.coverage import Captured, captured, with_github
from shared.errors import RetryLater
from shared.mails import mail_digest, mail_secret
from shared.models import Kind, iso
from shared.ports import Unit
from shared.repositories import unit_name
from shared.tables import Dataset


def held_of(services: Services, repo_id: int | None, number: int) -> tuple[Captured, Authority]:
    """What is captured of a repository, and which source counts when.

    ``repo_id`` is None while it is unknown: then only the archive can have anything of it.
    """
    held = captured(services.warehouse.units(Dataset.EVENTS), number)
    if repo_id is None:
        return held, authority.ARCHIVE_ALONE
    found = authority_of(services, repo_id, number, held.hours)
    return with_github(held, found), found


def authority_of(
    services: Services, repo_id: int, number: int, captured: frozenset[datetime]
) -> Authority:
    """What holds for a repository now. ``number`` is that of its registration."""
    (document,) = services.documents.get(sync_state.path(repo_id))
    state = None if document is None else sync_state.read(document)
    if state is None or state.number != number or not any(map(state.known, Kind)):
        return authority.ARCHIVE_ALONE
    rows = services.warehouse.query("measure_numbers", {"repo_ids": [repo_id]}).to_pylist()
    months = [
        authority.Month(
            datetime(row["month"] // 100, row["month"] % 100, 1, tzinfo=UTC),
            row["numbers"],
            row["seen"],
            row["pushes_unknown"],
        )
        for row in rows
    ]
    return authority.decide(state, months, captured, services.settings.source)


def credit(
    services: Services,
    repo_id: int,
    number: int,
    held: Captured,
    found: Authority,
) -> Unit:
    """Make a repository's contributions anew. ``held`` and ``found`` are of ``held_of``.

    What the unit notes of itself: as-of time, which source counts when and on what grounds, and
    who is credited for the work of agents. Raises RetryLater if it keeps changing who counts as
    whom.
    """
    for _ in range(3):
        known = people.current(services)
        unit = _credited(services, repo_id, number, held, found, known.parameter)
        # Who was merged or removed meanwhile is credited as they were.
        if people.count(services.documents) == known.changes:
            return unit
    raise RetryLater("It keeps changing who counts as whom. Try again.")


def credit_of(units: Iterable[Unit]) -> str:
    """Who was credited for agents' work in contributions or standings, as receipts say it."""
    return ", ".join(sorted({str(unit.about.get("agent_credit", "author")) for unit in units}))


def _credited(
    services: Services, repo_id: int, number: int, held: Captured, found: Authority, who: str
) -> Unit:
    if held.as_of is None:
        raise ValueError(f"nothing is captured of repository {repo_id}")
    how = services.settings.agent_credit
    return services.warehouse.derive(
        "credit_contributions",
        {
            "repo_ids": [repo_id],
            "sources": sources_parameter({repo_id: found}),
            "people": who,
            "agents": _agents(services, repo_id, found),
            "agent_credit": how,
        },
        Dataset.CONTRIBUTIONS,
        unit_name(repo_id),
        {
            "repo_id": repo_id,
            "number": number,
            "as_of": iso(held.as_of),
            "source": "archive and github" if found.spans else "archive",
            "authority": authority.as_json(found),
            "agent_credit": how,
        },
    )


def _agents(services: Services, repo_id: int, found: Authority) -> str:
    """Agents and bots among those whom GitHub names in a repository, as crediting takes them."""
    if not found.known:
        return "[]"
    named = services.warehouse.query("list_co_authors", {"repo_ids": [repo_id]})
    classifier = Classifier(rule_sets.class_overrides(services))
    digest = partial(mail_digest, mail_secret(services))
    return json.dumps(classifier.others_named(named, digest))
