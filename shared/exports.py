"""Exports: asked for, limited, written at once or by a job, fetched by a link, gone after a day.

Every export is a document ``exports/{id}`` and an entry of the audit trail. A small one is made
while its asker waits and is not stored. A large one is made by a job of one step, which a repeat
makes anew from the same generation: readers see the whole file or none. Whoever is removed or
hidden meanwhile is in no file: what is stored is withdrawn when a wish is carried out
(``shared/people_work.py``), and what is being made is thrown away.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shared import audit, jobs, people
from shared.context import Caller, Services
from shared.errors import NotFound, Rejected, RetryLater, TooManyRequests
from shared.export_files import MEDIA_TYPES, Table, written
from shared.export_rows import opened, stays_true
from shared.export_wanted import Opened, Wanted
from shared.jobs import Job, JobType, Stage
from shared.models import iso, parse_time
from shared.ports import ABSENT, Document, DocumentPage, Json, Query, Transaction, Write

AN_HOUR = timedelta(hours=1)
MOST_AN_HOUR = 5
"""Exports that a key may ask for within an hour."""

MOST_BYTES = 100_000_000

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9.]+")


class ExportState(StrEnum):
    """STREAMED was answered at once. WITHDRAWN was removed for somebody who must not be in it."""

    STREAMED = "STREAMED"
    PENDING = "PENDING"
    READY = "READY"
    WITHDRAWN = "WITHDRAWN"


class Export(BaseModel):
    """An export as it is stored. ``about`` (the document's body) is what the file says of itself.

    ``wanted`` names the generation. ``expires_at`` is set once there is a file. ``person`` is
    the account whose activity it is, 0 for all others.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    actor: str
    exporter: str
    wanted: Wanted
    person: int = 0
    state: ExportState
    created_at: str
    expires_at: str | None = None
    job: str | None = None
    filename: str
    size: int | None = None

    @property
    def blob(self) -> str:
        return f"exports/{self.id}.{self.wanted.format}"

    @property
    def content_type(self) -> str:
        return MEDIA_TYPES[self.wanted.format]


class Answered(BaseModel):
    """What became of a request: the content, or None where a job makes it."""

    model_config = ConfigDict(frozen=True)

    export: Export
    about: dict[str, Json]
    content: bytes | None


def ask(services: Services, caller: Caller, exporter: str, wanted: Wanted) -> Answered:
    """Export for a caller, whose key is called ``exporter``.

    Raises as ``opened``, TooManyRequests for more than five within an hour, Rejected for more than
    100 MB, RetryLater if people's wishes changed meanwhile.
    """
    _check_limit(services, _times(services.documents.get(_limit(caller.actor))[0]))
    source = opened(services, wanted)
    if (source.size or 0) > MOST_BYTES:
        raise too_large()
    export = _new(services, caller, exporter, source)
    about = about_of(export, source)
    large = _is_large(services, source)
    job = _job(services, caller, export)
    if large:
        export = export.model_copy(update={"state": ExportState.PENDING, "job": job.id})
    _store_new(services, caller, export, source, job if large else None)
    if not large:
        content = _small(services, export, source, about)
        if content is not None:
            return Answered(export=export, about=about, content=content)
        export = export.model_copy(update={"state": ExportState.PENDING, "job": job.id})
        services.documents.write([stored(export, about), jobs.stored(job)])
    jobs.dispatch(services, job)
    return Answered(export=export, about=about, content=None)


def straight(services: Services, caller: Caller, wanted: Wanted) -> tuple[Export, Iterator[bytes]]:
    """An export for whoever owns the data: its file in pieces, of any size and as often as wanted.

    It is on the audit trail before the first piece. Raises as ``opened``.
    """
    source = opened(services, wanted)
    export = _new(services, caller, caller.actor, source)
    services.documents.write([record(services, caller, export)])
    return export, _true_pieces(services, export, source)


def exporter_of(services: Services, caller: Caller) -> str:
    """What the caller is called in files: the name of the key, or what the trail calls them."""
    kind, _, id_ = caller.actor.partition(":")
    (document,) = services.documents.get(f"keys/{id_}") if kind == "key" else (None,)
    return caller.actor if document is None else str(document.fields["name"])


def get(services: Services, id_: str) -> tuple[Export, dict[str, Json]]:
    """An export and what it says of itself. Raises NotFound."""
    (document,) = services.documents.get(f"exports/{id_}")
    if document is None:
        raise NotFound(f"There is no export {id_[:60]!r}.", details={"export": id_[:60]})
    return read(document), json.loads(document.body or b"{}")


def read(document: Document) -> Export:
    return Export.model_validate(document.fields)


def stored(export: Export, about: dict[str, Json]) -> Write:
    body = json.dumps(about, ensure_ascii=False).encode()
    return Write(f"exports/{export.id}", export.model_dump(mode="json"), body)


def listed(
    services: Services, actor: str | None, *, after: str | None = None, limit: int = 50
) -> DocumentPage:
    """Somebody's exports, or with None everybody's, newest first."""
    if actor is None:
        everybodys = Query(
            "exports", order_by="created_at", descending=True, after=after, limit=limit
        )
        return services.documents.query(everybodys)
    return services.documents.query(
        Query(
            "exports", (("actor", "==", actor),), "created_at", descending=True, after=after,
            limit=limit,
        )
    )  # fmt: skip


def link(services: Services, export: Export) -> str | None:
    """An address for an hour from which the file can be fetched, None while there is none."""
    if export.state is not ExportState.READY or services.blobs.about(export.blob) is None:
        return None
    return services.blobs.link(export.blob, filename=export.filename)


def about_of(export: Export, source: Opened) -> dict[str, Json]:
    """What a file says of itself: when, for whom, of what, by which rules, how complete."""
    return {
        "export": export.id,
        "exported_at": export.created_at,
        "exporter": export.exporter,
        "type": export.wanted.type,
        "filters": export.wanted.filters.given(),
        **source.about,
    }


def withdraw_all(services: Services) -> int:
    """Remove every stored file, and all that is noted of exports of activity. Returns how many.

    Some may hold a person who must not be shown any more; all files would be gone within a day.
    Safe to repeat.
    """
    withdrawn = 0
    for query in (
        Query("exports", (("person", ">", 0),), "person"),
        Query("exports", (("state", "==", ExportState.READY.value),)),
    ):
        while documents := services.documents.query(query).documents:
            for document in documents:
                _withdraw(services, document)
                withdrawn += 1
    return withdrawn


def _withdraw(services: Services, document: Document) -> None:
    export = read(document)
    services.blobs.remove(export.blob)
    gone = export.model_copy(update={"state": ExportState.WITHDRAWN})
    fields = None if export.person else gone.model_dump(mode="json")
    services.documents.write([Write(document.path, fields, document.body if fields else None)])


def of_person(services: Services, accounts: Sequence[int]) -> list[Json]:
    """What is noted of exports of some accounts' activity."""
    found: list[Json] = []
    for account in accounts:
        query = Query("exports", (("person", "==", account),), limit=500)
        found += [dict(document.fields) for document in services.documents.query(query).documents]
    return found


def record(services: Services, caller: Caller, export: Export) -> Write:
    """The entry of the audit trail: who exported what."""
    wanted = export.wanted
    filters = wanted.filters.given()
    if "login" in filters:  # the trail names nobody
        filters["login"] = "withheld"
    what: dict[str, Json] = {
        "type": wanted.type, "format": wanted.format, "filters": filters, "job": export.job,
    }  # fmt: skip
    about = f"Export of {wanted.type} as {wanted.format}"
    return audit.record(
        services, caller, "export.requested", ("export", export.id), about, new=what
    )


# --- how ----------------------------------------------------------------------------------------


def _new(services: Services, caller: Caller, exporter: str, source: Opened) -> Export:
    filters = source.wanted.filters
    parts = ("leaderboard", source.wanted.type, filters.repository, filters.window)
    name = "-".join(_NOT_IN_NAMES.sub("-", part) for part in parts if part)[:80]
    return Export(
        id=services.new_id(),
        actor=caller.actor,
        exporter=exporter,
        wanted=source.wanted,
        person=int(str(source.about.get("github_id", 0))),
        state=ExportState.STREAMED,
        created_at=iso(services.now()),
        filename=f"{name}.{source.wanted.format}",
    )


def _job(services: Services, caller: Caller, export: Export) -> Job:
    job = jobs.new(services, caller, JobType.EXPORT, Stage.EXPORT, "default")
    return job.model_copy(update={"result": {"export": export.id}})


def _limit(actor: str) -> str:
    return f"export_limits/{actor}"


def _times(document: Document | None) -> list[str]:
    times = document.fields["times"] if document is not None else []
    return [str(each) for each in times] if isinstance(times, list) else []


def _check_limit(services: Services, times: Sequence[str]) -> list[str]:
    """The times of exports within the last hour. Raises TooManyRequests if they are all."""
    since = services.now() - AN_HOUR
    recent = [each for each in times if parse_time(each) > since]
    if len(recent) >= MOST_AN_HOUR:
        frees: datetime = parse_time(recent[-MOST_AN_HOUR]) + AN_HOUR
        raise TooManyRequests(
            f"A key may ask for {MOST_AN_HOUR} exports an hour. The next may be asked for at "
            f"{iso(frees)}.",
            seconds=max(1, int((frees - services.now()).total_seconds()) + 1),
            details={"most": MOST_AN_HOUR},
        )
    return recent


def _is_large(services: Services, source: Opened) -> bool:
    """Whether a job is to make the file.

    CSV and JSON of an unknown size are stopped on their way once they are no longer small. The
    other formats give nothing before their last row.
    """
    if source.size is None:
        return source.wanted.format in ("xlsx", "parquet")
    return source.size > services.settings.export_small_bytes


def _store_new(
    services: Services, caller: Caller, export: Export, source: Opened, job: Job | None
) -> None:
    """The export, its entry on the trail, its place in the hour and its job, or none of them.

    A removal forgets the exports that it finds; one of rows from before it must not come after.
    """
    path = _limit(caller.actor)
    entry = record(services, caller, export)

    def store(transaction: Transaction) -> None:
        if people.in_transaction(transaction) != source.people:
            raise changed()
        recent = _check_limit(services, _times(transaction.get(path)))
        transaction.write(Write(path, {"times": [*recent, export.created_at]}))
        transaction.write(replace(stored(export, about_of(export, source)), if_version=ABSENT))
        transaction.write(entry)
        if job is not None:
            transaction.write(jobs.stored(job))

    services.documents.transact(store)


def _small(
    services: Services, export: Export, source: Opened, about: dict[str, Json]
) -> bytes | None:
    """The whole file, None if it is longer than small."""
    pieces, size = [], 0
    for piece in file_of(export, source, about):
        pieces.append(piece)
        size += len(piece)
        if size > services.settings.export_small_bytes:
            return None
    if not stays_true(services, source):
        raise changed()
    return b"".join(pieces)


def _true_pieces(services: Services, export: Export, source: Opened) -> Iterator[bytes]:
    yield from file_of(export, source, about_of(export, source))
    if not stays_true(services, source):
        raise changed()


def file_of(export: Export, source: Opened, about: dict[str, Json]) -> Iterator[bytes]:
    """The export's file in pieces. Raises as ``export_files.written``."""
    wanted = export.wanted
    table = Table(source.columns, source.pages, about)
    return written(wanted.format, table, header=wanted.header)


def too_large() -> Rejected:
    """What to raise for more than an export may have."""
    return Rejected(
        f"An export has at most {MOST_BYTES // 1_000_000} MB, and this one would have more. "
        "Narrow it by filters: a class, a repository, fewer days; use "
        "parquet, or the pages of the API.",
        details={"field": "filters", "most_bytes": MOST_BYTES},
    )


def changed() -> RetryLater:
    """What to raise where the rows may hold somebody who must not be in them."""
    return RetryLater("Somebody was removed or hidden just now. Try again.")
