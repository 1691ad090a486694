"""The deployed functions, by name. Nothing else belongs here."""

from functions.api import api
from functions.budget import report_budget
from functions.dead_letter import record_dead_letter
from functions.maintenance import sweep_jobs
from functions.pipeline import refresh_stale_repositories
from functions.recalculate import (
    recalculate_board,
    recalculate_global_leaderboard,
    recalculate_leaderboards,
)
from functions.scrape import scrape_repository

__all__ = [
    "api",
    "recalculate_board",
    "recalculate_global_leaderboard",
    "recalculate_leaderboards",
    "record_dead_letter",
    "refresh_stale_repositories",
    "report_budget",
    "scrape_repository",
    "sweep_jobs",
]
