"""What a published board shows is what a plain sort of its rows would show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from infra.local.documents import SqliteDocuments
from shared.board_reading import BoardReader, Selection
from shared.boards import SORTS, Head, Row
from shared.errors import NotFound, Rejected
from shared.models import Kind
from shared.publishing import Publisher
from shared.ranking import band, percentile_hundredths
from tests.support.manual_clock import ManualClock
from tests.support.ranked import BOARD, WINDOW, Person, Ranked, crowd, draft, rank

ALL = ("human", "bot", "agent", "all")

CROWDS: dict[str, list[Person]] = {
    "one person": [Person(7, "ana", 1_380_000, counts={Kind.COMMIT: 138})],
    "a page": crowd(40, 12, 3),
    "a full page": crowd(1000),
    "two pages of humans and none else": crowd(1001),
    "several pages of two classes": crowd(1500, 1010, 30),
    "nobody": [],
}


class Board:
    """Some people, published, and what a plain sort makes of them."""

    def __init__(self, people: list[Person], reader: BoardReader, head: Head) -> None:
        self.ranked = rank(people)
        self.reader = reader
        self.head = head

    def expected(
        self, account_class: str, sort: str, *, reverse: bool, search: str = ""
    ) -> list[Ranked]:
        rows = [
            r
            for r in self.ranked
            if account_class in ("all", r.person.account_class) and search.lower() in r.name.lower()
        ]
        rows.sort(key=lambda r: r.rank_all)
        if sort == "username":
            rows.sort(key=lambda r: r.name.lower())
        elif sort in {kind.value for kind in Kind}:
            rows.sort(key=lambda r: -r.person.counts.get(Kind(sort), 0))
        return rows[::-1] if reverse else rows


@pytest.fixture(params=CROWDS, scope="module")
def board(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Board]:
    documents = SqliteDocuments(tmp_path_factory.mktemp("boards") / "documents.sqlite")
    clock, people = ManualClock(), CROWDS[request.param]
    published = Publisher(documents, now=clock, keep=3).publish(draft(people))
    yield Board(people, BoardReader(documents, now=clock), published.head)
    documents.close()


@pytest.mark.parametrize("account_class", ALL)
def test_every_sort_of_every_class_is_a_plain_sort_either_way(
    board: Board, account_class: str
) -> None:
    for sort in SORTS:
        natural = sort not in ("rank", "username")
        for descending, reverse in (
            (None if sort == "COMMIT" else natural, False),
            (not natural, True),
        ):
            expected = board.expected(account_class, sort, reverse=reverse)
            chosen = Selection(account_class, sort, descending, limit=5000)
            found = board.reader.read(BOARD, WINDOW, chosen)
            assert [row.github_id for row in found.rows] == [r.person.id for r in expected], sort
            assert found.total == len(expected)


@pytest.mark.parametrize("account_class", ALL)
@pytest.mark.parametrize("sort", ["rank", "COMMIT"])
def test_pages_follow_one_another_without_gap_or_overlap(
    board: Board, account_class: str, sort: str
) -> None:
    for descending in (None, sort == "rank"):
        seen: list[int] = []
        for offset in range(0, board.head.rows_of(account_class) + 270, 270):
            page = Selection(account_class, sort, descending, offset=offset, limit=270)
            rows = board.reader.read(BOARD, WINDOW, page).rows
            assert len(rows) <= 270
            seen += [row.github_id for row in rows]
        whole = Selection(account_class, sort, descending, limit=5000)
        assert seen == [row.github_id for row in board.reader.read(BOARD, WINDOW, whole).rows]


@pytest.mark.parametrize("account_class", ALL)
@pytest.mark.parametrize("search", ["user-1", "ZED", "octo-77", "-", "nobody at all"])
def test_a_search_finds_every_login_that_contains_the_text(
    board: Board, account_class: str, search: str
) -> None:
    for sort, descending, reverse in (
        ("rank", None, False),
        ("score", False, True),
        ("username", None, False),
        ("username", True, True),
        ("COMMENT", None, False),
        ("COMMIT", False, True),
    ):
        expected = board.expected(account_class, sort, reverse=reverse, search=search)
        chosen = Selection(account_class, sort, descending, search, offset=3, limit=40)
        found = board.reader.read(BOARD, WINDOW, chosen)
        assert [row.github_id for row in found.rows] == [r.person.id for r in expected[3:43]]
        assert found.total == len(expected)


def test_every_row_says_what_was_counted(board: Board) -> None:
    rows = board.reader.read(BOARD, WINDOW, Selection("all", limit=5000)).rows
    by_id = {ranked.person.id: ranked for ranked in board.ranked}
    assert len(rows) == len(by_id)
    sizes = Counter(ranked.person.account_class for ranked in board.ranked)
    for row in rows:
        _check(row, by_id[row.github_id], sizes[row.account_class], len(rows))


def _check(row: Row, ranked: Ranked, in_class: int, everybody: int) -> None:
    person = ranked.person
    assert (row.username, row.account_class) == (ranked.name, person.account_class)
    assert row.score == (person.score + 5) // 10 / 100
    assert row.counts == {kind.value: person.counts.get(kind, 0) for kind in Kind}
    assert row.repositories == person.repositories
    assert row.avatar_url == f"https://avatars.githubusercontent.com/u/{person.id}?v=4"
    assert (row.rank, row.band) == (ranked.rank, band(ranked.above, in_class))
    assert row.percentile == percentile_hundredths(ranked.above, in_class) / 100
    assert (row.overall.rank, row.overall.band) == (
        ranked.rank_all,
        band(ranked.above_all, everybody),
    )
    assert row.overall.percentile == percentile_hundredths(ranked.above_all, everybody) / 100
    assert row.movement.change == row.overall.movement.change == "new"


def test_everybody_is_found_by_id_and_by_login_in_any_case(board: Board) -> None:
    everybody = board.ranked
    for ranked in [*everybody[:: len(everybody) // 12 + 1], *everybody[-1:]]:
        by_id = board.reader.person(BOARD, WINDOW, github_id=ranked.person.id)
        by_login = board.reader.person(BOARD, WINDOW, login=ranked.name.swapcase())
        assert by_id.rows == by_login.rows
        assert [row.github_id for row in by_id.rows] == [ranked.person.id]
        assert by_id.rows[0].rank == ranked.rank


def test_who_is_not_on_the_board_is_not_found(board: Board) -> None:
    for login in ("nobody", "!", "~", "user"):
        assert board.reader.person(BOARD, WINDOW, login=login).rows == ()
    for github_id in (0, -1, 10**12):
        assert board.reader.person(BOARD, WINDOW, github_id=github_id).rows == ()


def test_the_head_says_how_many_rows_each_class_has(board: Board) -> None:
    for account_class in ALL:
        own = board.expected(account_class, "rank", reverse=False)
        assert board.head.rows_of(account_class) == len(own)
    assert board.reader.head(BOARD, WINDOW) == board.head
    assert board.head.receipt.rows == len(board.ranked)
    assert board.head.counts == {
        kind: sum(r.person.counts.get(kind, 0) for r in board.ranked) for kind in Kind
    }


def test_beyond_the_end_there_are_no_rows_but_the_total(board: Board) -> None:
    for sort in ("rank", "COMMIT"):
        for descending in (True, False):
            for account_class in ALL:
                far = Selection(account_class, sort, descending, offset=10_000)
                found = board.reader.read(BOARD, WINDOW, far)
                assert (found.rows, found.total) == ((), board.head.rows_of(account_class))


def test_a_sort_or_class_that_is_none_is_refused_by_name(board: Board) -> None:
    with pytest.raises(Rejected, match="sort 'age' is not one of rank, score") as refused:
        board.reader.read(BOARD, WINDOW, Selection(sort="age"))
    assert refused.value.details["field"] == "sort"
    with pytest.raises(Rejected, match="class 'cyborg' is not one of human, bot, agent, all") as no:
        board.reader.read(BOARD, WINDOW, Selection("cyborg"))
    assert no.value.details["field"] == "class"


def test_a_board_that_was_never_published_is_not_found(board: Board) -> None:
    for path in (("repository-1", WINDOW), (BOARD, "7d")):
        with pytest.raises(NotFound):
            board.reader.read(*path, Selection())
        with pytest.raises(NotFound):
            board.reader.person(*path, login="ana")


def test_an_account_whose_login_no_event_gave_is_shown_and_found_by_its_number(
    tmp_path: Path,
) -> None:
    documents, clock = SqliteDocuments(tmp_path / "documents.sqlite"), ManualClock()
    Publisher(documents, now=clock, keep=3).publish(draft([Person(42, None, 10_000)]))
    reader = BoardReader(documents, now=clock)
    assert reader.person(BOARD, WINDOW, login="user-42").rows[0].github_id == 42
    documents.close()


def test_a_pointer_is_read_again_when_it_is_older_than_asked_for(tmp_path: Path) -> None:
    documents, clock = SqliteDocuments(tmp_path / "documents.sqlite"), ManualClock()
    publisher = Publisher(documents, now=clock, keep=3)
    reader = BoardReader(documents, now=clock, pointer_seconds=2)
    first = publisher.publish(draft([Person(1, "ana", 10_000)], "first")).head
    assert reader.head(BOARD, WINDOW) == first
    second = publisher.publish(draft([Person(1, "ana", 20_000)], "second")).head
    clock.advance(timedelta(seconds=1))
    assert reader.head(BOARD, WINDOW) == first
    clock.advance(timedelta(seconds=1))
    assert reader.head(BOARD, WINDOW) == second
    documents.close()
