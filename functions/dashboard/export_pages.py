"""Exports from a board's page: a form that is answered by the file, or by a page that leads to it.

The forms carry a key where the API asks for one; it is never kept in a cookie or an address.
"""

from __future__ import annotations

from flask import Blueprint, g, render_template, request
from pydantic import ValidationError
from werkzeug.wrappers import Response as AnyResponse

from functions.api.access import READ, admitted, anonymous
from functions.api.export_schemas import NewExport
from functions.api.parsing import rejected
from functions.api.resource import Attachment, attached, surroundings
from shared import exports, jobs
from shared.context import Caller, Services
from shared.errors import NotFound

_FILTERS = ("repository", "window", "class", "generation")


def add_to(blueprint: Blueprint) -> None:
    """Add the addresses of this file."""
    blueprint.add_url_rule("/exports", view_func=export_board, methods=["POST"])
    blueprint.add_url_rule("/exports/<export_id>", view_func=export, methods=["POST"])


def export_board() -> str | AnyResponse:
    """The file, or the page of an export that a job makes. Of boards only."""
    services = surroundings().services()
    caller = _asker(services)
    filters = {name: request.form[name] for name in _FILTERS if request.form.get(name)}
    type_ = "repository" if "repository" in filters else "global"
    try:
        wanted = NewExport.model_validate(
            {"type": type_, "format": request.form.get("format"), "filters": filters}
        ).wanted()
    except ValidationError as error:
        raise rejected(error) from error
    answered = exports.ask(services, caller, exports.exporter_of(services, caller), wanted)
    made = answered.export
    if answered.content is None:
        return _page(services, made)
    return attached(Attachment(answered.content, made.content_type, made.filename, {}))


def export(export_id: str) -> str:
    """How far an export is, with the link to its file."""
    services = surroundings().services()
    caller = _asker(services)
    made, _ = exports.get(services, export_id)
    if caller.actor_type != "admin" and made.actor != caller.actor:
        raise NotFound(f"There is no export {export_id[:60]!r}.")
    return _page(services, made)


def _asker(services: Services) -> Caller:
    caller = anonymous(request, g.request_id)
    key = request.form.get("key") or None
    if key is None and services.settings.backend == "local":
        return caller
    return admitted(services, caller, key, READ)


def _page(services: Services, made: exports.Export) -> str:
    return render_template(
        "export.html",
        made=made,
        job=None if made.job is None else jobs.get(services, made.job),
        link=exports.link(services, made),
        needs_key=services.settings.backend != "local",
    )
