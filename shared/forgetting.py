"""What is left of rows when accounts are forgotten: in Arrow here, in SQL on BigQuery.

An event that somebody did goes. An event of somebody else that merely names them loses the name,
so that nobody loses a point by another's removal: a comment on their issue, a review of their pull
request, the merge by them of another's pull request.
"""

from __future__ import annotations

import json
from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from shared.errors import Rejected
from shared.tables import Dataset

ACTOR = ("actor_id", "actor_login", "actor_type")
AUTHOR = ("author_id", "author_login", "author_type", "author_mail")
LISTS = ("co_authors", "assignees")
"""Columns that hold a JSON list of people, each with ``id``."""

PERSONAL = (Dataset.EVENTS, Dataset.GITHUB_EVENTS, Dataset.CONTRIBUTIONS, Dataset.STANDINGS)
"""The datasets that hold people."""

ID_COLUMNS = ("contributor_id", "actor_id", "author_id")


def check_personal(dataset: Dataset) -> None:
    """Raises Rejected for a dataset that holds no people."""
    if dataset not in PERSONAL:
        raise Rejected(f"{dataset} holds nobody who could be forgotten.")


def without(batch: pa.RecordBatch, accounts: Collection[int]) -> pa.RecordBatch:
    """A batch of a dataset in ``PERSONAL`` with nothing of these accounts; columns by name."""
    ids = pa.array(sorted(accounts), pa.int64())
    names = batch.schema.names
    dropped = _dropped(batch, ids)
    columns = {name: batch[name] for name in names}
    for id_column, group in (("actor_id", ACTOR), ("author_id", AUTHOR)):
        for name in group if id_column in names else ():
            if name in names:
                gone = pc.is_in(batch[id_column], value_set=ids)
                columns[name] = pc.if_else(gone, pa.scalar(None, columns[name].type), columns[name])
    for name in LISTS:
        if name in names:
            columns[name] = _lists_without(columns[name], frozenset(accounts))
    left = pa.RecordBatch.from_arrays(list(columns.values()), schema=batch.schema)
    return left.filter(pc.invert(dropped))


def count_of(batch: pa.RecordBatch, accounts: Collection[int]) -> int:
    """How many rows name one of the accounts."""
    ids = pa.array(sorted(accounts), pa.int64())
    named = pa.repeat(pa.scalar(False), batch.num_rows)
    for name in ID_COLUMNS:
        if name in batch.schema.names:
            named = pc.or_(named, pc.is_in(batch[name], value_set=ids))
    for name in LISTS:
        if name in batch.schema.names:
            listed = [
                text is not None and not _ids_in(text).isdisjoint(accounts)
                for text in batch[name].to_pylist()
            ]
            named = pc.or_(named, pa.array(listed, pa.bool_()))
    return pc.sum(named).as_py() or 0


def _dropped(batch: pa.RecordBatch, ids: pa.Array) -> pa.Array:
    if "contributor_id" in batch.schema.names:
        return pc.is_in(batch["contributor_id"], value_set=ids)
    acted, authored = (pc.is_in(batch[name], value_set=ids) for name in ("actor_id", "author_id"))
    # Who merges does it to somebody's pull request, which keeps its merge. An opening is the
    # author's, whoever is said to have done it.
    done = pc.and_(acted, pc.or_(pc.invert(_is_merge(batch)), authored))
    opened = pc.equal(batch["action"], "opened").fill_null(False)
    return pc.or_(done, pc.and_(opened, authored))


def _is_merge(batch: pa.RecordBatch) -> pa.Array:
    action = batch["action"]
    closed = pc.and_kleene(pc.equal(action, "closed"), batch["merged"])
    merge = pc.or_kleene(pc.equal(action, "merged"), closed).fill_null(False)
    return pc.and_(merge, pc.equal(batch["event_type"], "PullRequestEvent").fill_null(False))


def _lists_without(texts: pa.Array, accounts: frozenset[int]) -> pa.Array:
    def rest(text: str | None) -> str | None:
        if text is None or accounts.isdisjoint(_ids_in(text)):
            return text
        left = [entry for entry in json.loads(text) if entry.get("id") not in accounts]
        return json.dumps(left, separators=(",", ":"), ensure_ascii=False)

    return pa.array([rest(text) for text in texts.to_pylist()], texts.type)


def _ids_in(text: str) -> set[int]:
    return {entry["id"] for entry in json.loads(text) if entry.get("id") is not None}
