"""Publishing a board: generations that follow one another, and what is kept of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from shared.boards import pointer_path
from shared.errors import NotFound
from tests.support.board_bench import SIZES, BoardBench, team
from tests.support.ranked import BOARD, WINDOW, Person, draft
from tests.support.watched_documents import everything, snapshot


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[BoardBench]:
    opened = BoardBench(tmp_path / "documents.sqlite")
    yield opened
    opened.store.close()


# --- generations ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_publishing_the_same_twice_writes_nothing(bench: BoardBench, size: str) -> None:
    first = bench.publisher.publish(draft(SIZES[size]))
    before = snapshot(bench.store)
    bench.documents.forget()
    bench.clock.advance(timedelta(hours=5))
    again = bench.publisher.publish(draft(SIZES[size]))

    assert (first.changed, again.changed) == (True, False)
    assert again.head == first.head
    assert bench.documents.written == []
    assert snapshot(bench.store) == before


def test_the_id_of_a_generation_is_made_of_its_inputs_alone(
    bench: BoardBench, tmp_path: Path
) -> None:
    other = BoardBench(tmp_path / "other.sqlite")
    other.clock.advance(timedelta(days=9))
    for _ in range(2):
        other.publish(team((1, 5)), "before")
    heads = [b.publish(SIZES["small"], "same facts") for b in (bench, other)]
    assert heads[0].generation == heads[1].generation == heads[0].receipt.inputs.generation
    assert heads[0].receipt == heads[1].receipt
    assert bench.publish(SIZES["small"], "other facts").generation != heads[0].generation
    other.store.close()


def test_newer_coverage_reaches_a_board_whose_rows_stay(bench: BoardBench) -> None:
    people = SIZES["small"]
    first = bench.publisher.publish(draft(people, coverage={"percent": "90.00"})).head
    second = bench.publisher.publish(draft(people, coverage={"percent": "95.00"}))
    assert not second.changed
    assert bench.head() == first.model_copy(update={"coverage": {"percent": "95.00"}})
    bench.check_nothing_is_left_over()


@pytest.mark.parametrize("size", SIZES)
def test_so_many_generations_are_kept_and_the_others_leave_nothing(
    bench: BoardBench, size: str
) -> None:
    heads = [bench.publish(SIZES[size][n:], f"facts {n}") for n in range(6)]
    assert bench.head().kept == tuple(head.edition for head in (heads[4], heads[3]))
    bench.check_nothing_is_left_over()
    for number in (3, 4, 5):
        rows = bench.rows(heads[number].generation)
        assert rows.keys() == {person.id for person in SIZES[size][number:]}
    for number in (0, 1, 2):
        with pytest.raises(NotFound, match="is not kept"):
            bench.rows(heads[number].generation)


def test_a_rollback_shows_a_kept_generation_again_as_it_was(bench: BoardBench) -> None:
    heads = [bench.publish(SIZES["large"][n:], f"facts {n}") for n in range(3)]
    old = bench.rows(heads[0].generation)
    rolled = bench.publisher.roll_back(BOARD, WINDOW, heads[0].generation)

    assert bench.head() == rolled
    assert (rolled.generation, rolled.receipt) == (heads[0].generation, heads[0].receipt)
    assert bench.rows() == old
    assert rolled.kept == (heads[2].edition, heads[1].edition)
    bench.check_nothing_is_left_over()

    forward = bench.publisher.roll_back(BOARD, WINDOW, heads[2].generation)
    assert (forward.generation, forward.kept) == (
        heads[2].generation,
        (heads[0].edition, heads[1].edition),
    )


def test_a_generation_that_is_not_kept_cannot_be_rolled_back_to(bench: BoardBench) -> None:
    with pytest.raises(NotFound):
        bench.publisher.roll_back(BOARD, WINDOW, "0" * 24)
    heads = [bench.publish(SIZES["small"][n:], f"facts {n}") for n in range(5)]
    with pytest.raises(NotFound):
        bench.publisher.roll_back(BOARD, WINDOW, heads[0].generation)
    assert bench.head() == heads[4]


def test_facts_that_become_what_they_were_bring_the_kept_generation_back(bench: BoardBench) -> None:
    first = bench.publish(SIZES["large"], "one")
    bench.publish(SIZES["large"][5:], "two")
    bench.documents.forget()
    again = bench.publisher.publish(draft(SIZES["large"], "one"))
    assert again.changed
    assert (again.head.generation, again.head.edition) == (first.generation, first.edition)
    assert len(bench.documents.written) == 2
    bench.check_nothing_is_left_over()


def test_an_edition_is_named_for_all_that_decides_its_bytes(tmp_path: Path) -> None:
    bench = BoardBench(tmp_path / "two.sqlite", keep=2)
    one, two, other = team((1, 30), (9, 20)), team((1, 30)), team((1, 30), (2, 5))
    bench.publish(one, "x")
    bench.publish(two, "b")
    returned = bench.publish(one, "a")
    assert bench.changes()[9][0] == "returned"
    for facts in ("c", "d"):
        bench.publish(other, facts)
    bench.publish(two, "b")
    new = bench.publish(one, "a")
    assert bench.changes()[9][0] == "new"
    assert (new.generation, new.receipt) == (returned.generation, returned.receipt)
    assert new.edition != returned.edition
    bench.check_nothing_is_left_over()
    bench.store.close()


# --- movement ---------------------------------------------------------------------------------


@pytest.mark.parametrize("crowd_below", [0, 1000], ids=["small", "large"])
def test_movement_is_told_against_the_board_before(bench: BoardBench, crowd_below: int) -> None:
    below = [Person(1000 + n, f"crowd-{n}", 10) for n in range(crowd_below)]
    bench.publish([*team((1, 50), (2, 40), (3, 30), (4, 20)), *below], "a")
    bench.publish([*team((2, 60), (1, 50), (3, 30)), *below], "b")
    bench.publish([*team((3, 70), (2, 60), (4, 55), (1, 50), (5, 45)), *below], "c")
    changes = bench.changes()
    assert {id_: changes[id_] for id_ in (1, 2, 3, 4, 5)} == {
        3: ("up", 2, 3),
        2: ("down", 1, 1),
        4: ("returned", 0, None),
        1: ("down", 2, 2),
        5: ("new", 0, None),
    }
    bench.publish([*team((3, 70), (2, 60), (4, 55), (1, 50), (5, 45)), *below], "d")
    assert set(bench.changes().values()) == {("same", 0, r.rank) for r in bench.rows().values()}


def test_who_changes_class_is_new_there_and_moves_among_all(bench: BoardBench) -> None:
    bench.publish([Person(1, "ana", 30), Person(2, "robo", 20)], "a")
    bench.publish([Person(1, "ana", 30), Person(2, "robo", 40, account_class="bot")], "b")
    robo = bench.rows()[2]
    assert (robo.movement.change, robo.overall.movement.change) == ("new", "up")
    assert robo.overall.movement.previous == 2


# --- withdrawn --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_a_withdrawn_board_leaves_nothing_and_can_come_back(bench: BoardBench, size: str) -> None:
    for n in range(4):
        bench.publish(SIZES[size][n:], f"facts {n}")
    stays = bench.publisher.publish(draft(SIZES["small"], board="repository-9")).head
    for _ in range(2):
        bench.publisher.withdraw(BOARD)
        with pytest.raises(NotFound):
            bench.rows()
        assert {d.path for d in everything(bench.store, "boards")} == {
            pointer_path("repository-9", WINDOW)
        }
        parts = {d.path for d in everything(bench.store, "board_parts")}
        assert parts == stays.digests.keys()
    bench.publish(SIZES[size], "facts 0")
    assert {change for change, _, _ in bench.changes().values()} == {"new"}
