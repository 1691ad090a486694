"""Pages for those who run the leaderboard, as a blueprint of their own beside ``pages``."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request

from functions.dashboard import (
    costs_page,
    coverage_page,
    pages,
    pipeline_page,
    responses,
    sessions,
    settings_page,
    stats,
)
from functions.dashboard.settings_page import GRACES, LIMITS
from functions.dashboard.visit import context, services
from shared.auth import Role
from shared.context import Services
from shared.errors import Unauthenticated
from shared.jobs import State

blueprint = Blueprint("operations", __name__, template_folder="templates")
blueprint.after_request(responses.finish)
blueprint.register_error_handler(Exception, pages.error_response)

_LONGEST_CURSOR = 2000


@blueprint.get("/dashboard/pipeline")
def pipeline() -> str:
    """Jobs with progress, queues, runs, dead letters, schedules."""
    found = services()
    page = pipeline_page.read(found, request.args.get("state", ""), _after())
    return _render("pipeline.html", page=page, states=tuple(State))


@blueprint.get("/costs")
def costs() -> str:
    """The budget, the trend, costs by repository, the newest charges."""
    _need_costs(found := services())
    page = costs_page.read(found, request.args.get("period") or "week")
    return _render("costs.html", page=page, periods=costs_page.PERIODS)


@blueprint.get("/costs/ledger")
def ledger() -> str:
    """Every charge, newest first."""
    _need_costs(found := services())
    charges = costs_page.charges(found, _after())
    return _render("ledger.html", charges=charges, after=_after())


@blueprint.get("/coverage")
def coverage() -> str:
    """How complete the boards are."""
    return _render("coverage.html", page=coverage_page.read(services(), _after()))


@blueprint.get("/settings")
def settings() -> str:
    """Rules, limits and flags; for admins the forms that change them, keys, the audit trail."""
    found = services()
    page = settings_page.read(
        found,
        sessions.current(found),
        with_costs=sessions.reads_costs(found),
        after=_after(),
        keys_after=request.args.get("keys_after", "")[:_LONGEST_CURSOR],
    )
    return _render("settings.html", page=page, limits=LIMITS, graces=GRACES, roles=tuple(Role))


@blueprint.get("/dashboard/stats")
def show_stats() -> Response:
    """The dashboard's figures as JSON."""
    found = services()
    return jsonify(stats.stats(found, with_costs=sessions.reads_costs(found)))


@blueprint.get("/dashboard/errors")
def show_errors() -> Response:
    """The newest failures as JSON."""
    return jsonify(stats.errors(services()))


def _render(template: str, **shown: Any) -> str:
    return render_template(template, **context(), **shown)


def _need_costs(found: Services) -> None:
    """Raises Unauthenticated where costs are not for everybody's eyes."""
    if not sessions.reads_costs(found):
        raise Unauthenticated("What is spent here is shown to those who sign in.")


def _after() -> str:
    return request.args.get("after", "")[:_LONGEST_CURSOR]
