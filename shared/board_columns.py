"""Everybody on a board as columns: id, class, ranks and score, without the pages where possible.

What it costs, in documents (none of them when cached): the summary; of a board with indexes one of
the index by id for each 20,000 contributors and one of scores for each 200,000 of a class; of one
without, its pages, one a class.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from shared.board_reading import BoardReader
from shared.board_summary import SCORE_ENTRIES, SUMMARY, Summary, read_scores, read_summary
from shared.boards import (
    ALL_CLASSES,
    CLASSES,
    TOMBSTONE,
    Head,
    Places,
    all_rows,
    part_path,
    unpack,
)
from shared.errors import NotFound
from shared.models import AccountClass

_COLUMNS = pa.schema(
    {
        "id": pa.int64(),
        "class_number": pa.uint8(),
        "rank": pa.int64(),
        "rank_all": pa.int64(),
        "score": pa.int64(),
    }
)
"""``score`` is in hundredths, as rows show it."""


@dataclass(frozen=True, slots=True)
class BoardColumns:
    """A generation's head and summary, and a row for each of its contributors.

    ``people`` has the columns id, class_number, rank (in the class), rank_all, score (hundredths)
    and place: the rank among the class that was asked for, or among all. Nobody removed is there.
    """

    head: Head
    summary: Summary
    people: pa.Table

    def positions(self, ids: list[int]) -> list[tuple[str, int]]:
        """Where in the pages the rows of these are, who have to be on the board."""
        found = self.people.take(pc.index_in(pa.array(ids, pa.int64()), value_set=self.ids))
        return [
            (CLASSES[number].value, rank)
            for number, rank in zip(
                found["class_number"].to_pylist(), found["rank"].to_pylist(), strict=True
            )
        ]

    @property
    def ids(self) -> pa.Array:
        return self.people["id"].combine_chunks()


def read_columns(
    reader: BoardReader,
    board: str,
    window: str,
    account_class: str,
    generation: str | None = None,
) -> BoardColumns:
    """Read a board. Raises NotFound if there is none, the generation is not kept, or it is from

    a version that did not keep its summary; RetryLater if it changes all the time.
    """
    return reader.of_head(
        board, window, generation, lambda head: _columns(reader, head, account_class)
    )


def _columns(reader: BoardReader, head: Head, account_class: str) -> BoardColumns:
    if part_path(head.edition, SUMMARY, 0) not in head.digests:
        raise NotFound(
            f"Generation {head.generation} of {head.name} was published before boards had "
            "a summary. The next recalculation adds it.",
            details={"board": head.name, "generation": head.generation},
        )
    (summary,) = reader.parts(head, [(SUMMARY, 0)])
    people = _indexed(reader, head) if head.indexed else _small(reader, head)
    if account_class != ALL_CLASSES:
        number = CLASSES.index(AccountClass(account_class))
        people = people.filter(pc.equal(people["class_number"], pa.scalar(number, pa.uint8())))
    place = people["rank_all" if account_class == ALL_CLASSES else "rank"]
    return BoardColumns(head, read_summary(summary), people.append_column("place", place))


def _indexed(reader: BoardReader, head: Head) -> pa.Table:
    """From the index by id, and the scores at their ranks."""
    stretches = [
        (account_class, number)
        for account_class, part in head.classes.items()
        for number in range(-(-part.rows // SCORE_ENTRIES))
    ]
    indexes = len(head.first_ids)
    bodies = reader.parts(
        head,
        [*(("id", n) for n in range(indexes)), *((f"score.{c}", n) for c, n in stretches)],
    )
    tables = []
    for body in bodies[:indexes]:
        places = msgspec.msgpack.decode(unpack(body), type=Places)
        columns = [
            pa.array(places.keys, pa.int64()),
            pa.Array.from_buffers(
                pa.uint8(), len(places.keys), [None, pa.py_buffer(places.class_numbers)]
            ),
            pa.array(places.ranks, pa.int64()),
            pa.array(places.ranks_all, pa.int64()),
        ]
        tables.append(pa.table(columns, names=_COLUMNS.names[:-1]))
    people = pa.concat_tables(tables).combine_chunks()
    of_classes: dict[AccountClass, list[bytes]] = {account_class: [] for account_class in CLASSES}
    for (account_class, _), body in zip(stretches, bodies[indexes:], strict=True):
        of_classes[account_class].append(body)
    scores = [read_scores(of_classes[account_class]) for account_class in CLASSES]
    # All scores in one row, and where in it those of each class begin.
    begins = [0]
    for column in scores:
        begins.append(begins[-1] + len(column))
    offsets = pa.array(begins[:-1], pa.int64()).take(people["class_number"])
    at = pc.add(offsets, pc.subtract(people["rank"], 1))
    return people.append_column("score", pa.concat_arrays(scores).take(at.combine_chunks()))


def _small(reader: BoardReader, head: Head) -> pa.Table:
    """From the only page of each class."""
    bodies = reader.parts(head, [(f"page.{account_class}", 0) for account_class in head.classes])
    rows = [row for body in bodies for row in all_rows(body) if row.github_id != TOMBSTONE]
    return pa.table(
        [
            [row.github_id for row in rows],
            [CLASSES.index(AccountClass(row.account_class)) for row in rows],
            [row.rank for row in rows],
            [row.overall.rank for row in rows],
            [round(row.score * 100) for row in rows],
        ],
        schema=_COLUMNS,
    )
