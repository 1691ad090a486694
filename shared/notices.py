"""Word to the outside: what somebody should hear of, kept until it was sent or given up.

A notice is a document for each target, ``notices/{id}~{target}``, written together with what it
tells of. The sweep sends what is due. Sending is at least once; the id in ``DELIVERY_HEADER`` tells
repeats. Targets are NOTIFY_WEBHOOK_URL (JSON, signed as calls from outside are) and
SLACK_WEBHOOK_URL (``{"text": ...}``, which Mattermost, Discord and others take as well).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field

from shared import budget_status, people
from shared.breaker import LeftAlone
from shared.budget_status import Standing
from shared.context import Services
from shared.errors import Conflict, LeaderboardError, RetryLater
from shared.models import iso
from shared.ports import ABSENT, Document, Fields, Json, Query, Transaction, Write
from shared.settings import Event
from shared.webhooks import DELIVERY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signature

Target = Literal["generic", "slack"]

ATTEMPTS = 6
KEPT = timedelta(days=60)
"""How long is remembered that a notice was sent, so that nothing asks for it anew."""

_AT_ONCE = 10
_LONGEST_TEXT = 3000

log = structlog.get_logger()


class Notice(BaseModel):
    """A notice on its way to one target. ``due_at`` None means that it was sent or given up.

    ``details`` are for programs, ``text`` says the same to people, a line each.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    target: Target
    event: Event
    at: str
    title: str
    text: str = ""
    url: str | None = None
    details: dict[str, Json] = Field(default_factory=dict)
    attempts: int = 0
    due_at: str | None = None
    ended_at: str | None = None
    sent: bool = False

    @property
    def path(self) -> str:
        return f"notices/{self.id}~{self.target}"


def writes(
    services: Services,
    id_: str,
    event: Event,
    title: str,
    *,
    text: str = "",
    page: str | None = None,
    details: Fields | None = None,
) -> list[Write]:
    """The writes of a new notice, one for each target that wants to hear of such events.

    ``page`` is the path of a page that tells more.
    """
    at = iso(services.now())
    base = services.settings.public_url
    return [
        _stored(
            Notice(
                id=id_,
                target=target,
                event=event,
                at=at,
                title=title,
                text=text,
                url=None if base is None or page is None else base.rstrip("/") + page,
                details=dict(details or {}),
                due_at=at,
            )
        )
        for target in targets(services, event)
    ]


def once(services: Services, notice: Iterable[Write]) -> None:
    """Write a notice unless it was written before, sent or not."""
    for write in notice:
        try:
            services.documents.write(
                [Write(write.path, write.fields, write.body, if_version=ABSENT)]
            )
        except Conflict:
            continue


def waiting(services: Services, event: Event) -> list[Notice]:
    """Notices of an event that are still to be sent."""
    found = people.everything(services.documents, "notices", (("event", "==", event),))
    return [notice for notice in map(_read, found) if notice.due_at is not None]


def withdraw(services: Services, notice: Notice) -> None:
    """Send it no more. One that is being sent arrives all the same."""
    _end(services, notice, sent=False)


def targets(services: Services, event: Event) -> tuple[Target, ...]:
    """Who is told of such an event."""
    settings = services.settings
    if event not in settings.notify_events:
        return ()
    found: list[Target] = []
    if settings.notify_webhook_url is not None and settings.notify_webhook_secret is not None:
        found.append("generic")
    if settings.slack_webhook_url is not None:
        found.append("slack")
    return tuple(found)


def sweep(services: Services) -> int:
    """Find out whether there is something to tell, send what is due, forget what is long past.

    Returns how many notices were sent.
    """
    warn_of_budget(services)
    now = iso(services.now())
    due = Query("notices", (("due_at", "<=", now),), order_by="due_at", limit=_AT_ONCE)
    sent = sum(_send(services, _read(d)) for d in services.documents.query(due).documents)
    oldest = iso(services.now() - KEPT)
    past = Query("notices", (("ended_at", "<", oldest),), order_by="ended_at", limit=100)
    gone = [Write(d.path, None) for d in services.documents.query(past).documents]
    if gone:
        services.documents.write(gone)
    return sent


def warn_of_budget(services: Services) -> None:
    """Tell of a day or month that has spent its share of the limit, once each."""
    if not targets(services, "budget_warning"):
        return
    status = budget_status.status(services.documents, services.settings, services.now())
    for standing in (status.day, status.month):
        if standing.warning:
            once(services, _of_budget(services, standing))


