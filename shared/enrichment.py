"""Enrichment of contributors: what they tell of themselves in their public profile.

One document a contributor, ``contributors/<account id>``, holds where the enrichment stands and
what was noted. It alone names the account: tasks, logs and the audit trail know the enrichment by
its own id, so that with the document everything is gone that leads to the person.

    PENDING -> RUNNING -> COMPLETED | FAILED
       ^          |
       +----------+  put off, or tried again after a passing failure

As with jobs (``shared/jobs.py``), the truth is here and not in the queue: dispatches number the
tasks, and ``due_at`` is when the sweep looks after what should have moved by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from shared import audit, flag_config
from shared.context import SYSTEM, Caller, Services
from shared.errors import Conflict, Severity
from shared.flags import ENRICHMENT
from shared.jobs import JobError
from shared.models import iso, parse_time
from shared.ports import Document, DocumentPage, Json, Query, Task, Transaction, Write
from shared.profiles import Noted, SocialLink

SLACK = timedelta(minutes=10)
"""After which the sweep sees to it that a task was added: a repeat costs nothing."""

SOON_AGAIN = timedelta(hours=20)
"""Before the next daily round: what failed in passing is tried again with it."""


class EnrichmentState(StrEnum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class Enrichment(BaseModel):
    """An enrichment as it is stored. Times are RFC 3339 texts in UTC.

    ``attempts`` counts those of this round, ``enriched_at`` is when ``fields`` and ``social`` were
    noted last, ``due_at`` None once it has ended. ``note`` says why there is nothing.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    github_id: int
    login: str
    state: EnrichmentState = EnrichmentState.PENDING
    asked_at: str
    dispatches: int = 1
    dispatched_at: str
    holder: str | None = None
    attempts: int = 0
    waits_until: str | None = None
    due_at: str | None
    ended_at: str | None = None
    enriched_at: str | None = None
    note: str | None = None
    error: JobError | None = None
    fields: dict[str, Noted] = Field(default_factory=dict)
    social: tuple[SocialLink, ...] = ()

    @property
    def ended(self) -> bool:
        return self.state in (EnrichmentState.COMPLETED, EnrichmentState.FAILED)


@dataclass(frozen=True, slots=True)
class Asked:
    """The enrichment that answers a request, and whether it is new: one under way serves all."""

    enrichment: Enrichment
    created: bool


def path(github_id: int) -> str:
    """Where the enrichment of an account is stored."""
    return f"contributors/{github_id}"


def stored(enrichment: Enrichment) -> Write:
    return Write(path(enrichment.github_id), enrichment.model_dump(mode="json"))


def read(document: Document) -> Enrichment:
    return Enrichment.model_validate(document.fields)


def get(services: Services, github_id: int) -> Enrichment | None:
    """The enrichment of an account, None if none was ever asked for."""
    (document,) = services.documents.get(path(github_id))
    return None if document is None else read(document)


def listed(services: Services, *, after: str | None = None, limit: int = 100) -> DocumentPage:
    """Enrichments, by account."""
    return services.documents.query(Query("contributors", after=after, limit=limit))


def forget(services: Services, account_id: int) -> None:
    """Remove everything. A step that is under way finds nothing to write to."""
    services.documents.write([Write(path(account_id), None)])


def export(services: Services, account_id: int) -> Json:
    """Everything that is stored of an account here, None where there is nothing."""
    (document,) = services.documents.get(path(account_id))
    return None if document is None else dict(document.fields)


def is_due(services: Services, found: Enrichment | None, login: str) -> bool:
    """True if a profile is to be read now: never read, too old, or the account is renamed."""
    if found is None:
        return True
    if not found.ended or found.ended_at is None:
        return False
    if found.login.lower() != login.lower():
        return True
    age = timedelta(days=services.settings.enrich_after_days)
    if found.error is not None and found.error.severity is not Severity.LOW:
        age = SOON_AGAIN
    return services.now() - parse_time(found.ended_at) >= age


def is_enabled(services: Services, github_id: int, caller: Caller = SYSTEM) -> bool:
    """Whether the flag lets this caller ask for this account's profile."""
    return flag_config.is_on(services, ENRICHMENT, caller=caller, subject=str(github_id))


def request(services: Services, github_id: int, login: str, caller: Caller) -> Asked:
    """Ask for somebody's profile.

    Raises Conflict where GitHub's API is not asked at all, and where the flag is off.
    """
    if not is_enabled(services, github_id, caller):
        raise Conflict("Profiles are not read: the flag enable_enrichment is off.")
    if services.github is None:
        raise Conflict(
            "GitHub's API is not asked here, so there are no profiles. Set GITHUB_TOKEN, and "
            "GITHUB_ACCESS to auto."
        )
    now = iso(services.now())
    fresh = Enrichment(
        id=services.new_id(),
        github_id=github_id,
        login=login,
        asked_at=now,
        dispatched_at=now,
        due_at=iso(services.now() + SLACK),
    )

    def ask(transaction: Transaction) -> Asked:
        document = transaction.get(path(github_id))
        before = None if document is None else read(document)
        if before is not None and not before.ended:
            return Asked(before, created=False)
        kept = () if before is None else ("id", "enriched_at", "ended_at", "fields", "social")
        update = {name: getattr(before, name) for name in kept}
        if before is not None:
            update["dispatches"] = before.dispatches + 1
        asked = fresh.model_copy(update=update)
        transaction.write(stored(asked))
        if caller is not SYSTEM:  # the daily round is nobody's request
            transaction.write(
                audit.record(
                    services,
                    caller,
                    "enrichment.requested",
                    ("enrichment", asked.id),
                    "A contributor's profile requested",
                )
            )
        return Asked(asked, created=True)

    asked = services.documents.transact(ask)
    # Also for one that was found: whoever stored it may have died before this.
    dispatch(services, asked.enrichment)
    return asked


def dispatch(services: Services, enrichment: Enrichment) -> None:
    """See that the task of the current dispatch was added: its name collapses repeats."""
    if enrichment.state is not EnrichmentState.PENDING:
        return
    waits = enrichment.waits_until
    services.tasks.add(
        Task(
            name=f"enrich-{enrichment.id}-{enrichment.dispatches}",
            function="enrich_contributor",
            body={"enrichment": enrichment.id, "dispatch": enrichment.dispatches},
            queue="low",
            not_before=None if waits is None else parse_time(waits),
        )
    )
