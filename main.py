"""The deployed functions, by name. Nothing else belongs here."""

from functions.api import api
from functions.budget import report_budget
from functions.dead_letter import record_dead_letter
from functions.enrich import batch_enrich_top_contributors, enrich_contributor
from functions.export import export_data
from functions.live import stream_logs
from functions.maintenance import apply_retention, sweep_jobs
from functions.pipeline import refresh_stale_repositories, run_pipeline
from functions.recalculate import (
    recalculate_board,
    recalculate_everything,
    recalculate_global_leaderboard,
    recalculate_leaderboards,
)
from functions.reports import send_weekly_report
from functions.scrape import scrape_repository

__all__ = [
    "api",
    "apply_retention",
    "batch_enrich_top_contributors",
    "enrich_contributor",
    "export_data",
    "recalculate_board",
    "recalculate_everything",
    "recalculate_global_leaderboard",
    "recalculate_leaderboards",
    "record_dead_letter",
    "refresh_stale_repositories",
    "report_budget",
    "run_pipeline",
    "scrape_repository",
    "send_weekly_report",
    "stream_logs",
    "sweep_jobs",
]
