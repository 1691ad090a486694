"""Rows and parameters for tests of warehouses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from shared.models import published_windows
from shared.ports import Parameter
from shared.scoring import DEFAULT_RULES
from shared.statements import windows_parameter
from shared.tables import Columns, arrow_schema

NOW = datetime(2025, 3, 20, 12, tzinfo=UTC)

_WINDOWS = windows_parameter(published_windows(NOW))
_SPAN: Mapping[str, Parameter] = {
    "repo_ids": [1],
    "start_at": NOW - timedelta(days=30),
    "end_at": NOW + timedelta(days=1),
}

ALONE: Mapping[str, Parameter] = {
    "sources": "[]",
    "people": "[]",
    "agents": "[]",
    "agent_credit": "author",
}
"""What crediting takes beside repositories, where the archive is the only source."""

EVERY_STATEMENT: Mapping[str, Mapping[str, Parameter]] = {
    "compact_github_events": {"repo_ids": [1], "reread": "[]"},
    "count_standings": {
        "repo_ids": [1],
        "windows": _WINDOWS,
        "rule_set": DEFAULT_RULES.parameter,
    },
    "credit_contributions": {"repo_ids": [1], **ALONE},
    "digest_contributions": {"repo_id": 1},
    "find_accounts": {"login": "mira"},
    "find_people": {"account_ids": [7]},
    "find_repositories": {"names": ["o/r1"]},
    "latest_repository_names": {"repo_ids": [1]},
    "list_accounts": {"repo_ids": [1]},
    "list_co_authors": {"repo_ids": [1]},
    "list_contributor_events": {**_SPAN, "contributor_id": 7, "per_kind": 10},
    "list_personal_contributions": {"account_ids": [7], "top": 5, "skipped": 0},
    "list_personal_events": {"account_ids": [7], "top": 5, "skipped": 0},
    "list_personal_standings": {"account_ids": [7], "top": 5, "skipped": 0},
    "list_standings": {"repo_ids": [1], "window": "all"},
    "measure_gaps": {"repo_id": 1, "windows": _WINDOWS},
    "measure_numbers": {"repo_ids": [1]},
    "most_active_repositories": {"top": 5},
    "rank_board": {"repo_ids": [1], "window": "all", "classes": '[{"id":7,"class":"bot"}]'},
    "tally_board": _SPAN,
    "tally_contributor": {**_SPAN, "contributor_id": 7},
    "tally_months": {"repo_id": 1, "windows": _WINDOWS, "classes": '[{"id":7,"class":"bot"}]'},
}
"""Parameters for every statement over a dataset of the warehouse."""


def event(repo_id: int, **values: object) -> dict[str, object]:
    """A slim event with what every one of them has."""
    return {
        "event_id": f"{repo_id}-1",
        "event_type": "PushEvent",
        "created_at": NOW,
        "repo_id": repo_id,
        "repo_name": f"o/r{repo_id}",
        "actor_id": 7,
        "actor_login": "mira",
        **values,
    }


def push(repo_id: int, number: int = 1) -> dict[str, object]:
    """A push of one commit."""
    return event(
        repo_id, event_id=f"{repo_id}-{number}", object_id=100 + number, push_distinct_size=1
    )


def table(columns: Columns, rows: Iterable[Mapping[str, object]]) -> pa.Table:
    """Rows as a table of these columns; what a row lacks is null."""
    return pa.Table.from_pylist([dict(row) for row in rows], arrow_schema(columns))
