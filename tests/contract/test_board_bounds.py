"""What a large board costs to publish and to read, counted in documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from infra.document_rules import MAX_DOCUMENT_BYTES
from infra.local.documents import SqliteDocuments
from shared.board_reading import BoardReader, Selection
from shared.boards import PAGE_ROWS, Head, pointer_path
from shared.models import Kind
from shared.publishing import Publisher
from tests.support.manual_clock import ManualClock
from tests.support.ranked import BOARD, WINDOW, Ranked, crowd, draft, rank, table_of
from tests.support.watched_documents import WatchedDocuments, everything

CONTRIBUTORS = {"human": 141_000, "bot": 8_500, "agent": 500}
POINTER = pointer_path(BOARD, WINDOW)
PAGE = 50


@dataclass
class Large:
    """The board of 150,000 contributors, and the store that is watched."""

    documents: WatchedDocuments
    ranked: list[Ranked]
    head: Head
    writes: Counter[str]

    def reader(self) -> BoardReader:
        """One whose cache is empty and whose pointer never ages."""
        self.documents.forget()
        return BoardReader(self.documents, now=ManualClock())

    def reads(self) -> Counter[str]:
        """Documents read since the last reader: pointer, or the kind of part."""
        kinds = Counter(
            "pointer" if path == POINTER else path.split(".")[1] for path in self.documents.read
        )
        self.documents.forget()
        return kinds


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Large]:
    store = SqliteDocuments(tmp_path_factory.mktemp("large") / "documents.sqlite")
    documents = WatchedDocuments(store)
    people = crowd(CONTRIBUTORS["human"], CONTRIBUTORS["bot"], CONTRIBUTORS["agent"])
    ranked = rank(people)
    publisher = Publisher(documents, now=ManualClock(), keep=3)
    head = publisher.publish(draft(table_of(ranked))).head
    writes = Counter(write.path.split("/")[0] for write in documents.written)
    yield Large(documents, ranked, head, writes)
    store.close()


def test_publishing_150_000_contributors_takes_a_few_hundred_document_writes(large: Large) -> None:
    assert large.head.total == 150_000
    assert large.writes["boards"] == 1
    assert large.writes["board_generations"] == 2
    assert large.writes.total() < 400


def test_every_document_of_it_fits_the_store_with_room_to_spare(large: Large) -> None:
    sizes = [
        len(document.body or b"")
        for collection in ("boards", "board_generations", "board_parts")
        for document in everything(large.documents, collection)
    ]
    assert len(sizes) == len(large.head.digests) + 2
    assert max(sizes) < MAX_DOCUMENT_BYTES * 3 // 4


@pytest.mark.parametrize("offset", [0, 975, 70_000, 140_980])
@pytest.mark.parametrize("sort", ["rank", "score"])
def test_a_page_in_rank_order_reads_the_pointer_and_at_most_two_pages(
    large: Large, sort: str, offset: int
) -> None:
    for descending in (True, False):
        reader = large.reader()
        chosen = Selection("human", sort, descending, offset=offset, limit=PAGE)
        first = reader.read(BOARD, WINDOW, chosen)
        reads = large.reads()
        assert len(first.rows) == min(PAGE, 141_000 - offset)
        assert reads["pointer"] == 1
        assert reads["page"] <= 2
        assert reads.total() <= 3

        assert reader.read(BOARD, WINDOW, chosen) == first
        assert large.reads().total() == 0


def test_the_largest_page_in_rank_order_still_reads_at_most_two(large: Large) -> None:
    reader = large.reader()
    rows = reader.read(BOARD, WINDOW, Selection(offset=12_345, limit=PAGE_ROWS)).rows
    assert [row.rank for row in rows] == list(range(12_346, 13_346))
    assert large.reads() == {"pointer": 1, "page": 2}


@pytest.mark.parametrize("offset", [0, 999, 74_321, 149_990])
def test_a_page_of_all_classes_reads_one_order_and_at_most_six_pages(
    large: Large, offset: int
) -> None:
    reader = large.reader()
    chosen = Selection("all", offset=offset, limit=PAGE_ROWS)
    rows = reader.read(BOARD, WINDOW, chosen).rows
    reads = large.reads()
    assert [row.overall.rank for row in rows] == list(
        range(offset + 1, min(offset + PAGE_ROWS, 150_000) + 1)
    )
    assert (reads["pointer"], reads["order"]) == (1, 1)
    assert reads["page"] <= 6
    assert reads.total() == 2 + reads["page"]

    assert reader.read(BOARD, WINDOW, chosen).rows == rows
    assert large.reads().total() == 0


@pytest.mark.parametrize("account_class", [*CONTRIBUTORS, "all"])
@pytest.mark.parametrize("sort", ["username", "COMMIT", "LINES_DELETED"])
def test_another_sort_reads_its_order_and_at_most_a_page_document_a_row(
    large: Large, sort: str, account_class: str
) -> None:
    expected = [r for r in large.ranked if account_class in ("all", r.person.account_class)]
    expected.sort(key=lambda r: r.rank_all)
    if sort == "username":
        expected.sort(key=lambda r: r.name.lower())
    else:
        expected.sort(key=lambda r: -r.person.counts.get(Kind(sort), 0))
    reader = large.reader()
    chosen = Selection(account_class, sort, offset=200, limit=PAGE)
    found = reader.read(BOARD, WINDOW, chosen)
    reads = large.reads()
    assert [row.github_id for row in found.rows] == [r.person.id for r in expected[200:250]]
    assert reads["pointer"] == 1
    assert reads["order"] <= 1
    assert reads["page"] <= PAGE
    assert reads.total() == 1 + reads["order"] + reads["page"]


@pytest.mark.parametrize(
    ("search", "sort"),
    [("user-12", "rank"), ("OCTO-999", "username"), ("-", "COMMENT"), ("nobody at all", "rank")],
)
def test_a_search_reads_the_index_by_login_its_order_and_at_most_a_page_document_a_hit(
    large: Large, search: str, sort: str
) -> None:
    hits = [r for r in large.ranked if search.lower() in r.name.lower()]
    reader = large.reader()
    found = reader.read(BOARD, WINDOW, Selection("all", sort, search=search, limit=PAGE))
    reads = large.reads()
    assert found.total == len(hits)
    assert {row.github_id for row in found.rows} <= {r.person.id for r in hits}
    assert (reads["pointer"], reads["login"], reads["order"]) == (1, 8, 1)
    assert reads["page"] <= len(found.rows)
    assert reads.total() == 10 + reads["page"]


@pytest.mark.parametrize("place", [0, 8_999, 80_000, 149_999])
def test_one_persons_row_reads_the_pointer_an_index_and_a_page(large: Large, place: int) -> None:
    wanted = large.ranked[place]
    for by in ({"github_id": wanted.person.id}, {"login": wanted.name}):
        reader = large.reader()
        (row,) = reader.person(BOARD, WINDOW, **by).rows
        assert (row.github_id, row.rank, row.overall.rank) == (
            wanted.person.id,
            wanted.rank,
            wanted.rank_all,
        )
        index = "login" if "login" in by else "id"
        assert large.reads() == {"pointer": 1, index: 1, "page": 1}
        reader.person(BOARD, WINDOW, **by)
        assert large.reads().total() == 0


def test_a_page_is_fetched_in_one_round_trip_after_its_order(large: Large) -> None:
    reader = large.reader()
    reader.read(BOARD, WINDOW, Selection("all", "COMMENT", limit=PAGE))
    assert large.documents.round_trips == 3
    reader = large.reader()
    reader.read(BOARD, WINDOW, Selection(offset=975, limit=PAGE))
    assert large.documents.round_trips == 2
