"""Kept boards in which somebody's row says no more who they are: small ones and large ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import people
from shared.board_reading import Selection
from shared.boards import TOMBSTONE, TOMBSTONE_LOGIN
from shared.errors import Conflict
from shared.models import Kind
from shared.ports import Write
from shared.publishing import PeopleChanged
from shared.redaction import Instead, Shown
from tests.support.board_bench import SIZES, BoardBench
from tests.support.ranked import BOARD, WINDOW, draft

ALL = Selection("all", limit=5000)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[BoardBench]:
    opened = BoardBench(tmp_path / "documents.sqlite")
    yield opened
    opened.store.close()


def published(bench: BoardBench, size: str) -> tuple[int, str]:
    """Two generations, and somebody in the middle of both: id and login."""
    crowd = sorted(SIZES[size], key=lambda person: -person.score)
    bench.publish(crowd[:-1], "older")
    bench.publish(crowd, "newer")
    who = crowd[len(crowd) // 2]
    return who.id, who.login or ""


@pytest.mark.parametrize("size", SIZES)
def test_of_somebody_removed_the_rank_alone_is_left_in_every_kept_generation(
    bench: BoardBench, size: str
) -> None:
    id_, login = published(bench, size)
    before, old = bench.rows(), bench.head()
    assert bench.publisher.redact(BOARD, WINDOW, {id_: None})
    head = bench.head()
    for generation in (head.generation, *(kept[:24] for kept in head.kept)):
        found = bench.reader.read(BOARD, WINDOW, ALL, generation)
        rows = {row.github_id: row for row in found.rows}
        gone = rows.pop(TOMBSTONE)
        assert (gone.username, gone.score, gone.avatar_url) == (TOMBSTONE_LOGIN, 0, "")
        assert not any(gone.counts.values())
        assert id_ not in rows
        assert found.head.redacted
        assert bench.publisher.holds(found.head)
        for kind in Kind:
            counted = sum(row.counts[kind] for row in found.rows)
            assert found.head.counts[kind] == counted
    rows = bench.rows()
    assert rows.pop(TOMBSTONE).rank == before.pop(id_).rank
    assert rows == before
    assert head.receipt == old.receipt
    assert not bench.reader.person(BOARD, WINDOW, github_id=id_).rows
    assert not bench.reader.person(BOARD, WINDOW, login=login).rows
    assert not bench.reader.read(BOARD, WINDOW, Selection("all", search=login, limit=9)).rows
    by_commits = bench.reader.read(BOARD, WINDOW, Selection("all", "COMMIT", limit=5000)).rows
    counts = [row.counts[Kind.COMMIT] for row in by_commits]
    assert counts == sorted(counts, reverse=True)
    bench.check_nothing_is_left_over()
    assert not bench.publisher.redact(BOARD, WINDOW, {id_: None})
    assert bench.head() == head


@pytest.mark.parametrize("size", SIZES)
def test_a_pseudonym_takes_a_name_s_place_and_the_name_comes_back(
    bench: BoardBench, size: str
) -> None:
    id_, login = published(bench, size)
    before = bench.rows()
    hidden: Instead = {id_: Shown(-77, "anonymous-0000004d")}
    assert bench.publisher.redact(BOARD, WINDOW, hidden)
    (row,) = bench.reader.person(BOARD, WINDOW, login="anonymous-0000004d").rows
    assert (row.github_id, row.avatar_url) == (-77, "")
    assert (row.rank, row.score, row.counts) == (
        before[id_].rank, before[id_].score, before[id_].counts,
    )  # fmt: skip
    assert not bench.reader.person(BOARD, WINDOW, login=login).rows
    names = [
        r.username.lower()
        for r in bench.reader.read(BOARD, WINDOW, Selection("all", "username", limit=5000)).rows
    ]
    assert names == sorted(names)
    assert bench.publisher.redact(BOARD, WINDOW, {-77: Shown(id_, login)})
    assert bench.rows() == before
    bench.check_nothing_is_left_over()


def test_the_same_facts_published_again_are_whole_again(bench: BoardBench) -> None:
    id_, _ = published(bench, "small")
    bench.publisher.redact(BOARD, WINDOW, {id_: None})
    generation = bench.head().generation
    again = bench.publish(SIZES["small"], "newer")
    assert (again.generation, again.redacted) == (generation, False)
    assert id_ in bench.rows()


def test_a_rollback_planned_before_a_redaction_does_not_bring_anybody_back(
    bench: BoardBench,
) -> None:
    id_, _ = published(bench, "small")
    older = bench.head().kept[0][:24]
    planned = bench.publisher._kept(bench.head(), older)
    assert planned is not None
    current = bench.head()
    bench.publisher.redact(BOARD, WINDOW, {id_: None})
    with pytest.raises(Conflict):
        bench.publisher._flip(planned, current)
    bench.publisher.roll_back(BOARD, WINDOW, older)
    assert id_ not in bench.rows()


def test_what_was_made_before_a_change_of_people_is_not_published(bench: BoardBench) -> None:
    before = bench.publish(SIZES["small"], "before")
    bench.store.write([Write(people.CHANGES, {"changes": 1})])
    with pytest.raises(PeopleChanged):
        bench.publisher.publish(draft(SIZES["small"], "after"))
    assert bench.head() == before
    bench.check_nothing_is_left_over()
