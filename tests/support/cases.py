"""All cases of the counting rules, each a few archive rows with the outcome they must have."""

from __future__ import annotations

from tests.support import (
    cases_boards,
    cases_commits,
    cases_conversations,
    cases_issues,
    cases_lines,
    cases_pull_requests,
    cases_rows,
)
from tests.support.case import Case as Case

CASES: tuple[Case, ...] = (
    *cases_commits.CASES,
    *cases_pull_requests.CASES,
    *cases_lines.CASES,
    *cases_conversations.CASES,
    *cases_issues.CASES,
    *cases_boards.CASES,
    *cases_rows.CASES,
)
