"""Names are labels: an id keeps its own, and a name that was taken over is its latest bearer's."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def with_borne_names(rows: pa.Table, accounts: pa.Table) -> pa.Table:
    """A board's rows in which nobody has a name that another was seen with later.

    ``rows`` have ``contributor_id`` and ``login``, ``accounts`` are those of list_accounts.sql. Who
    lost a name and was seen with no other is left without one, so that a name finds one account.
    """
    lower = pc.utf8_lower(rows["login"].combine_chunks())
    counts = pc.value_counts(lower.drop_null())
    shared = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    if not len(shared):
        return rows
    seen = {row["account_id"]: row["login_seen_at"] for row in accounts.to_pylist()}
    bearers: dict[str, list[int]] = {}
    wanted = rows.select(["contributor_id", "login"]).filter(pc.is_in(lower, value_set=shared))
    for row in wanted.to_pylist():
        bearers.setdefault(row["login"].lower(), []).append(row["contributor_id"])
    lost = [
        id_
        for ids in bearers.values()
        for id_ in sorted(ids, key=lambda i: (seen.get(i) is not None, seen.get(i), i))[:-1]
    ]
    ids = rows["contributor_id"].combine_chunks()
    gone = pc.is_in(ids, value_set=pa.array(lost, ids.type))
    login = rows["login"].combine_chunks()
    kept = pc.if_else(gone, pa.scalar(None, login.type), login)
    return rows.set_column(rows.schema.get_field_index("login"), "login", kept)
