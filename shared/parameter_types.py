"""The types of the statements' parameters: the same name means the same in every statement.

BigQuery wants the type beside the value, which null and an empty list do not show.
"""

from __future__ import annotations

from collections.abc import Mapping

PARAMETERS: Mapping[str, str] = {
    "account_ids": "ARRAY<INT64>",
    "agent_credit": "STRING",
    "agents": "STRING",
    "classes": "STRING",
    "contributor_id": "INT64",
    "end_at": "TIMESTAMP",
    "login": "STRING",
    "names": "ARRAY<STRING>",
    "people": "STRING",
    "per_kind": "INT64",
    "repo_id": "INT64",
    "repo_ids": "ARRAY<INT64>",
    "reread": "STRING",
    "rule_set": "STRING",
    "skipped": "INT64",
    "sources": "STRING",
    "start_at": "TIMESTAMP",
    "top": "INT64",
    "window": "STRING",
    "windows": "STRING",
}
"""GoogleSQL types by name."""
