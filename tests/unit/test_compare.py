"""Repositories side by side: shares, cross scores, who is where, and what reading it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.documents import SqliteDocuments
from shared.board_columns import read_columns
from shared.board_reading import BoardReader, Selection
from shared.board_summary import less, months_by_window, read_scores, read_summary
from shared.boards import PAGE_ROWS
from shared.compare import (
    RADAR,
    Comparison,
    compare,
    cross_ranked,
    first_of_most,
    month_is_covered,
    months_between,
    radar,
)
from shared.coverage import Coverage, Gap, Hole
from shared.errors import NotFound
from shared.models import Kind
from shared.publishing import Publisher
from tests.support.manual_clock import ManualClock
from tests.support.ranked import Person, crowd, draft
from tests.support.watched_documents import WatchedDocuments

ANA, BEN, CLEO, DAN, ROBOT = 1, 2, 3, 4, 9
ENGINE = [
    Person(ANA, "ana", 100_000, counts={Kind.COMMIT: 6, Kind.LINES_ADDED: 400}),
    Person(BEN, "ben", 50_000, counts={Kind.PR_REVIEWED: 2, Kind.PR_REVIEW_COMMENT: 2}),
    Person(CLEO, "cleo", 25_005, counts={Kind.COMMENT: 3}),
    Person(ROBOT, "robot[bot]", 900_000, "bot", counts={Kind.COMMIT: 90}),
]
WHEELS = [
    Person(BEN, "Ben-now", 30_000, counts={Kind.COMMIT: 3}),
    Person(DAN, "dan", 10_000, counts={Kind.ISSUE_OPENED: 1}),
]
MONTHS = {"2025-01": {"human": {"COMMIT": 6, "LINES_ADDED": 400}, "bot": {"COMMIT": 90}},
          "2025-03": {"human": {"COMMENT": 3}}}  # fmt: skip

Publish = Callable[[str, list[Person]], str]


class Shelf:
    """Boards in a store that is watched."""

    def __init__(self, path: Path) -> None:
        self.store = SqliteDocuments(path)
        self.documents = WatchedDocuments(self.store)
        self.clock = ManualClock()
        self.publisher = Publisher(self.store, now=self.clock, keep=2)

    def publish(self, board: str, people: list[Person], facts: str = "facts") -> str:
        made = replace(draft(people, facts, board=board), name=board, months=MONTHS)
        return self.publisher.publish(made).head.generation

    def reader(self) -> BoardReader:
        self.documents.forget()
        return BoardReader(self.documents, now=self.clock)

    def compare(
        self,
        *boards: str,
        account_class: str = "human",
        weights: tuple[int, ...] = (1, 1),
        top: int = 10,
    ) -> Comparison:
        named = [(board, board) for board in boards]
        return compare(
            self.reader(), named, "all", account_class, weights, top, [None] * len(named)
        )


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path_factory.mktemp("shelf") / "documents.sqlite")
    shelf.publish("engine", ENGINE)
    shelf.publish("wheels", WHEELS)
    for number in range(3):
        shelf.publish(f"large-{number}", crowd(1500, 8, 3, seed=number))
    yield shelf
    shelf.store.close()


def crosses(found: Comparison) -> dict[str, int]:
    return {person.row.username: person.cross for person in found.ranked}


# --- by hand ----------------------------------------------------------------------------------


def test_a_cross_score_is_the_mean_of_the_shares_of_the_best(shelf: Shelf) -> None:
    found = shelf.compare("engine", "wheels")
    # ben has 50 of 100 there and all of 30 here; dan a third, cut to 33.33, halved and cut.
    assert crosses(found) == {"Ben-now": 7500, "ana": 5000, "dan": 1666, "cleo": 1250}
    assert [person.rank for person in found.ranked] == [1, 2, 3, 4]
    (ben,) = found.common
    assert [(p.rank, p.score, p.share) for p in ben.places if p is not None] == [
        (2, 5000, 5000),
        (1, 3000, 10_000),
    ]


def test_weights_decide_whose_repository_counts_for_more(shelf: Shelf) -> None:
    weighted = shelf.compare("engine", "wheels", weights=(3, 1))
    assert crosses(weighted) == {"ana": 7500, "Ben-now": 6250, "cleo": 1875, "dan": 833}
    alone = shelf.compare("engine", "wheels", weights=(0, 1))
    assert crosses(alone) == {"Ben-now": 10_000, "dan": 3333, "ana": 0, "cleo": 0}


def test_who_is_on_both_boards_and_who_on_one_alone(shelf: Shelf) -> None:
    found = shelf.compare("engine", "wheels")
    assert found.regions == {0b01: 2, 0b10: 1, 0b11: 1}
    assert (found.people, found.in_common) == (4, 1)
    assert [found.together(sides) for sides in (0b01, 0b10, 0b11)] == [3, 2, 1]
    names = [[person.row.username for person in side] for side in found.unique]
    assert names == [["ana", "cleo"], ["dan"]]


def test_totals_are_those_of_the_class_that_was_asked_for(shelf: Shelf) -> None:
    engine, _wheels = shelf.compare("engine", "wheels").sides
    assert (engine.people, engine.score, engine.average, engine.best) == (
        3,
        175_005,
        58_335,
        10_000,
    )
    assert engine.contributions == 6 + 4 + 3
    assert engine.months == {
        "2025-01": {Kind.COMMIT: 6, Kind.LINES_ADDED: 400},
        "2025-03": {Kind.COMMENT: 3},
    }
    together = shelf.compare("engine", "wheels", account_class="all")
    assert together.sides[0].counts[Kind.COMMIT] == 96
    assert together.sides[0].months["2025-01"][Kind.COMMIT] == 96
    assert [p.rank for p in together.common[0].places if p is not None] == [3, 1]
    bots = shelf.compare("engine", "wheels", account_class="bot")
    assert [side.people for side in bots.sides] == [1, 0]
    assert (bots.sides[1].average, bots.sides[1].best) == (0, 0)
    assert (bots.common, bots.unique[1]) == ((), ())


def test_an_axis_of_the_radar_is_as_long_as_its_largest(shelf: Shelf) -> None:
    axes = radar(shelf.compare("engine", "wheels").sides)
    assert list(axes) == list(RADAR)
    assert axes["commits"] == [(6, 10_000), (3, 5000)]
    assert axes["reviews"] == [(4, 10_000), (0, 0)]
    assert axes["releases"] == [(0, 0), (0, 0)]


def test_months_go_on_without_a_gap_over_the_turn_of_the_year() -> None:
    assert months_between(["2025-02", "2024-11"]) == ["2024-11", "2024-12", "2025-01", "2025-02"]
    assert months_between([]) == []


def test_the_first_of_equals_leads_and_nobody_does_with_nothing() -> None:
    assert first_of_most([2, 5, 5]) == 1
    assert first_of_most([0, 0]) is None


def test_a_month_is_covered_if_all_of_it_that_is_in_the_window_was_captured() -> None:
    none = Gap(unknown=0, of=0)
    whole = Coverage(
        source="archive", start="2025-01-10T00:00:00.000000Z", end="2025-04-05T00:00:00.000000Z",
        captured_from="2025-01-10T00:00:00.000000Z", captured_until="2025-04-05T00:00:00.000000Z",
        hours_expected=1, hours_captured=1, percent="100.00", complete=True, broken_lines=0,
        holes=(Hole(start="2025-03-31T23:00:00.000000Z", end="2025-04-01T00:00:00.000000Z",
                    reason="not captured"),),
        pushes_without_commits=none, merges_unattributed=none, merges_without_lines=none, notes=(),
    )  # fmt: skip
    months = ["2025-01", "2025-02", "2025-03", "2025-04"]
    assert [month_is_covered(whole, month) for month in months] == [True, True, False, True]
    late = whole.model_copy(update={"captured_from": "2025-02-01T00:00:00.000000Z", "start": None})
    assert [month_is_covered(late, month) for month in months] == [False, True, False, True]
    behind = whole.model_copy(update={"captured_until": "2025-04-04T23:00:00.000000Z"})
    assert not month_is_covered(behind, "2025-04")
    assert not month_is_covered(whole.model_copy(update={"more_holes": 1}), "2025-02")
    assert not month_is_covered(whole.model_copy(update={"captured_from": None}), "2025-02")


def test_months_come_from_their_statement_by_window_class_and_kind() -> None:
    rows = [
        {"window_name": "all", "class": "bot", "month": 202412, "kind": "COMMIT", "quantity": 2},
        {"window_name": "all", "class": "human", "month": 202401, "kind": "COMMIT", "quantity": 3},
        {"window_name": "30d", "class": "human", "month": 202412, "kind": "RELEASE", "quantity": 1},
    ]
    assert months_by_window(pa.Table.from_pylist(rows)) == {
        "all": {"2024-01": {"human": {"COMMIT": 3}}, "2024-12": {"bot": {"COMMIT": 2}}},
        "30d": {"2024-12": {"human": {"RELEASE": 1}}},
    }


# --- against what is plain --------------------------------------------------------------------

_boards = st.lists(
    st.dictionaries(st.integers(1, 12), st.integers(0, 50_000), max_size=12),
    min_size=2,
    max_size=5,
)


@settings(max_examples=100, deadline=None)
@given(boards=_boards, weights=st.lists(st.integers(0, 100), min_size=5, max_size=5))
def test_ranking_across_boards_is_what_a_plain_count_gives(
    boards: list[dict[int, int]], weights: list[int]
) -> None:
    sides = [
        pa.table(
            {"id": pa.array([*side], pa.int64()), "score": pa.array([*side.values()], pa.int64())}
        )
        for side in boards
    ]
    expected: Counter[int] = Counter()
    sets: Counter[int] = Counter()
    for number, side in enumerate(boards):
        for id_, score in side.items():
            expected[id_] += weights[number] * (score * 10_000 // (max(side.values()) or 1))
            sets[id_] |= 1 << number
    rows = cross_ranked(sides, weights[: len(boards)]).to_pylist()
    assert [row["id"] for row in rows] == sorted(expected, key=lambda i: (-expected[i], i))
    assert {row["id"]: (row["weighted"], row["sides"]) for row in rows} == {
        id_: (expected[id_], sets[id_]) for id_ in expected
    }


@pytest.mark.parametrize("account_class", ["human", "bot", "all"])
def test_a_large_board_is_read_by_its_columns_as_its_pages_have_it(
    shelf: Shelf, account_class: str
) -> None:
    reader = shelf.reader()
    columns = read_columns(reader, "large-1", "all", account_class)
    assert not [path for path in shelf.documents.read if ".page." in path]
    rows = reader.read("large-1", "all", Selection(account_class, limit=2000)).rows
    found = {r["id"]: (r["place"], r["score"]) for r in columns.people.to_pylist()}
    assert found == {
        row.github_id: (
            row.overall.rank if account_class == "all" else row.rank,
            round(row.score * 100),
        )
        for row in rows
    }
    sums = columns.summary.sums(account_class)
    assert sums.rows == len(rows)
    assert sums.counts == {k.value: sum(row.counts[k.value] for row in rows) for k in Kind}


# --- what it costs ----------------------------------------------------------------------------


@pytest.mark.parametrize("top", [1, 25])
def test_comparing_reads_columns_and_at_most_a_page_document_for_each_row_shown(
    shelf: Shelf, top: int
) -> None:
    boards = [f"large-{number}" for number in range(3)]
    found = shelf.compare(*boards, weights=(1, 2, 3), top=top)
    kinds = Counter(
        "pointer" if path.startswith("boards/") else path.split(".")[1]
        for path in shelf.documents.read
    )
    shown = {p.row.github_id for some in (found.ranked, found.common, *found.unique) for p in some}
    assert (kinds["pointer"], kinds["summary"], kinds["id"], kinds["score"]) == (3, 3, 3, 9)
    pages = 3 * (-(-1500 // PAGE_ROWS))
    assert 0 < kinds["page"] <= min(len(shown), pages)
    assert kinds.total() == 18 + kinds["page"]


def test_small_boards_cost_a_pointer_a_summary_and_a_page_for_each_class(shelf: Shelf) -> None:
    shelf.compare("engine", "wheels")
    assert len(shelf.documents.read) == (1 + 1 + 2) + (1 + 1 + 1)


def test_the_same_boards_compared_again_cost_nothing(shelf: Shelf) -> None:
    reader = shelf.reader()
    named = [("engine", "engine"), ("large-0", "large-0")]
    first = compare(reader, named, "all", "human", [1, 1], 10, [None, None])
    shelf.documents.forget()
    again = compare(reader, named, "all", "human", [1, 1], 10, [None, None])
    assert shelf.documents.read == []
    assert crosses(again) == crosses(first)


def test_a_generation_from_before_there_were_summaries_says_so(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "documents.sqlite")
    shelf.publish("engine", ENGINE)
    reader = shelf.reader()
    head = reader.head("engine", "all")
    older = head.model_copy(
        update={"digests": {p: d for p, d in head.digests.items() if ".summary." not in p}}
    )
    path = "boards/engine~all"
    reader._heads[path] = replace(reader._heads[path], head=older)
    with pytest.raises(NotFound, match="before boards had a summary"):
        read_columns(reader, "engine", "all", "human")
    shelf.store.close()


# --- without somebody -------------------------------------------------------------------------


def test_of_somebody_removed_no_score_sum_or_month_is_left(shelf: Shelf) -> None:
    reader = shelf.reader()
    rows = reader.read("large-2", "all", Selection("all", limit=2000)).rows
    gone = [rows[0], rows[700], rows[-1]]
    head = reader.head("large-2", "all")
    names = ["summary.0", *(f"score.{c}.0" for c in head.classes)]
    bodies = reader.parts(head, [(n.rsplit(".", 1)[0], 0) for n in names])
    found = less(dict(zip([*names, "id.0"], [*bodies, b""], strict=True)), gone)
    assert list(found) == names
    left = [row for row in rows if row not in gone]
    summary = read_summary(found["summary.0"])
    sums = summary.sums("all")
    assert (sums.rows, summary.months) == (len(left), None)
    assert abs(sums.score - sum(round(row.score * 1000) for row in left)) <= 10 * len(rows)
    assert sums.counts == {k.value: sum(row.counts[k.value] for row in left) for k in Kind}
    for account_class in head.classes:
        expected = {r.rank: round(r.score * 100) for r in rows if r.account_class == account_class}
        expected |= {r.rank: 0 for r in gone if r.account_class == account_class}
        scores = read_scores([found[f"score.{account_class}.0"]]).to_pylist()
        assert dict(enumerate(scores, 1)) == expected


def test_where_nobody_was_removed_sums_and_months_stay(shelf: Shelf) -> None:
    reader = shelf.reader()
    (body,) = reader.parts(reader.head("engine", "all"), [("summary", 0)])
    assert read_summary(less({"summary.0": body}, [])["summary.0"]) == read_summary(body)
