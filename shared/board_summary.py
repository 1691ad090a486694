"""What a board adds up to: sums a class, and what was counted a month. A small part of its own.

Beside it lie the scores of boards with indexes, a column a class in rank order, so that boards can
be compared without reading their pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from shared.boards import ALL_CLASSES, CLASSES, Row, pack, unpack
from shared.models import Kind
from shared.tables import COUNT_COLUMNS

SUMMARY = "summary"
"""The name of the part."""

SCORE_ENTRIES = 200_000
"""Scores of one document."""

SIZES = frozenset({Kind.LINES_ADDED, Kind.LINES_DELETED})
"""Kinds that tell how large a contribution was, and are none themselves."""

Months = Mapping[str, Mapping[str, Mapping[str, int]]]
"""Month as YYYY-MM → class → kind → how many."""


class ClassSums(msgspec.Struct, frozen=True):
    """The rows of a class added up. ``score`` in thousandths."""

    rows: int = 0
    score: int = 0
    counts: dict[str, int] = {}


class Summary(msgspec.Struct, frozen=True):
    """The sums of each class. ``months`` is None where they are not known: on boards over several

    repositories, and where somebody was removed.
    """

    classes: dict[str, ClassSums]
    months: dict[str, dict[str, dict[str, int]]] | None = None

    def sums(self, account_class: str) -> ClassSums:
        """Of one class, or of all together."""
        if account_class != ALL_CLASSES:
            return self.classes.get(account_class, ClassSums())
        parts = self.classes.values()
        return ClassSums(
            sum(part.rows for part in parts),
            sum(part.score for part in parts),
            _added(part.counts for part in parts),
        )

    def months_of(self, account_class: str) -> dict[str, dict[str, int]]:
        """What was counted in each month that has anything, by kind."""
        if self.months is None:
            return {}
        if account_class == ALL_CLASSES:
            return {month: _added(parts.values()) for month, parts in self.months.items()}
        return {
            m: parts[account_class] for m, parts in self.months.items() if account_class in parts
        }


def contributions(counts: Mapping[str, int] | Mapping[Kind, int]) -> int:
    """How many contributions some counts by kind are: lines are their size, not their number."""
    return sum(number for kind, number in counts.items() if Kind(kind) not in SIZES)


def summary_body(rows: pa.Table, months: Months | None) -> bytes:
    """The part, from the rows of rank_board.sql."""
    columns = [*COUNT_COLUMNS.values(), "score"]
    summed = rows.group_by("class", use_threads=False).aggregate(
        [(name, "sum") for name in columns] + [("class", "count")]
    )
    classes = {
        row["class"]: ClassSums(
            row["class_count"],
            row["score_sum"],
            {kind.value: row[f"{name}_sum"] for kind, name in COUNT_COLUMNS.items()},
        )
        for row in sorted(summed.to_pylist(), key=lambda row: str(row["class"]))
    }
    kept = (
        None
        if months is None
        else {m: {c: dict(n) for c, n in p.items()} for m, p in months.items()}
    )
    return pack(msgspec.json.encode(Summary(classes, kept)))


def read_summary(body: bytes) -> Summary:
    return msgspec.json.decode(unpack(body), type=Summary)


def months_by_window(table: pa.Table) -> dict[str, Months]:
    """The rows of tally_months.sql, a window each."""
    found: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
    for row in table.to_pylist():
        year, month = divmod(row["month"], 100)
        of_window = found.setdefault(row["window_name"], {})
        of_class = of_window.setdefault(f"{year:04d}-{month:02d}", {}).setdefault(row["class"], {})
        of_class[row["kind"]] = row["quantity"]
    return {window: dict(sorted(months.items())) for window, months in found.items()}


def score_bodies(rows: pa.Table) -> Iterator[tuple[str, int, bytes]]:
    """Parts ``score.<class>`` with the scores in rank order: name, number, body.

    A score is in hundredths, as rows show it, and stands as how much less it is than the one
    before; the first of a document stands negated.
    """
    hundredths = pc.divide(pc.add(rows["score"], 5), 10)
    for account_class in CLASSES:
        own = hundredths.filter(pc.equal(rows["class"], account_class.value))
        for number, offset in enumerate(range(0, len(own), SCORE_ENTRIES)):
            scores = own.slice(offset, SCORE_ENTRIES).to_pylist()
            yield f"score.{account_class}", number, _packed(scores)


def read_scores(bodies: Sequence[bytes]) -> pa.Array:
    """The scores of a class in rank order, in hundredths."""
    pieces = [
        pc.negate(pc.cumulative_sum(pa.array(steps, pa.int64())))
        for steps in (msgspec.msgpack.decode(unpack(body), type=list[int]) for body in bodies)
    ]
    return pa.concat_arrays([pa.array([], pa.int64()), *pieces])


def less(parts: Mapping[str, bytes], removed: Sequence[Row]) -> dict[str, bytes]:
    """The summary and the scores without some people, who were on the board with these rows.

    ``parts`` by name within the edition (``score.human.0``); others than these are left out. A
    removed score becomes 0, and the sums are less by what the rows show. In which months they
    contributed no row says, so where somebody is removed the months go as well.
    """
    made: dict[str, bytes] = {}
    for part, body in parts.items():
        if part.startswith(f"{SUMMARY}."):
            made[part] = _summary_less(body, removed)
        elif part.startswith("score."):
            _, account_class, number = part.split(".")
            first = int(number) * SCORE_ENTRIES + 1
            scores = read_scores([body]).to_pylist()
            for row in removed:
                if row.account_class == account_class and 0 <= row.rank - first < len(scores):
                    scores[row.rank - first] = 0
            made[part] = _packed(scores)
    return made


def _summary_less(body: bytes, removed: Sequence[Row]) -> bytes:
    summary = read_summary(body)
    classes = {}
    for name, sums in summary.classes.items():
        gone = [row for row in removed if row.account_class == name]
        classes[name] = ClassSums(
            sums.rows - len(gone),
            sums.score - sum(round(row.score * 100) * 10 for row in gone),
            {kind: n - sum(row.counts[kind] for row in gone) for kind, n in sums.counts.items()},
        )
    return pack(msgspec.json.encode(Summary(classes, None if removed else summary.months)))


def _packed(scores: Sequence[int]) -> bytes:
    steps = [before - after for before, after in zip([0, *scores], scores, strict=False)]
    return pack(msgspec.msgpack.encode(steps))


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for some in counts:
        total.update(some)
    return {kind.value: total[kind.value] for kind in Kind if kind.value in total}
