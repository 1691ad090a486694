"""Two to five repositories side by side, from what their boards published and nothing else.

A contributor's score in a repository becomes a share of the best score there, 0 to 100 with two
places, cut. A cross score is the mean of those shares, weighted by repository; who is not on a
board has 0 there. All of it is whole numbers: hundredths, cut.

Documents read, of each repository: pointer, summary, an index document for each 20,000 contributors
and one of scores for each 200,000 of a class (a board without indexes: a page a class); then at
most one page document for each row that is shown. None of them when cached.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from shared.board_columns import BoardColumns, read_columns
from shared.board_reading import BoardReader, Position
from shared.board_summary import contributions
from shared.boards import Head, Row
from shared.coverage import Coverage
from shared.models import Kind, iso

FEWEST, MOST = 2, 5
WHOLE = 10_000
"""100 in hundredths."""

RADAR: Mapping[str, tuple[Kind, ...]] = {
    "commits": (Kind.COMMIT,),
    "code_volume": (Kind.LINES_ADDED, Kind.LINES_DELETED),
    "pull_requests": (Kind.PR_OPENED, Kind.PR_MERGED),
    "reviews": (Kind.PR_REVIEWED, Kind.PR_REVIEW_COMMENT),
    "issues": (Kind.ISSUE_OPENED, Kind.ISSUE_CLOSED),
    "discussion": (Kind.COMMENT,),
    "releases": (Kind.RELEASE,),
}
"""What the axes of a radar chart count."""


@dataclass(frozen=True, slots=True)
class Side:
    """A repository: totals of the class that was asked for. ``score`` in thousandths.

    ``months`` are counts by kind of the months that have any.
    """

    name: str
    columns: BoardColumns
    people: int
    score: int
    counts: Mapping[Kind, int]
    months: Mapping[str, Mapping[Kind, int]]

    @property
    def head(self) -> Head:
        return self.columns.head

    @property
    def contributions(self) -> int:
        return contributions(self.counts)

    @property
    def average(self) -> int:
        """Mean score of a contributor in thousandths, cut; 0 without any."""
        return self.score // self.people if self.people else 0

    @property
    def best(self) -> int:
        """The best score in hundredths; 0 without any."""
        return pc.max(self.columns.people["score"]).as_py() or 0


@dataclass(frozen=True, slots=True)
class Place:
    """Somebody on a board: rank among the class asked for, score and share of the best in

    hundredths.
    """

    rank: int
    score: int
    share: int


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, with a place (or None) on each side. ``cross`` in hundredths, ``rank`` by it."""

    row: Row
    rank: int
    cross: int
    places: tuple[Place | None, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The sides, and who is on them.

    ``regions`` counts people by the sides that they are on, and on no other: bit n is side n.
    ``ranked`` are the best by cross score, ``common`` the best of those on two sides or more,
    ``unique`` of each side the best of those on no other.
    """

    sides: tuple[Side, ...]
    weights: tuple[int, ...]
    regions: Mapping[int, int]
    ranked: tuple[Person, ...]
    common: tuple[Person, ...]
    unique: tuple[tuple[Person, ...], ...]

    @property
    def people(self) -> int:
        return sum(self.regions.values())

    @property
    def in_common(self) -> int:
        """How many are on two sides or more."""
        return sum(n for sides, n in self.regions.items() if sides.bit_count() > 1)

    def together(self, sides: int) -> int:
        """How many are on all of some sides, whatever others they are on."""
        return sum(n for region, n in self.regions.items() if region & sides == sides)


def compare(
    reader: BoardReader,
    boards: Sequence[tuple[str, str]],
    window: str,
    account_class: str,
    weights: Sequence[int],
    top: int,
    generations: Sequence[str | None],
) -> Comparison:
    """Compare boards, given as (name, board id), with a weight and perhaps a generation each.

    ``top`` is how many people each list shows. Raises as ``read_columns``.
    """
    sides = tuple(
        _side(name, read_columns(reader, board, window, account_class, generation), account_class)
        for (name, board), generation in zip(boards, generations, strict=True)
    )
    everyone = cross_ranked([side.columns.people for side in sides], weights)
    on = everyone["sides"]
    counted = pc.value_counts(on)
    regions = {entry["values"]: entry["counts"] for entry in counted.to_pylist()}
    alone = [pc.equal(on, 1 << number) for number in range(len(sides))]
    shared = _none_of(alone) if len(everyone) else pa.chunked_array([pa.array([], pa.bool_())])
    lists = [everyone.slice(0, top), everyone.filter(shared).slice(0, top)]
    lists += [everyone.filter(mask).slice(0, top) for mask in alone]
    people = _people(reader, sides, pa.concat_tables(lists), sum(weights))
    shown = [tuple(people[id_] for id_ in some["id"].to_pylist()) for some in lists]
    return Comparison(sides, tuple(weights), regions, shown[0], shown[1], tuple(shown[2:]))


def cross_ranked(sides: Sequence[pa.Table], weights: Sequence[int]) -> pa.Table:
    """Everybody on some boards, best first, ties by id.

    Each side has id and score. Columns: id, sides (bit n for side n), weighted (the sum of weight
    times share in hundredths), rank.
    """
    tables = [
        pa.table(
            {
                "id": people["id"],
                "sides": pa.repeat(pa.scalar(1 << number, pa.int64()), people.num_rows),
                "weighted": pc.multiply(shares(people["score"]), pa.scalar(weight, pa.int64())),
            }
        )
        for number, (people, weight) in enumerate(zip(sides, weights, strict=True))
    ]
    summed = (
        pa.concat_tables(tables)
        .group_by("id", use_threads=False)
        .aggregate([("sides", "sum"), ("weighted", "sum")])
        .rename_columns({"sides_sum": "sides", "weighted_sum": "weighted"})
        .sort_by([("weighted", "descending"), ("id", "ascending")])
    )
    ones = pa.repeat(pa.scalar(1, pa.int64()), summed.num_rows)
    return summed.append_column("rank", pc.cumulative_sum(ones))


def shares(scores: pa.ChunkedArray) -> pa.ChunkedArray:
    """Scores as shares of the best, 0 to 10,000, cut. All 0 if the best is."""
    best = pc.max(scores).as_py() or 1
    return pc.divide(pc.multiply(scores, pa.scalar(WHOLE, pa.int64())), pa.scalar(best, pa.int64()))


def radar(sides: Sequence[Side]) -> dict[str, list[tuple[int, int]]]:
    """By axis, of each side the amount, and its share of the largest in hundredths, cut."""
    found = {}
    for axis, kinds in RADAR.items():
        amounts = [sum(side.counts[kind] for kind in kinds) for side in sides]
        most = max(amounts) or 1
        found[axis] = [(amount, amount * WHOLE // most) for amount in amounts]
    return found


def months_between(months: Iterable[str]) -> list[str]:
    """Every month (YYYY-MM) from the first to the last of some."""
    some = sorted(months)
    if not some:
        return []
    first, last = (int(m[:4]) * 12 + int(m[5:]) - 1 for m in (some[0], some[-1]))
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in range(first, last + 1)]


def month_is_covered(coverage: Coverage, month: str) -> bool:
    """True if all of a month that lies in the board's window was captured.

    Of what a coverage does not list (holes beyond the first fifty) nothing is said to be known.
    """
    year, number = int(month[:4]), int(month[5:])
    following = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    begin = max(iso(datetime(year, number, 1, tzinfo=UTC)), coverage.start or "")
    end = min(iso(following), coverage.end)
    return (
        coverage.captured_from is not None
        and coverage.captured_from <= begin
        and end <= coverage.captured_until
        and not coverage.more_holes
        and not any(hole.start < end and begin < hole.end for hole in coverage.holes)
    )


def first_of_most(values: Sequence[int]) -> int | None:
    """Which is the largest, the first of equals; None if all are 0."""
    most = max(values)
    return values.index(most) if most else None


def _side(name: str, columns: BoardColumns, account_class: str) -> Side:
    sums = columns.summary.sums(account_class)
    months = columns.summary.months_of(account_class)
    return Side(
        name,
        columns,
        sums.rows,
        sums.score,
        {kind: sums.counts.get(kind, 0) for kind in Kind},
        {
            month: {kind: counts[kind] for kind in Kind if kind in counts}
            for month, counts in months.items()
        },
    )


def _none_of(masks: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    some = masks[0]
    for mask in masks[1:]:
        some = pc.or_(some, mask)
    return pc.invert(some)


def _people(
    reader: BoardReader, sides: Sequence[Side], wanted: pa.Table, weight: int
) -> dict[int, Person]:
    """Those who are shown, by id: each with the row of the side where they rank best."""
    known = {row["id"]: row for row in wanted.to_pylist()}
    ids = list(known)
    places = list(zip(*(_places(side, ids) for side in sides), strict=True))
    by_side: dict[int, list[int]] = {}
    for id_, held in zip(ids, places, strict=True):
        best = min((place.rank, number) for number, place in enumerate(held) if place is not None)
        by_side.setdefault(best[1], []).append(id_)
    rows: dict[int, Row] = {}
    for number, some in by_side.items():
        columns = sides[number].columns
        positions: list[Position] = columns.positions(some)
        rows |= dict(zip(some, reader.rows(columns.head, positions), strict=True))
    return {
        id_: Person(rows[id_], known[id_]["rank"], known[id_]["weighted"] // weight, held)
        for id_, held in zip(ids, places, strict=True)
    }


def _places(side: Side, ids: list[int]) -> list[Place | None]:
    """Where some stand on a side."""
    people = side.columns.people
    at = pc.index_in(pa.array(ids, pa.int64()), value_set=side.columns.ids)
    found = people.append_column("share", shares(people["score"])).take(at)
    columns = (found[name].to_pylist() for name in ("place", "score", "share"))
    return [
        None if place is None else Place(place, score, share)
        for place, score, share in zip(*columns, strict=True)
    ]
