"""The rows of a board as text, a column at a time: lines of JSON, and lines to be hashed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from shared.ranking import BANDS
from shared.tables import COUNT_COLUMNS

_Columns = Mapping[str, pa.Array]
_Piece: TypeAlias = "pa.Array | str"


@cache
def text(value: str) -> pa.Scalar:
    """As Arrow takes it. Left to itself it would look for the type each time, at some cost."""
    return pa.scalar(value, pa.string())


def _whole(value: int) -> pa.Scalar:
    return pa.scalar(value, pa.int64())


def canonical_lines(columns: _Columns) -> pa.Array:
    """What the hash of the board is made of: id, class, counts, score and rank."""
    names = ("contributor_id", "class", *COUNT_COLUMNS.values(), "score", "rank")
    line: list[_Piece] = []
    for name in names:
        line += [columns[name].cast(pa.string()), "|"]
    return _joined(*line[:-1], "\n")


def row_lines(columns: _Columns, in_class: int, total: int) -> pa.Array:
    """Every row as a line of JSON, ``boards.Row``."""
    numbers = {
        name: columns[name].cast(pa.string())
        for name in ("contributor_id", "rank", "rank_all", "repositories", *COUNT_COLUMNS.values())
    }
    counts: list[_Piece] = []
    for kind, name in COUNT_COLUMNS.items():
        counts += [f',"{kind.value}":' if counts else f'"{kind.value}":', numbers[name]]
    score = pc.divide(pc.add(columns["score"], _whole(5)), _whole(10))
    seen = columns["seen"]
    return _joined(
        '{"rank":', numbers["rank"],
        ',"github_id":', numbers["contributor_id"],
        ',"username":', _quoted(columns["login"]),
        ',"avatar_url":"', _avatars(columns["contributor_id"], numbers["contributor_id"]),
        '","class":"', columns["class"],
        '","score":', *_with_places(score), ",",
        *_standing(columns["above"], in_class),
        *_movement(columns["rank"], columns["previous"], seen),
        ',"repositories":', numbers["repositories"],
        ',"counts":{', *counts,
        '},"overall":{"rank":', numbers["rank_all"], ",",
        *_standing(columns["above_all"], total),
        *_movement(columns["rank_all"], columns["previous_all"], seen),
        "}}\n",
    )  # fmt: skip


def _avatars(ids: pa.Array, numbers: pa.Array) -> pa.Array:
    """Addresses of pictures; a pseudonym, which has an id below 0, has none."""
    found = _joined("https://avatars.githubusercontent.com/u/", numbers, "?v=4")
    return pc.if_else(pc.less(ids, _whole(0)), text(""), found)


def _joined(*pieces: _Piece) -> pa.Array:
    """The pieces of each row one after the other; what is missing reads null."""
    values = [text(piece) if isinstance(piece, str) else piece for piece in pieces]
    return pc.binary_join_element_wise(
        *values, text(""), null_handling="replace", null_replacement="null"
    )


def _quoted(texts: pa.Array) -> pa.Array:
    """Texts as JSON strings."""
    if pc.any(pc.match_substring_regex(texts, r'["\\\x00-\x1f]')).as_py():
        return pa.array([msgspec.json.encode(text).decode() for text in texts.to_pylist()])
    return _joined('"', texts, '"')


def _with_places(hundredths: pa.Array) -> tuple[_Piece, ...]:
    """Hundredths as a number with two places."""
    whole = pc.divide(hundredths, _whole(100))
    rest = pc.subtract(hundredths, pc.multiply(whole, _whole(100)))
    return whole.cast(pa.string()), ".", pc.utf8_lpad(rest.cast(pa.string()), 2, "0")


def _standing(above: pa.Array, total: int) -> tuple[_Piece, ...]:
    """Percentile and band, as ``ranking.percentile_hundredths`` and ``ranking.band``."""
    at_or_below = pc.subtract(_whole(total), above)
    percentile = pc.divide(pc.multiply(at_or_below, _whole(10_000)), _whole(total))
    hundredfold = pc.multiply(pc.add(above, _whole(1)), _whole(100))
    within = [pc.less_equal(hundredfold, _whole(total * percent)) for percent in BANDS]
    band = pc.case_when(pc.make_struct(*within), *(text(str(percent)) for percent in BANDS))
    return '"percentile":', *_with_places(percentile), ',"band":', band


def _movement(rank: pa.Array, previous: pa.Array, seen: pa.Array) -> tuple[_Piece, ...]:
    """How a rank moved, as ``ranking.change``."""
    climbed = pc.subtract(previous, rank)
    stayed = pc.if_else(pc.equal(climbed, _whole(0)), text("same"), text("down"))
    moved = pc.if_else(pc.greater(climbed, _whole(0)), text("up"), stayed)
    change = pc.coalesce(moved, pc.if_else(seen, text("returned"), text("new")))
    by = pc.coalesce(pc.abs(climbed), _whole(0))
    return (
        ',"movement":{"change":"', change, '","by":', by.cast(pa.string()),
        ',"previous":', previous.cast(pa.string()), "}",
    )  # fmt: skip


def text_of(lines: pa.Array) -> bytes:
    """The texts of an array one after the other, as they lie in memory."""
    _, offsets, text = lines.buffers()
    borders = memoryview(offsets).cast("i")
    begin, end = borders[lines.offset], borders[lines.offset + len(lines)]
    return bytes(memoryview(text)[begin:end])
