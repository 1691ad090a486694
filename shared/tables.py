"""The columns of every dataset in the warehouse, in GoogleSQL's types.

From here come the Arrow schemas of the embedded warehouse, BigQuery's table definitions and the
tables that Google's analyser checks the statements against. All columns are nullable.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import pyarrow as pa

from shared.archive_fields import FIELDS
from shared.models import Kind

Columns = Mapping[str, str]


class Dataset(StrEnum):
    """What the warehouse keeps. Each is replaced by whole units and never updated in place."""

    EVENTS = "events"
    """Slim archive events. Unit: one source file or table."""
    GITHUB_EVENTS = "github_events"
    """What GitHub's API told of registered repositories. Unit: what one step read."""
    CONTRIBUTIONS = "contributions"
    """Credited contributions of registered repositories. Unit: one repository."""
    STANDINGS = "standings"
    """Counts and score of each contributor in a repository and window. Unit: one repository."""
    COSTS = "costs"
    """What each run of a statement was billed. Unit: one day."""
    EXTRACTIONS = "extractions"
    """Which tables of the public archive were read whole. Unit: one table and version."""


EVENTS: Columns = {field.name: field.type for field in FIELDS}

GITHUB_EVENTS: Columns = {
    **EVENTS,
    "observed_at": "TIMESTAMP",  # when GitHub said so: of two rows of an event the later one holds
    "parents": "INT64",  # of a commit; two or more make it a merge
    "author_mail": "STRING",  # HMAC of the address of a commit's author
    "co_authors": "STRING",  # a JSON list of {id, login, type, mail}, mail as HMAC
    "assignees": "STRING",  # of a pull request: a JSON list of {id, login, type}
}
"""Slim events as the archive's, made from GitHub's answers, and what only those tell.

``event_id`` is made from what the event is about (``pull-7-opened``, ``commit-<sha>``), so the same
event read again has the same. A commit is an event of its own type, ``Commit``. ``actor_id`` and
``author_id`` are null for deleted accounts, and for commits whose address belongs to none.
"""

CONTRIBUTIONS: Columns = {
    "repo_id": "INT64",
    "kind": "STRING",
    "subject": "STRING",  # natural identity within repository and kind: a number or an id
    "contributor_id": "INT64",  # null where the author is unknown, unlinked or deleted
    "contributor_login": "STRING",
    "contributor_type": "STRING",  # GitHub's own word for the account, where an event says it
    "actor_id": "INT64",  # who did it; differs from the contributor for a merge
    "actor_login": "STRING",
    "occurred_at": "TIMESTAMP",
    "quantity": "INT64",  # commits or lines, else 1; null where unknown
    "exclusion": "STRING",  # a value of models.Exclusion, null where it counts
    "superseded_at": "TIMESTAMP",  # ISSUE_CLOSED: when the issue was closed the next time
    "pr_size": "INT64",  # additions + deletions of the pull request, where known
    "self_merged": "BOOL",
    "event_id": "STRING",
    "event_type": "STRING",
    "number": "INT64",
    "object_id": "INT64",
    "ref": "STRING",
    "head": "STRING",
    "copies": "INT64",  # how many rows carried this very event
    "source": "STRING",  # archive or github
    "agent_id": "INT64",  # the agent that took part, and the human who answers for the work
    "agent_login": "STRING",
    "human_id": "INT64",
    "human_login": "STRING",
}

COUNT_COLUMNS: Mapping[Kind, str] = {kind: kind.value.lower() for kind in Kind}
"""The wide count column of each kind in a standing."""

STANDINGS: Columns = {
    "window_name": "STRING",
    "repo_id": "INT64",
    "contributor_id": "INT64",
    "login": "STRING",
    "login_seen_at": "TIMESTAMP",
    "account_type": "STRING",
    "first_at": "TIMESTAMP",
    "last_at": "TIMESTAMP",
    **dict.fromkeys(COUNT_COLUMNS.values(), "INT64"),
    "score": "INT64",  # thousandths of a point
}

COSTS: Columns = {
    "id": "STRING",
    "statement": "STRING",
    "started_at": "TIMESTAMP",
    "duration_ms": "INT64",
    "rows": "INT64",
    "bytes_processed": "INT64",
    "bytes_billed": "INT64",
    "slot_ms": "INT64",
    "cache_hit": "BOOL",
    "job": "STRING",
    "repositories": "STRING",  # a JSON list of those that share the cost equally
    "micro_usd": "INT64",  # millionths of a dollar
}

EXTRACTIONS: Columns = {
    "table_name": "STRING",
    "extraction_version": "INT64",
    "first_day": "STRING",  # YYYY-MM-DD
    "last_day": "STRING",
    "rows": "INT64",  # slim events
    "extracted_at": "TIMESTAMP",
    "run": "STRING",  # the id by which its cost is found
}

COLUMNS: Mapping[Dataset, Columns] = {
    Dataset.EVENTS: EVENTS,
    Dataset.GITHUB_EVENTS: GITHUB_EVENTS,
    Dataset.CONTRIBUTIONS: CONTRIBUTIONS,
    Dataset.STANDINGS: STANDINGS,
    Dataset.COSTS: COSTS,
    Dataset.EXTRACTIONS: EXTRACTIONS,
}

_ARROW: Mapping[str, pa.DataType] = {
    "STRING": pa.string(),
    "INT64": pa.int64(),
    "BOOL": pa.bool_(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
}


def arrow_schema(columns: Columns) -> pa.Schema:
    """The Arrow schema of a table, in column order."""
    return pa.schema([(name, _ARROW[type_]) for name, type_ in columns.items()])
