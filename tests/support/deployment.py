"""What is deployed, as ``infra/deployment.json`` says, and what of it is still on its way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[2] / "infra" / "deployment.json"

AWAITED_FUNCTIONS = frozenset(
    {"run_pipeline", "recalculate_everything", "apply_retention", "report_budget"}
)
"""Deployed by the table, and not exported by main.py yet. A test fails when one has arrived."""

AWAITED_SETTINGS = frozenset(
    {
        "ARCHIVE_PROJECT", "BIGQUERY_DATASET", "BIGQUERY_LOCATION", "BUDGET_DAILY_USD",
        "BUDGET_MONTHLY_USD", "BUDGET_WARNING_PERCENT", "EMAIL_HMAC_SECRET", "GITHUB_TOKEN",
        "INVOKER_SERVICE_ACCOUNTS", "WEBHOOK_SECRET",
    }
)  # fmt: skip
"""Given to functions, and not in shared/settings.py yet."""

AWAITED_EVENTS = frozenset({"budget_warning", "budget_overrun"})
"""Counted by metrics, and not logged yet."""


def load() -> dict[str, Any]:
    """The table."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found
