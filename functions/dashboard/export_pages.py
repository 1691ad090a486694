"""Exports of boards from the pages: a form that is answered by the file, or by where it will be.

On one machine exports are open as they are in the API; elsewhere they need a session.
"""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from pydantic import ValidationError
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from functions.api.access import READ, identified
from functions.api.export_schemas import NewExport
from functions.api.parsing import rejected
from functions.api.resource import Attachment, attached
from functions.dashboard import sessions, visit
from shared import exports, jobs
from shared.context import Caller, Services
from shared.errors import NotFound, Unauthenticated
from shared.export_wanted import Wanted

SEE_OTHER = 303
_FILTERS = ("repository", "window", "class", "generation")


def add_to(blueprint: Blueprint) -> None:
    """Add the addresses of this file."""
    blueprint.add_url_rule("/exports", "export_form", export_form)
    blueprint.add_url_rule("/exports", "export_board", export_board, methods=["POST"])
    blueprint.add_url_rule("/exports/<export_id>", "export", export)


def export_form() -> str:
    """What is to be exported, and in which format."""
    services = visit.services()
    wanted = _wanted({**request.args.to_dict(), "format": "csv"})
    return render_template(
        "export.html",
        **visit.context(),
        wanted=wanted.filters.given(),
        filters=_filters(request.args),
        may_ask=_is_open(services) or sessions.reads_costs(services),
    )


def export_board() -> AnyResponse:
    """The file, or the page of an export that a job makes. Of boards only."""
    services = visit.services()
    caller = _asker(services, changes=True)
    wanted = _wanted(request.form.to_dict())
    answered = exports.ask(services, caller, exports.exporter_of(services, caller), wanted)
    made = answered.export
    if answered.content is None:
        return redirect(url_for("dashboard.export", export_id=made.id), SEE_OTHER)
    return attached(Attachment(answered.content, made.content_type, made.filename, {}))


def export(export_id: str) -> str:
    """How far an export is, with the link to its file."""
    services = visit.services()
    caller = _asker(services, changes=False)
    made, _ = exports.get(services, export_id)
    if caller.actor_type != "admin" and made.actor != caller.actor:
        raise NotFound(f"There is no export {export_id[:60]!r}.")
    return render_template(
        "exported.html",
        **visit.context(),
        made=made,
        job=None if made.job is None else jobs.get(services, made.job),
        link=exports.link(services, made),
    )


def _wanted(given: dict[str, str]) -> Wanted:
    """Raises Rejected for what no board's export can be asked for."""
    filters = _filters(MultiDict(given))
    type_ = "repository" if "repository" in filters else "global"
    try:
        return NewExport.model_validate(
            {"type": type_, "format": given.get("format"), "filters": filters}
        ).wanted()
    except ValidationError as error:
        raise rejected(error) from error


def _filters(given: MultiDict[str, str]) -> dict[str, str]:
    return {name: given[name] for name in _FILTERS if given.get(name)}


def _is_open(services: Services) -> bool:
    return services.settings.backend == "local"


def _asker(services: Services, *, changes: bool) -> Caller:
    """Who asks. Raises Unauthenticated elsewhere than on one machine without a session."""
    session = sessions.current(services)
    if session is not None:
        return sessions.confirmed(services, READ).caller if changes else session.caller
    if not _is_open(services):
        raise Unauthenticated("Boards are exported by those who sign in.")
    if changes:
        sessions.check_origin()
    return identified(services).caller
