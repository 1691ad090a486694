"""A board of a test's own: its store, its publisher, its reader, and what is checked of them."""

from __future__ import annotations

from pathlib import Path

from infra.local.documents import SqliteDocuments
from shared.board_reading import BoardReader, Selection
from shared.boards import Head, Row, generation_path
from shared.publishing import Publisher
from tests.support.manual_clock import ManualClock
from tests.support.ranked import BOARD, WINDOW, Person, crowd, draft
from tests.support.watched_documents import WatchedDocuments, everything

SIZES = {"small": crowd(30, 5), "large": crowd(1100, 5)}


class BoardBench:
    """A store of its own with a publisher and a reader that never reads an old pointer."""

    def __init__(self, path: Path, keep: int = 3) -> None:
        self.clock = ManualClock()
        self.store = SqliteDocuments(path)
        self.documents = WatchedDocuments(self.store)
        self.publisher = Publisher(self.documents, now=self.clock, keep=keep)
        self.reader = BoardReader(self.store, now=self.clock, pointer_seconds=0)

    def publish(self, people: list[Person], facts: str) -> Head:
        return self.publisher.publish(draft(people, facts)).head

    def head(self) -> Head:
        return self.reader.head(BOARD, WINDOW)

    def rows(self, generation: str | None = None) -> dict[int, Row]:
        found = self.reader.read(BOARD, WINDOW, Selection("all", limit=5000), generation)
        return {row.github_id: row for row in found.rows}

    def changes(self) -> dict[int, tuple[str, int, int | None]]:
        moves = {id_: row.movement for id_, row in self.rows().items()}
        return {id_: (move.change, move.by, move.previous) for id_, move in moves.items()}

    def check_nothing_is_left_over(self) -> None:
        """Exactly the pages, indexes and orders of the generations that are kept are stored."""
        head = self.head()
        heads = [head, *(self.reader.head(BOARD, WINDOW, kept[:24]) for kept in head.kept)]
        stored = {document.path for document in everything(self.store, "board_parts")}
        assert stored == {path for kept in heads for path in kept.digests}
        assert {document.path for document in everything(self.store, "board_generations")} == {
            generation_path(BOARD, WINDOW, kept.edition) for kept in heads
        }


def team(*scores: tuple[int, int]) -> list[Person]:
    """People by (id, points)."""
    return [Person(id_, f"user-{id_}", points * 1000) for id_, points in scores]
