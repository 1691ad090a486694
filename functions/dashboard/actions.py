"""Forms of the pages: signing in and out, and what admins may change. They work without scripts."""

from __future__ import annotations

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from functions.api.access import ADMIN, WRITE
from functions.dashboard import (
    github_sign_in,
    pages,
    responses,
    sessions,
    settings_actions,
    settings_page,
)
from functions.dashboard.visit import context, services
from shared import budget_config, dead_letters, job_control, pausing, pipeline_runs, repositories
from shared.errors import Rejected, Unauthenticated
from shared.models import RepositoryName

blueprint = Blueprint("actions", __name__, template_folder="templates")
blueprint.after_request(responses.finish)
blueprint.register_error_handler(Exception, pages.error_response)
github_sign_in.add_to(blueprint)
settings_actions.add_to(blueprint)

BY_HAND = "manual"
SEE_OTHER = 303


@blueprint.get("/sign-in")
def sign_in_form() -> str:
    """The form that takes an API key."""
    return _form(None)


@blueprint.post("/sign-in")
def sign_in() -> AnyResponse:
    """Begin a session; a wrong key shows the form again."""
    answer = redirect(_with(_back(), "signed-in"), SEE_OTHER)
    try:
        sessions.begin(services(), request.form.get("key", ""), answer)
    except Unauthenticated:
        page = _form("This key is not known. It may have been revoked, or a part of it is missing.")
        return make_response(page, 401)
    return answer


def _form(problem: str | None) -> str:
    with_github = services().sign_in is not None
    return render_template(
        "sign_in.html", **context(), back=_back(), problem=problem, with_github=with_github
    )


@blueprint.post("/sign-out")
def sign_out() -> AnyResponse:
    """End the session."""
    sessions.confirmed(services(), None)
    answer = redirect(_with(url_for("dashboard.dashboard"), "signed-out"), SEE_OTHER)
    sessions.end(answer)
    return answer


@blueprint.post("/dashboard/repositories")
def register() -> AnyResponse:
    """Register a repository and ask for its first scrape."""
    session = sessions.confirmed(services(), WRITE)
    name = RepositoryName.parse(request.form.get("repository", "")[:300])
    repositories.register(services(), name, session.caller)
    return _done("registered")


@blueprint.post("/repositories/<owner>/<name>/pause")
def pause_repository(owner: str, name: str) -> AnyResponse:
    """Scrape a repository no more until somebody resumes it. What works on it is cancelled."""
    session = sessions.confirmed(services(), ADMIN)
    pausing.disable(services(), RepositoryName.parse(f"{owner}/{name}"), session.caller)
    return _of_repository(owner, name, "paused")


@blueprint.post("/repositories/<owner>/<name>/resume")
def resume_repository(owner: str, name: str) -> AnyResponse:
    """Have a paused repository scraped again."""
    session = sessions.confirmed(services(), ADMIN)
    pausing.enable(services(), RepositoryName.parse(f"{owner}/{name}"), session.caller)
    return _of_repository(owner, name, "resumed")


@blueprint.post("/dashboard/pipeline/runs")
def start_run() -> AnyResponse:
    """Start a pipeline run, or find the one that is under way."""
    session = sessions.confirmed(services(), ADMIN)
    pipeline_runs.start(services(), session.caller, BY_HAND)
    return _done("started")


@blueprint.post("/jobs/<job_id>/cancel")
def cancel_job(job_id: str) -> AnyResponse:
    """End a job."""
    session = sessions.confirmed(services(), ADMIN)
    job_control.cancel(services(), session.caller, job_id)
    return _done("cancelled")


@blueprint.post("/jobs/<job_id>/retry")
def retry_job(job_id: str) -> AnyResponse:
    """Begin a failed or cancelled job again."""
    session = sessions.confirmed(services(), ADMIN)
    job_control.retry(services(), session.caller, job_id)
    return _done("retried")


@blueprint.post("/dashboard/letters/<letter_id>/retry")
def retry_letter(letter_id: str) -> AnyResponse:
    """Have what a dead letter is about done again."""
    session = sessions.confirmed(services(), ADMIN)
    dead_letters.retry(services(), session.caller, letter_id)
    return _done("retried")


@blueprint.post("/dashboard/letters/<letter_id>/discard")
def discard_letter(letter_id: str) -> AnyResponse:
    """Settle a dead letter."""
    session = sessions.confirmed(services(), ADMIN)
    dead_letters.discard(services(), session.caller, letter_id)
    return _done("discarded")


@blueprint.post("/settings/budget")
def set_budget() -> AnyResponse:
    """Set the limits of the budget in place of those that the form showed."""
    session = sessions.confirmed(services(), ADMIN)
    seen = request.form.get("version", "")
    if not seen.isdecimal():
        raise Rejected("The form is not complete. Load its page again.")
    wanted = settings_page.overrides(request.form)
    budget_config.change(services(), session.caller, wanted, seen=int(seen[:9]))
    return redirect(_with(url_for("operations.settings"), "budget"), SEE_OTHER)


def _done(word: str) -> AnyResponse:
    return redirect(_with(url_for("operations.pipeline"), word), SEE_OTHER)


def _of_repository(owner: str, name: str, word: str) -> AnyResponse:
    """Back to where the form was, which may be the repository's page or a list."""
    own = url_for("dashboard.repository", owner=owner, name=name)
    return redirect(_with(sessions.page_here(request.form.get("back") or own), word), SEE_OTHER)


def _back() -> str:
    """Where to go after signing in."""
    return sessions.page_here(request.values.get("back", ""))


def _with(address: str, word: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}done={word}"
