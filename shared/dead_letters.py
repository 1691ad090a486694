"""Dead letters: jobs that failed for good, and messages that nobody could take.

A letter is open until somebody settles it, by having it retried or discarding it. Settled ones go
with retention.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from shared import audit, job_control
from shared.context import Caller, Services
from shared.errors import NotFound
from shared.messages import CHANGED
from shared.models import iso
from shared.ports import Document, DocumentPage, Json, Query, Transaction, Write


class DeadLetter(BaseModel):
    """A letter as it is stored. ``job_id`` is set for a job, ``data`` for a message.

    ``settled_as`` is ``retried`` or ``discarded``.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    failed_at: str
    reason: str
    job_id: str | None = None
    type: str | None = None
    data: dict[str, Json] | None = None
    settled_at: str | None = None
    settled_as: str | None = None


def read(document: Document) -> DeadLetter:
    return DeadLetter.model_validate({**document.fields, "id": document.id})


def open_letters(services: Services, *, after: str | None = None, limit: int = 20) -> DocumentPage:
    """Letters that nobody has settled, newest first."""
    return services.documents.query(
        Query(
            "dead_letters",
            (("settled_at", "==", None),),
            "failed_at",
            descending=True,
            after=after,
            limit=limit,
        )
    )


def get(services: Services, letter_id: str) -> DeadLetter:
    """A letter, open or settled. Raises NotFound."""
    (document,) = services.documents.get(f"dead_letters/{letter_id}")
    if document is None:
        raise _unknown(letter_id)
    return read(document)


def retry(services: Services, caller: Caller, letter_id: str) -> None:
    """Begin the job again, or hand the message over again. A settled letter is left as it is.

    Raises NotFound, and Conflict as ``job_control.retry``.
    """
    letter = get(services, letter_id)
    if letter.settled_at is not None:
        return
    if letter.job_id is not None:
        job_control.retry(services, caller, letter.job_id)
        return
    # Whoever takes messages looks at what they say, not at the topic.
    services.events.publish(CHANGED, letter.data or {}, {})
    _settle(services, caller, letter_id, "retried")


def discard(services: Services, caller: Caller, letter_id: str) -> None:
    """Settle a letter without doing anything about it. Safe to repeat. Raises NotFound."""
    _settle(services, caller, letter_id, "discarded")


def _settle(services: Services, caller: Caller, letter_id: str, how: str) -> None:
    def settle(transaction: Transaction) -> None:
        document = transaction.get(f"dead_letters/{letter_id}")
        if document is None:
            raise _unknown(letter_id)
        if document.fields.get("settled_at") is not None:
            return
        settled = {"settled_at": iso(services.now()), "settled_as": how}
        transaction.write(Write(document.path, {**document.fields, **settled}))
        transaction.write(
            audit.record(
                services,
                caller,
                f"dead_letter.{how}",
                ("dead_letter", letter_id),
                f"Dead letter {how}: {document.fields['reason']}",
            )
        )

    services.documents.transact(settle)


def _unknown(letter_id: str) -> NotFound:
    return NotFound(
        f"There is no dead letter {letter_id[:60]}.", details={"dead_letter": letter_id[:60]}
    )
