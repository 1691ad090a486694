"""Pages for those who look at people and boards: comparing repositories, trying other rules."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from functions import edge
from functions.api.access import Who, identified
from functions.api.resource import Call, surroundings
from functions.dashboard import compare_page, pages, responses, sessions, visit, what_if_page
from shared.errors import NotFound, Rejected

blueprint = Blueprint("readers", __name__, template_folder="templates")
blueprint.after_request(responses.finish)
blueprint.register_error_handler(Exception, pages.error_response)


@blueprint.get("/compare")
def compare() -> AnyResponse:
    """Two to five repositories side by side; without any, the form to choose them."""
    canonical = compare_page.canonical(request.args)
    if canonical is not None:
        return redirect(url_for("readers.compare", **canonical))  # type: ignore[arg-type]
    call = call_of_page()
    page, problem, status = None, "", 200
    if request.args.get("repos"):
        try:
            page = compare_page.read(call, request.args)
        except (Rejected, NotFound) as error:
            # The form stays, with what is wrong in it.
            problem, status = error.message, edge.failure_of(error).status
    chosen = compare_page.chosen(call.services, request.args)
    return make_response(
        render_template("compare.html", page=page, chosen=chosen, problem=problem), status
    )


@blueprint.get("/what-if")
def what_if() -> AnyResponse:
    """Other rules to try, and who would move by them."""
    call = call_of_page()
    session = sessions.current(call.services)
    if session is not None and call.who.key is None:
        # Who signed in reads with that key; it changes nothing here.
        call = replace(call, caller=session.caller, who=Who(session.caller, session.key))
    page, problem = what_if_page.read(call, request.args)
    # Whoever asks for nothing in particular is told that there is no board yet, not refused.
    status = edge.failure_of(problem).status if problem and request.args else 200
    return make_response(render_template("what_if.html", **visit.context(), page=page), status)


def call_of_page() -> Call:
    """The surroundings of a request as the API's views get them."""
    kept = surroundings()
    services = kept.services()
    who = identified(services)
    return kept.call(services, who.caller, who)