def _of_budget(services: Services, standing: Standing) -> list[Write]:
    share = f"{standing.hundredths / 100:.0f} %"
    spent, limit = (f"{micros / 1_000_000:.2f} USD" for micros in (standing.spent, standing.limit))
    return writes(
        services,
        f"budget-{standing.name}",
        "budget_warning",
        f"{share} of the budget of {standing.name} is spent",
        text=f"{spent} of {limit}. Renewed {standing.renews_at:%Y-%m-%d %H:%M} UTC.",
        page="/dashboard",
        details={
            "period": standing.name,
            "spent_micro_usd": standing.spent,
            "limit_micro_usd": standing.limit,
            "renews_at": iso(standing.renews_at),
        },
    )


# --- sending ----------------------------------------------------------------------------------


def _send(services: Services, notice: Notice) -> bool:
    claimed = _claim(services, notice)
    if claimed is None:
        return False
    try:
        url, body, headers = _call(services, claimed)
        services.breaker.guard(
            f"notices-{claimed.target}", lambda: services.outward.post(url, body, headers)
        )
    except LeftAlone as error:
        log.warning("notice_postponed", notice=claimed.id, reason=error.message)
        _postpone(services, claimed, error.not_before)
        return False
    except RetryLater as error:
        log.warning("notice_postponed", notice=claimed.id, reason=error.message)
        if claimed.attempts >= ATTEMPTS:
            _end(services, claimed, sent=False)
        return False
    except LeaderboardError as error:
        log.error("notice_refused", notice=claimed.id, reason=error.message)  # noqa: TRY400
        _end(services, claimed, sent=False)
        return False
    _end(services, claimed, sent=True)
    return True


def _call(services: Services, notice: Notice) -> tuple[str, bytes, dict[str, str]]:
    """The address, body and headers of the call. Raises Conflict for a target that is gone."""
    settings = services.settings
    headers = {"Content-Type": "application/json", DELIVERY_HEADER: notice.id}
    if notice.target == "slack" and settings.slack_webhook_url is not None:
        return settings.slack_webhook_url, _json({"text": slack_text(notice)}), headers
    url, secret = settings.notify_webhook_url, settings.notify_webhook_secret
    if notice.target == "slack" or url is None or secret is None:
        raise Conflict("Nobody is to be told any more.")
    body = _json(
        {
            "event": notice.event,
            "id": notice.id,
            "at": notice.at,
            "title": notice.title,
            "text": notice.text,
            "url": notice.url,
            "details": notice.details,
        }
    )
    timestamp = str(int(services.now().timestamp()))
    signed = {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signature(secret, timestamp, body)}
    return url, body, {**headers, **signed}


def slack_text(notice: Notice) -> str:
    """The notice in Slack's markup: no name in it can call people or make a link."""
    lines = [f"*{_escaped(notice.title)}*", _escaped(notice.text[:_LONGEST_TEXT])]
    lines += [f"<{notice.url}|Show>"] if notice.url else []
    return "\n".join(line for line in lines if line)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _json(content: Fields) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()


def _claim(services: Services, notice: Notice) -> Notice | None:
    """Take the next attempt, which nobody else then makes before the one after is due."""
    moment = services.now()

    def claim(transaction: Transaction) -> Notice | None:
        document = transaction.get(notice.path)
        if document is None or _read(document) != notice:
            return None
        after = moment + timedelta(minutes=2**notice.attempts)
        claimed = notice.model_copy(update={"attempts": notice.attempts + 1, "due_at": iso(after)})
        transaction.write(_stored(claimed))
        return claimed

    return services.documents.transact(claim)


def _postpone(services: Services, claimed: Notice, until: datetime | None) -> None:
    """Give back an attempt that was not made, unless the notice was withdrawn meanwhile."""
    due = claimed.due_at if until is None else iso(until)
    given_back = claimed.model_copy(update={"attempts": claimed.attempts - 1, "due_at": due})

    def give_back(transaction: Transaction) -> None:
        document = transaction.get(claimed.path)
        if document is not None and _read(document) == claimed:
            transaction.write(_stored(given_back))

    services.documents.transact(give_back)


def _end(services: Services, notice: Notice, *, sent: bool) -> None:
    """Note that it is over. What was told is not kept: it may name people."""
    ended = notice.model_copy(
        update={
            "title": "",
            "text": "",
            "details": {},
            "due_at": None,
            "ended_at": iso(services.now()),
            "sent": sent,
        }
    )
    services.documents.write([_stored(ended)])


def _stored(notice: Notice) -> Write:
    # Without a field a document is not found by its order: so ended ones are not due.
    return Write(notice.path, notice.model_dump(mode="json", exclude_none=True))


def _read(document: Document) -> Notice:
    return Notice.model_validate(document.fields)
