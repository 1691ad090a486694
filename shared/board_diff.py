"""What changed between two generations of a board: who came, who left, who moved.

Documents read, of each generation: as ``shared/board_columns.py`` says; then at most one page
document for each row that is shown, in the order of ranks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

from shared.board_columns import BoardColumns, read_columns
from shared.board_reading import BoardReader
from shared.board_summary import ClassSums
from shared.boards import Head, Row
from shared.errors import NotFound

Change = Literal["entered", "left", "up", "down", "rescored", "same"]
"""``rescored`` kept the rank and has another score."""

CHANGES: tuple[Change, ...] = get_args(Change)
CHANGED = tuple(change for change in CHANGES if change != "same")


@dataclass(frozen=True, slots=True)
class Changed:
    """Somebody before and after. Scores in hundredths; None where they are not on the board.

    ``row`` is that of the later generation, of the earlier one for somebody who left.
    """

    change: Change
    row: Row
    rank_before: int | None
    rank_after: int | None
    score_before: int | None
    score_after: int | None


@dataclass(frozen=True, slots=True)
class Diff:
    """``total`` counts the rows of the selection, ``counts`` everybody by change."""

    before: Head
    after: Head
    sums_before: ClassSums
    sums_after: ClassSums
    counts: dict[Change, int]
    total: int
    rows: tuple[Changed, ...]


def diff(
    reader: BoardReader,
    board: str,
    window: str,
    account_class: str,
    generations: tuple[str | None, str | None],
    changes: Sequence[str] = CHANGED,
    *,
    offset: int = 0,
    limit: int = 50,
) -> Diff:
    """From one generation to another: (the one before the current, the current) where None.

    By the later rank; those who left come last, by the earlier one. Ranks are among the class, or
    among all. Raises NotFound if a generation is not kept.
    """
    after = read_columns(reader, board, window, account_class, generations[1])
    wanted = generations[0] or _one_before(reader, after.head)
    before = read_columns(reader, board, window, account_class, wanted)
    joined = changes_of(before.people, after.people)
    counts = Counter(joined["change"].to_pylist())
    chosen = joined.filter(pc.is_in(joined["change"], value_set=pa.array(changes, pa.string())))
    shown = chosen.slice(offset, limit).to_pylist()
    rows = _rows(reader, after, [r["id"] for r in shown if r["change"] != "left"])
    rows |= _rows(reader, before, [r["id"] for r in shown if r["change"] == "left"])
    return Diff(
        before.head,
        after.head,
        before.summary.sums(account_class),
        after.summary.sums(account_class),
        {change: counts[change] for change in CHANGES},
        chosen.num_rows,
        tuple(
            Changed(
                r["change"],
                rows[r["id"]],
                r["place"],
                r["place_after"],
                r["score"],
                r["score_after"],
            )
            for r in shown
        ),
    )


def changes_of(before: pa.Table, after: pa.Table) -> pa.Table:
    """Everybody on one of two boards: id, change, place, place_after, score, score_after.

    Both have id, place and score.
    """
    columns = ["id", "place", "score"]
    joined = before.select(columns).join(
        after.select(columns),
        "id",
        join_type="full outer",
        right_suffix="_after",
        use_threads=False,
    )
    then, now = joined["place"], joined["place_after"]
    change = pc.case_when(
        pc.make_struct(
            pc.is_null(then),
            pc.is_null(now),
            pc.fill_null(pc.less(now, then), fill_value=False),
            pc.fill_null(pc.greater(now, then), fill_value=False),
            pc.fill_null(pc.not_equal(joined["score"], joined["score_after"]), fill_value=False),
        ),
        *(pa.scalar(change) for change in CHANGES),
    )
    return joined.append_column("change", change).sort_by(
        [("place_after", "ascending"), ("place", "ascending")]
    )


def _one_before(reader: BoardReader, head: Head) -> str:
    """The newest generation that is kept beside one: the one before it, where it is the current."""
    current = reader.head(head.board, head.window)
    kept = [edition.split("-")[0] for edition in (current.edition, *current.kept)]
    older = kept[kept.index(head.generation) + 1 :] if head.generation in kept else []
    if not older:
        raise NotFound(
            "There is no generation before this one to compare it with.",
            details={"generation": head.generation, "kept": kept},
        )
    return older[0]


def _rows(reader: BoardReader, columns: BoardColumns, ids: list[int]) -> dict[int, Row]:
    return dict(zip(ids, reader.rows(columns.head, columns.positions(ids)), strict=True))
