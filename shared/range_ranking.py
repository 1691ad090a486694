"""Ranks standings that were counted but not stored, as ``shared/sql/rank_board.sql`` the stored.

The same columns, the same order, the same ties.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa

from shared.accounts import Account, Classifier
from shared.models import AccountClass
from shared.tables import COUNT_COLUMNS

_SUMS = (*COUNT_COLUMNS.values(), "score")


def rank(standings: pa.Table, accounts: pa.Table, classifier: Classifier) -> pa.Table:
    """The rows of a board from the standings of one window, in any number of repositories.

    ``accounts`` are the rows of list_accounts.sql; who is not among them goes by the standings.
    """
    known = {row["account_id"]: (row["login"], row["account_type"]) for row in accounts.to_pylist()}
    known = {**_named(standings, known), **known}
    totals = _totals(standings)
    ids: list[int] = totals["contributor_id"].to_pylist()
    others = classifier.others(Account(id_, *known[id_]) for id_ in ids)
    human = AccountClass.HUMAN.value
    classes = [others[id_].account_class.value if id_ in others else human for id_ in ids]
    in_class = _Places()
    overall = _Places()
    places: list[tuple[int, int, int, int]] = []
    for class_, score in zip(classes, totals["score"].to_pylist(), strict=True):
        places.append((*in_class.next(class_, score), *overall.next("", score)))
    whole = list(zip(*places, strict=True)) or [()] * 4
    columns: dict[str, pa.Array] = {
        "login": pa.array([known[id_][0] for id_ in ids], pa.string()),
        "class": pa.array(classes, pa.string()),
    } | {
        name: pa.array(whole[number], pa.int64())
        for number, name in enumerate(("rank", "above", "rank_all", "above_all"))
    }
    for name, column in columns.items():
        totals = totals.append_column(name, column)
    return totals.sort_by([("class", "ascending"), ("rank", "ascending")])


def _totals(standings: pa.Table) -> pa.Table:
    """One row a contributor, best first, ties by id."""
    summed = standings.group_by("contributor_id", use_threads=False).aggregate(
        [(name, "sum") for name in _SUMS] + [("repo_id", "count")]
    )
    names = {f"{name}_sum": name for name in _SUMS} | {"repo_id_count": "repositories"}
    renamed = summed.rename_columns([names.get(name, name) for name in summed.column_names])
    return renamed.sort_by([("score", "descending"), ("contributor_id", "ascending")])


def _named(standings: pa.Table, known: dict[int, Any]) -> dict[int, tuple[str | None, str | None]]:
    """Latest login and first type of those who are on no published board yet."""
    columns = ("contributor_id", "login_seen_at", "login", "account_type")
    found: dict[int, tuple[str | None, str | None]] = {}
    for row in (
        standings.select(columns)
        .sort_by([("login_seen_at", "ascending"), ("login", "ascending")])
        .to_pylist()
    ):
        if row["contributor_id"] in known:
            continue
        login, type_ = found.get(row["contributor_id"], (None, None))
        types = [t for t in (type_, row["account_type"]) if t is not None]
        found[row["contributor_id"]] = (row["login"] or login, min(types, default=None))
    return found


class _Places:
    """Counts through rows that come best first."""

    def __init__(self) -> None:
        self._ranks: Counter[str] = Counter()
        self._above: dict[str, tuple[int, int]] = {}

    def next(self, among: str, score: int) -> tuple[int, int]:
        """The next rank among some, and how many of them have a higher score."""
        self._ranks[among] += 1
        last = self._above.get(among)
        if last is None or last[0] != score:
            self._above[among] = (score, self._ranks[among] - 1)
        return self._ranks[among], self._above[among][1]
