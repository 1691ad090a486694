"""A few events of two repositories, and what the flow tests ask about their boards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from infra.clock import Clock, utc_now
from infra.ingest import ingest_file
from infra.services import build
from shared import people, removals
from shared.boards import GLOBAL, Head, pointer_path, repository_board
from shared.context import Services
from shared.models import WINDOW_DAYS, RepositoryName
from shared.ports import Document, Query
from shared.settings import Settings
from tests.support.lines import (
    ANA,
    BEN,
    CLEO,
    DEPENDABOT,
    ENGINE,
    WHEELS,
    Line,
    Repo,
    day,
    issue,
    issue_comment,
    pr_merged,
    pr_opened,
    push,
    release,
    review,
    write_gz,
)

LINES: tuple[Line, ...] = (
    push(1, "2024-02-01T08:00:00Z", CLEO, push_id=1, distinct_size=1),
    issue(2, "2024-11-05T09:00:00Z", CLEO, "opened", 1, author=CLEO),
    pr_opened(3, "2025-01-10T09:10:00Z", ANA, 2),
    pr_merged(4, day(1), BEN, 2, author=ANA, additions=40, deletions=5),
    review(5, day(1), BEN, 2, review_id=1, author=ANA),
    pr_opened(6, day(8), DEPENDABOT, 3),
    issue_comment(7, day(10), CLEO, 1, comment_id=1, author=CLEO),
    issue(8, day(10, "12:30:00"), BEN, "closed", 1, author=CLEO),
    push(9, day(12), BEN, push_id=2, distinct_size=3),
    release(10, day(12, "12:40:00"), ANA, release_id=1),
    push(11, "2025-01-20T10:00:00Z", ANA, push_id=3, distinct_size=2, repo=WHEELS),
    push(12, day(11), BEN, push_id=4, distinct_size=4, repo=WHEELS),
    issue(13, day(12), BEN, "opened", 1, author=BEN, repo=WHEELS),
)
"""Every window shows something else; ends on 2025-03-12 at 13:00."""

BOTH = (ENGINE, WHEELS)

Receipts = Mapping[tuple[str, str], tuple[str, str]]
"""Board and window → generation and hash of the board."""


def name_of(repository: Repo) -> RepositoryName:
    return RepositoryName.parse(repository.name)


def open_services(folder: Path, clock: Clock = utc_now, **settings: object) -> Services:
    """Services of the embedded backend in a folder, where nothing settles and jitter is none."""
    chosen: dict[str, object] = {"data_dir": folder, "settle_seconds": 0, **settings}
    return replace(build(Settings.model_validate(chosen), clock), jitter=lambda: 0.0)


def ingest(services: Services, folder: Path, files: Mapping[str, Iterable[Line]]) -> None:
    """Write archive files and ingest them in that order."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in files.items():
        write_gz(folder / name, lines)
        ingest_file(
            services.warehouse,
            folder / name,
            now=utc_now(),
            removed=lambda: removals.removed_ids(services),
            lifts=people.lifts(services.documents),
        )


def receipts(services: Services, repositories: Sequence[Repo] = BOTH) -> Receipts:
    """What every window of the repositories' boards and of the global one shows now."""
    boards = [*(repository_board(repository.id) for repository in repositories), GLOBAL]
    found = {(b, w): head(services, b, w) for b in boards for w in WINDOW_DAYS}
    return {
        place: (shown.generation, shown.receipt.board) for place, shown in found.items() if shown
    }


def head(services: Services, board: str, window: str) -> Head | None:
    """The head that the pointer shows, past every cache."""
    (document,) = services.documents.get(pointer_path(board, window))
    return None if document is None else Head.model_validate_json(document.body or b"")


def everything(services: Services, collection: str) -> Iterator[Document]:
    """All documents of a collection."""
    cursor: str | None = None
    while True:
        page = services.documents.query(Query(collection, after=cursor, limit=500))
        yield from page.documents
        cursor = page.cursor
        if cursor is None:
            return


def unfinished(services: Services) -> list[str]:
    """Whatever waits, hangs or is held: nothing once all work is done."""
    jobs = [
        f"job {job.id} is {job.fields['state']}"
        for job in everything(services, "jobs")
        if job.fields["state"] not in {"COMPLETED", "FAILED", "CANCELLED"}
    ]
    places = [
        f"{document.path} is held by {holder}"
        for document in services.documents.get("state/scrapes", "state/globals")
        if document is not None
        for holder in document.fields
    ]
    held = [
        f"{repository.id} waits for {repository.fields['active_job']}"
        for repository in everything(services, "repositories")
        if repository.fields["active_job"] is not None
    ]
    waiting = [f"{n} tasks in {queue}" for queue, n in services.tasks.depths().items() if n]
    return jobs + places + held + waiting


def left_behind(services: Services) -> list[str]:
    """Documents of boards that no pointer leads to, and documents that are missing."""
    pointers = [
        Head.model_validate_json(pointer.body or b"") for pointer in everything(services, "boards")
    ]
    kept = {
        f"{shown.board}~{shown.window}~{edition}"
        for shown in pointers
        for edition in (shown.edition, *shown.kept)
    }
    generations = {document.id: document for document in everything(services, "board_generations")}
    parts = {
        path
        for document in generations.values()
        for path in Head.model_validate_json(document.body or b"").digests
    }
    stored = {document.path for document in everything(services, "board_parts")}
    unpublished = {id_ for id_, d in generations.items() if d.fields["state"] != "published"}
    return sorted((kept ^ generations.keys()) | (parts ^ stored) | unpublished)
