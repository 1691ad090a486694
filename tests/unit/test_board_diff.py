"""What changed between two generations of a board."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from shared.board_diff import CHANGED, Diff, diff
from shared.boards import Row
from shared.errors import NotFound
from shared.models import Kind
from tests.support.board_bench import BoardBench, team
from tests.support.ranked import BOARD, WINDOW, Person, crowd


@pytest.fixture
def bench(tmp_path: Path) -> BoardBench:
    return BoardBench(tmp_path / "documents.sqlite")


def changed(
    bench: BoardBench, *changes: str, account_class: str = "human", offset: int = 0, limit: int = 50
) -> Diff:
    return diff(
        bench.reader,
        BOARD,
        WINDOW,
        account_class,
        (None, None),
        changes or CHANGED,
        offset=offset,
        limit=limit,
    )


def test_who_entered_left_moved_or_has_another_score(bench: BoardBench) -> None:
    before = bench.publish(team((1, 50), (2, 40), (3, 30), (4, 20), (5, 10)), "one")
    after = bench.publish(team((1, 55), (3, 45), (2, 40), (6, 35), (5, 10)), "two")
    found = changed(bench)
    assert (found.before.generation, found.after.generation) == (
        before.generation,
        after.generation,
    )
    rows = [
        (r.row.github_id, r.change, r.rank_before, r.rank_after, r.score_before, r.score_after)
        for r in found.rows
    ]
    assert rows == [
        (1, "rescored", 1, 1, 5000, 5500),
        (3, "up", 3, 2, 3000, 4500),
        (2, "down", 2, 3, 4000, 4000),
        (6, "entered", None, 4, None, 3500),
        (4, "left", 4, None, 2000, None),
    ]
    assert found.counts == {"entered": 1, "left": 1, "up": 1, "down": 1, "rescored": 1, "same": 1}
    assert (found.sums_before.score, found.sums_after.score) == (150_000, 185_000)


def test_pages_and_single_changes_are_cut_from_the_same_order(bench: BoardBench) -> None:
    bench.publish(team((1, 50), (2, 40), (3, 30)), "one")
    bench.publish(team((3, 60), (1, 50), (2, 40), (4, 5)), "two")
    whole = [r.row.github_id for r in changed(bench).rows]
    assert whole == [3, 1, 2, 4]
    page = changed(bench, offset=1, limit=2)
    assert ([r.row.github_id for r in page.rows], page.total) == ([1, 2], 4)
    assert [r.row.github_id for r in changed(bench, "down").rows] == [1, 2]
    assert changed(bench, "left").rows == ()


def test_two_large_generations_differ_as_their_pages_do(bench: BoardBench) -> None:
    people = crowd(1200, 20, seed=4)
    bench.publish(people[5:], "one")
    first = {row.github_id: row for row in bench.rows().values()}
    later = [
        Person(p.id, p.login, p.score + 1010 * (p.id % 7 == 0), p.account_class, p.counts)
        for p in people[:-5]
    ]
    bench.publish(later, "two")
    second = {row.github_id: row for row in bench.rows().values()}
    found = changed(bench, account_class="all", limit=2000)
    expected = Counter(_change(first.get(id_), second.get(id_)) for id_ in {*first, *second})
    assert Counter({name: n for name, n in found.counts.items() if n}) == expected
    assert found.total == len(found.rows) == sum(expected.values()) - expected["same"]
    for row in found.rows:
        then, now = first.get(row.row.github_id), second.get(row.row.github_id)
        assert (row.rank_before, row.rank_after) == (
            then and then.overall.rank,
            now and now.overall.rank,
        )
        assert row.row == (now or then)


def _change(then: Row | None, now: Row | None) -> str:
    if then is None or now is None:
        return "entered" if then is None else "left"
    moved = then.overall.rank - now.overall.rank
    if moved:
        return "up" if moved > 0 else "down"
    return "same" if then.score == now.score else "rescored"


def test_older_generations_are_compared_by_name_and_in_either_direction(bench: BoardBench) -> None:
    one, two, three = (
        bench.publish([Person(7, "ana", n * 1000, counts={Kind.COMMIT: n})], str(n))
        for n in (1, 2, 3)
    )
    back = diff(bench.reader, BOARD, WINDOW, "human", (three.generation, one.generation))
    assert (back.rows[0].score_before, back.rows[0].score_after) == (300, 100)
    older = diff(bench.reader, BOARD, WINDOW, "human", (None, two.generation))
    assert older.before.generation == one.generation
    assert diff(bench.reader, BOARD, WINDOW, "human", (two.generation, two.generation)).total == 0


def test_what_is_not_kept_cannot_be_compared(bench: BoardBench) -> None:
    first = bench.publish(team((1, 1)), "0")
    with pytest.raises(NotFound, match="no generation before"):
        changed(bench)
    for number in range(1, 4):
        bench.publish(team((1, 1 + number)), str(number))
    with pytest.raises(NotFound, match=f"Generation {first.generation} is not kept"):
        diff(bench.reader, BOARD, WINDOW, "human", (first.generation, None))
