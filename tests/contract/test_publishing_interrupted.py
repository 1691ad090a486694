"""Publishing a board while processes die, documents are tampered with and others publish too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from shared.boards import Head
from shared.errors import Conflict, IntegrityError, NotFound
from shared.ports import Write
from shared.publishing import Publisher
from tests.support.board_bench import SIZES, BoardBench, team
from tests.support.ranked import BOARD, Person, draft
from tests.support.watched_documents import Killed, everything, kill_after, nothing, snapshot

every_size = pytest.mark.parametrize("size", SIZES)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[BoardBench]:
    opened = BoardBench(tmp_path / "documents.sqlite")
    yield opened
    opened.store.close()


# --- killed -----------------------------------------------------------------------------------


@every_size
def test_a_publication_killed_after_any_write_leaves_a_whole_board_and_a_repeat_ends_well(
    tmp_path: Path, size: str
) -> None:
    old, new = SIZES[size], SIZES[size][7:]
    whole = BoardBench(tmp_path / "whole.sqlite", keep=2)
    _publish_three(whole, old)
    whole.documents.forget()
    whole.publish(new, "new")
    expected, calls = snapshot(whole.store), whole.documents.calls
    whole.store.close()

    outcomes: list[bool] = []
    for number in range(1, calls + 1):
        bench = BoardBench(tmp_path / f"{number}.sqlite", keep=2)
        before = _publish_three(bench, old)
        bench.documents.forget()
        bench.documents.after_write = kill_after(number)
        with pytest.raises(Killed):
            bench.publish(new, "new")
        outcomes.append(bench.head().generation != before.generation)
        assert bench.rows().keys() == {person.id for person in (new if outcomes[-1] else old)}

        bench.documents.after_write = nothing
        bench.publish(new, "new")
        assert snapshot(bench.store) == expected
        bench.store.close()
    # Noted and written, then flipped, then the oldest generation goes: its parts, its note.
    assert outcomes == [False, False, True, True, True]


def _publish_three(bench: BoardBench, people: list[Person]) -> Head:
    """Three generations, so that the next one retires the oldest of the two that are kept."""
    return [bench.publish(people, f"old {n}") for n in range(3)][-1]


def test_a_publication_that_never_came_back_is_cleared_away_later(bench: BoardBench) -> None:
    bench.publish(SIZES["large"], "one")
    bench.documents.forget()
    bench.documents.after_write = kill_after(2)
    with pytest.raises(Killed):
        bench.publish(SIZES["large"][3:], "lost")
    bench.documents.after_write = nothing

    bench.clock.advance(timedelta(minutes=30))
    bench.publish(SIZES["large"][4:], "two")
    assert any(d.fields["state"] == "writing" for d in everything(bench.store, "board_generations"))
    bench.clock.advance(timedelta(minutes=31))
    bench.publish(SIZES["large"][5:], "three")
    bench.check_nothing_is_left_over()


def test_a_withdrawal_killed_after_any_write_ends_when_it_is_repeated(tmp_path: Path) -> None:
    for number in count(1):
        bench = BoardBench(tmp_path / f"{number}.sqlite")
        for n in range(3):
            bench.publish(SIZES["small"][n:], f"facts {n}")
        bench.documents.forget()
        bench.documents.after_write = kill_after(number)
        try:
            bench.publisher.withdraw(BOARD)
        except Killed:
            bench.documents.after_write = nothing
            with pytest.raises(NotFound):
                bench.rows()
            bench.publisher.withdraw(BOARD)
            assert snapshot(bench.store) == {}
        else:
            assert number > 6
            return
        finally:
            bench.store.close()


# --- tampered with ----------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["changed", "emptied", "removed"])
@every_size
def test_no_part_that_is_not_what_was_written_is_ever_shown(
    bench: BoardBench, size: str, damage: str
) -> None:
    before = bench.publish(SIZES[size], "old")
    new = SIZES[size][2:]
    for path in _parts_of_the_next(bench, new):
        bench.documents.forget()
        bench.documents.after_write = _damage_once_written(bench, damage, path)
        with pytest.raises(IntegrityError, match="is not what was written"):
            bench.publish(new, "new")
        assert bench.head() == before
        assert bench.rows().keys() == {person.id for person in SIZES[size]}
    bench.documents.after_write = nothing
    bench.publish(new, "new")
    assert bench.rows().keys() == {person.id for person in new}


def _parts_of_the_next(bench: BoardBench, people: list[Person]) -> list[str]:
    """The paths of the parts that a publication writes, seen by killing it before it ends."""
    bench.documents.forget()
    bench.documents.after_write = kill_after(2)
    with pytest.raises(Killed):
        bench.publish(people, "new")
    stored = {document.path for document in everything(bench.store, "board_parts")}
    written = sorted(stored - bench.head().digests.keys())
    assert written
    return written


def _damage_once_written(bench: BoardBench, damage: str, path: str) -> Callable[[int], None]:
    def look(calls: int) -> None:
        if calls != 2:
            return
        (document,) = bench.store.get(path)
        assert document is not None
        body = document.body or b""
        write = {
            "changed": Write(path, {}, body[:-1] + bytes([body[-1] ^ 1])),
            "emptied": Write(path, {}),
            "removed": Write(path, None),
        }[damage]
        bench.store.write([write])

    return look


# --- overtaken --------------------------------------------------------------------------------


def test_of_two_publications_at_once_the_later_to_flip_compares_with_the_earlier(
    bench: BoardBench,
) -> None:
    other = Publisher(bench.store, now=bench.clock, keep=3)
    bench.publish(team((1, 50), (2, 40)), "a")

    def come_between(calls: int) -> None:
        if calls == 1:
            other.publish(draft(team((2, 60), (1, 50)), "b"))

    bench.documents.forget()
    bench.documents.after_write = come_between
    bench.publish(team((1, 70), (2, 60)), "c")
    assert bench.changes() == {1: ("up", 1, 2), 2: ("down", 1, 1)}
    assert len(bench.head().kept) == 2
    bench.check_nothing_is_left_over()


@every_size
def test_a_publication_that_is_overtaken_after_its_flip_removes_nothing_that_is_shown(
    bench: BoardBench, size: str
) -> None:
    other = Publisher(bench.store, now=bench.clock, keep=3)
    flips = count()

    def come_after_the_flip(_calls: int) -> None:
        if (
            bench.documents.written[-1].path.startswith("board_generations/")
            and (bench.documents.written[-1].fields or {}).get("state") == "published"
        ):
            next(flips)
            other.publish(draft(SIZES[size][3:], "later"))

    bench.documents.after_write = come_after_the_flip
    earlier = bench.publish(SIZES[size], "earlier")
    assert next(flips) == 1
    assert bench.rows().keys() == {person.id for person in SIZES[size][3:]}
    assert bench.head().kept == (earlier.edition,)
    bench.check_nothing_is_left_over()


def test_a_publication_that_is_overtaken_again_and_again_gives_up(bench: BoardBench) -> None:
    other = Publisher(bench.store, now=bench.clock, keep=3)

    def overtake(calls: int) -> None:
        other.publish(draft(team((1, 1)), f"other {calls}"))

    bench.documents.after_write = overtake
    with pytest.raises(Conflict, match="kept coming between"):
        bench.publish(team((1, 50)), "mine")
    assert bench.head().receipt.inputs.facts.startswith("other")
    bench.check_nothing_is_left_over()
