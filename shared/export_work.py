"""The job of an export: its one step, and the notice with its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import structlog

from shared import exports, job_steps, notices, people
from shared.blobs import LONGEST_KEPT
from shared.boards import PAGE_ROWS
from shared.context import Services
from shared.export_files import Row
from shared.export_rows import opened
from shared.export_wanted import Opened
from shared.jobs import Job, Stage
from shared.models import iso
from shared.ports import Json, Transaction, Write

Done = tuple[Stage | None, dict[str, Json]]

_REPORT_PAGES = 25

log = structlog.get_logger()


def make(services: Services, job: Job) -> Done:
    """A job's step: write the file, and have told that it is ready. Raises as ``ask``."""
    export, about = exports.get(services, str(job.result["export"]))
    if export.state is not exports.ExportState.READY:
        export = _put(services, job, export, about)
    log.info("export_ready", export=export.id, size=export.size, type=export.wanted.type)
    return None, {"size": export.size}


# --- how ----------------------------------------------------------------------------------------


def _notice(services: Services, export: exports.Export) -> list[Write]:
    """What is told of a file that is ready. The link is not in it: it is asked for with a key."""
    return notices.writes(
        services,
        f"export-{export.id}",
        "export_ready",
        f"{export.filename} is ready",
        page=f"/exports/{export.id}",
        details={
            "export": export.id,
            "type": export.wanted.type,
            "format": export.wanted.format,
            "size": export.size,
            "created_at": export.created_at,
            "expires_at": export.expires_at,
        },
    )


def _put(
    services: Services, job: Job, export: exports.Export, about: dict[str, Json]
) -> exports.Export:
    source = opened(services, export.wanted)
    told = replace(source, pages=iter(_each(source.pages, _reporter(services, job, source))))
    expires_at = services.now() + LONGEST_KEPT
    blob = services.blobs.put(
        export.blob,
        _bounded(exports.file_of(export, told, about)),
        content_type=export.content_type,
        expires_at=expires_at,
    )
    ready = export.model_copy(
        update={
            "state": exports.ExportState.READY,
            "size": blob.size,
            "expires_at": iso(expires_at),
        }
    )

    def note(transaction: Transaction) -> bool:
        # A wish that comes later finds the file and withdraws it.
        if people.in_transaction(transaction) != source.people:
            return False
        for write in (exports.stored(ready, about), *_notice(services, ready)):
            transaction.write(write)
        return True

    if not services.documents.transact(note):
        services.blobs.remove(export.blob)
        raise exports.changed()
    return ready


def _reporter(services: Services, job: Job, source: Opened) -> Callable[[int], None]:
    """Makes progress visible every few pages, which renews the job's lease."""
    rows = source.about.get("rows")
    pages = -(-rows // PAGE_ROWS) if isinstance(rows, int) else 0

    def report(number: int) -> None:
        if number % _REPORT_PAGES == 0:
            job_steps.report(services, job, number, max(pages, number + 1), "writing rows")

    return report


def _each(pages: Iterable[Sequence[Row]], report: Callable[[int], None]) -> Iterator[Sequence[Row]]:
    for number, page in enumerate(pages):
        report(number)
        yield page


def _bounded(pieces: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > exports.MOST_BYTES:
            raise exports.too_large()
        yield piece
