"""The dashboard's pages, as a blueprint of the API's app.

The app keeps how to get at the services in its extension ``leaderboard``. For addresses that lead
nowhere it can show ``error_response``. Views read through ``shared/`` and render; nothing is
decided here.
"""

from __future__ import annotations

from typing import Any

import structlog
from flask import (
    Blueprint,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from functions import edge, measuring
from functions.dashboard import (
    board_page,
    contributor_page,
    costs_page,
    export_pages,
    overview,
    responses,
    sessions,
    visit,
)
from functions.dashboard.board_address import BoardAddress
from functions.dashboard.costs_page import OwnSpending
from functions.dashboard.row_parts import FILTERS as ROW_FILTERS
from functions.dashboard.widgets import Widget, attempt
from functions.dashboard.words import COLUMNS, FILTERS, LABELS, number, points
from shared import jobs, repositories, weekly_report
from shared.boards import GLOBAL, repository_board
from shared.context import Services
from shared.errors import LeaderboardError, NotFound, RetryLater
from shared.models import RepositoryName

log = structlog.get_logger()

blueprint = Blueprint(
    "dashboard",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/dashboard/static",
)
blueprint.after_request(responses.finish)
export_pages.add_to(blueprint)
for _name, _filter in {**FILTERS, **ROW_FILTERS}.items():
    blueprint.add_app_template_filter(_filter, _name)


@blueprint.app_context_processor
def _words() -> dict[str, Any]:
    return {
        **LABELS,
        "COLUMNS": COLUMNS,
        "asset": responses.asset,
        "avatars": responses.avatars,
        "AVATARS": responses.AVATARS,
        "path_of": path_of,
        "points": points,
        "number": number,
    }


@blueprint.get("/")
def home() -> AnyResponse:
    """The dashboard is the first page."""
    return redirect(url_for("dashboard.dashboard"))


@blueprint.get("/dashboard")
def dashboard() -> str:
    """Totals, budget, jobs of today, movers, freshness, the top of the board; or how to begin."""
    services = visit.services()
    shown = overview.read(services, with_costs=sessions.reads_costs(services))
    template = "first_run.html" if shown.empty else "dashboard.html"
    return render_template(template, **visit.context(), shown=shown)


@blueprint.get("/leaderboard")
def leaderboard() -> str:
    """The board over all registered repositories."""
    address = BoardAddress.read("dashboard.leaderboard", {}, request.args)
    try:
        return board_page.rendered(visit.services(), GLOBAL, address, None)
    except NotFound:
        if address.generation:
            raise
        return render_template("no_board.html", repository=None)


@blueprint.get("/repositories/<owner>/<name>")
def repository(owner: str, name: str) -> str | AnyResponse:
    """The board of one repository, or where it stands on the way to one.

    A name that it had leads to its present one.
    """
    services = visit.services()
    named = RepositoryName.parse(f"{owner}/{name}")
    found = repositories.get(services, named)
    if found.called.key != named.key:
        called = found.called
        there = url_for("dashboard.repository", owner=called.owner, name=called.name)
        asked = request.query_string.decode("ascii", "replace")
        return redirect(f"{there}?{asked}" if asked else there, 308)
    place = {"owner": owner, "name": name}
    address = BoardAddress.read("dashboard.repository", place, request.args)
    try:
        board = repository_board(found.github_id or 0)
        spending = _spending(services, found)
        return board_page.rendered(
            services, board, address, found, spending=spending, reader=visit.context()
        )
    except NotFound:
        if address.generation:
            raise
        return render_template("no_board.html", **visit.context(), repository=found)


def _spending(services: Services, found: repositories.Repository) -> Widget[OwnSpending] | None:
    """What a repository cost, for those who may see it."""
    if not sessions.reads_costs(services):
        return None
    return attempt(lambda: costs_page.of_repository(services, found))


@blueprint.get("/contributors/<path:login>")
def contributor(login: str) -> str:
    """One contributor: standings, and the score of a window down to its events."""
    address = BoardAddress.read("dashboard.contributor", {"login": login}, request.args)
    page = contributor_page.read(visit.services(), login, address.window)
    return render_template("contributor.html", page=page)


@blueprint.get("/jobs/<job_id>")
def job(job_id: str) -> str:
    """A job: progress, error, result."""
    found = jobs.get(visit.services(), job_id)
    owner, _, name = (found.repository_key or "").partition("~")
    link = url_for("dashboard.repository", owner=owner, name=name) if name else None
    return render_template("job.html", **visit.context(), job=found, repository_link=link)


@blueprint.get("/reports/weekly")
def weekly() -> str:
    """The weekly report as it would be now."""
    try:
        report = weekly_report.build(visit.services())
    except NotFound:
        report = None
    return render_template("weekly.html", **visit.context(), report=report)


@blueprint.get("/dashboard/logs")
def logs() -> str:
    """The live log."""
    return render_template("logs.html", **visit.context())


@blueprint.errorhandler(Exception)
def error_response(error: Exception) -> AnyResponse:
    """The page that tells people of a failure. For addresses outside this blueprint as well."""
    if isinstance(error, HTTPException) and error.code is not None and error.code < 400:
        return error.get_response()
    failure = edge.failure_of(error)
    if failure.is_ours and not isinstance(error, RetryLater):
        log.exception("page_failed", route=measuring.route_of(request))
    known = isinstance(error, LeaderboardError) and (
        not failure.is_ours or isinstance(error, RetryLater)
    )
    message = failure.message[:500] if known else ""
    page = render_template("error.html", status=failure.status, message=message)
    return responses.finish(make_response(page, failure.status, failure.headers))


def path_of(found: repositories.Repository) -> str:
    """The page of a repository. It is registered by its first name and shown by its latest."""
    same = RepositoryName.parse(found.name).key == found.key
    owner, name = (found.name.split("/") if same else found.key.split("~"))[:2]
    return url_for("dashboard.repository", owner=owner, name=name)
