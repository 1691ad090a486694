"""Two processes read a board while a third publishes it a hundred times: no page is ever mixed."""

from __future__ import annotations

import multiprocessing
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from queue import Empty

from infra.clock import utc_now
from infra.local.documents import SqliteDocuments
from shared.board_reading import BoardReader, Selection, Slice
from shared.models import Kind
from shared.publishing import Publisher
from tests.support.ranked import BOARD, WINDOW, Person, draft

FLIPS = 100
READERS = 2
PEOPLE = 1100
DEADLINE = 120.0

SELECTIONS = (
    Selection(offset=950, limit=100),  # across two page documents
    Selection("all", "COMMIT", offset=500, limit=60),
    Selection("all", search="-10", limit=40),
)


@dataclass(frozen=True)
class Seen:
    """What a reader saw: pages, generations, and the first page that was mixed."""

    pages: int
    generations: int
    mixed: str | None


def _people(generation: int) -> list[Person]:
    """Everybody's login names the generation; who stands where differs in each."""
    return [
        Person(
            id_ + 1,
            f"g{generation}-{id_}",
            1000 * ((id_ * 7919 + generation * 104_729) % PEOPLE),
            counts={Kind.COMMIT: (id_ * 31 + generation) % 97},
        )
        for id_ in range(PEOPLE)
    ]


def _mixed(found: Slice) -> str | None:
    """What is wrong with a page, None for a page of one generation."""
    own = found.head.receipt.inputs.facts
    named = {row.username.split("-")[0] for row in found.rows}
    return None if named == {own} else f"a page of {own} shows {sorted(named)}"


def _read_until(path: Path, ready: Barrier, over: Event, results: Queue[Seen]) -> None:
    with closing(SqliteDocuments(path)) as documents:
        reader = BoardReader(documents, now=utc_now, pointer_seconds=0, cached_parts=20)
        pages, generations, mixed = 0, set[str](), None
        ready.wait(DEADLINE)
        while mixed is None and not over.is_set():
            for selection in SELECTIONS:
                found = reader.read(BOARD, WINDOW, selection)
                generations.add(found.head.generation)
                mixed = mixed or _mixed(found)
                pages += 1
        results.put(Seen(pages, len(generations), mixed))


def test_no_reader_ever_sees_rows_of_two_generations_in_one_page(tmp_path: Path) -> None:
    path = tmp_path / "documents.sqlite"
    spawn = multiprocessing.get_context("spawn")
    ready, over = spawn.Barrier(READERS + 1), spawn.Event()
    results: Queue[Seen] = spawn.Queue()
    readers = [
        spawn.Process(target=_read_until, args=(path, ready, over, results), daemon=True)
        for _ in range(READERS)
    ]
    with closing(SqliteDocuments(path)) as documents:
        publisher = Publisher(documents, now=utc_now, keep=5)
        publisher.publish(draft(_people(0), "g0"))
        for process in readers:
            process.start()
        try:
            ready.wait(DEADLINE)
            flips = _flip_about(publisher)
        finally:
            over.set()
        seen = [_result(results) for _ in readers]
        for process in readers:
            process.join(DEADLINE)

    assert flips == FLIPS
    assert [found.mixed for found in seen] == [None] * READERS
    assert all(found.pages > 50 and found.generations > 10 for found in seen)
    assert [process.exitcode for process in readers] == [0] * READERS


def _flip_about(publisher: Publisher) -> int:
    """New generations, and back and forth between the last two, which costs little."""
    flips, last = 0, publisher.publish(draft(_people(0), "g0")).head.generation
    for number in range(1, FLIPS // 4 + 1):
        new = publisher.publish(draft(_people(number), f"g{number}")).head.generation
        for generation in (last, new, last):
            publisher.roll_back(BOARD, WINDOW, generation)
        flips, last = flips + 4, new
    return flips


def _result(results: Queue[Seen]) -> Seen:
    try:
        return results.get(timeout=DEADLINE)
    except Empty:
        return Seen(0, 0, "the reader died")
