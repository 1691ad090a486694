"""Exports: whole boards, activity, costs and the audit trail as files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote

from functions.api.access import ADMIN, READ, admitted
from functions.api.export_schemas import (
    ExportAnswer,
    ExportsAnswer,
    ExportShown,
    ExportsQuery,
    NewExport,
    in_list,
)
from functions.api.links import here, path_to, with_cursor
from functions.api.parsing import continuing_at
from functions.api.resource import Attachment, Call, Reply, Resource
from functions.api.schemas import ListMeta, Nothing
from shared import exports, jobs
from shared.context import Caller
from shared.errors import NotFound, RetryLater, TooManyRequests
from shared.export_files import MEDIA_TYPES
from shared.exports import Export, ExportState
from shared.jobs import State
from shared.ports import Json

resource = Resource("exports")

ASKED = 202
_ID = re.compile(r"[0-9a-z-]{1,64}")


@resource.operation(
    "POST",
    "/api/v1/exports",
    status=ASKED,
    reads_warehouse=True,
    files=tuple(MEDIA_TYPES.values()),
    errors=(NotFound, TooManyRequests, RetryLater),
)
def export_data(call: Call, body: NewExport) -> Reply[ExportAnswer]:
    """Export a whole board, somebody's activity, costs or the audit trail.

    Up to 10 MB the file itself is the answer. What is larger is made by a job (202) and fetched by
    a link. Five an hour and key, 100 MB at most. The audit trail is for admins.
    """
    caller = _caller(call, ADMIN if body.type == "audit" else READ)
    answered = exports.ask(
        call.services, caller, exports.exporter_of(call.services, caller), body.wanted()
    )
    export = answered.export
    location = path_to("exports", export.id)
    shown = ExportAnswer(data=_shown(call, export, answered.about), meta=Nothing(), links=here())
    if answered.content is None:
        return Reply(shown, location=location)
    file = Attachment(
        answered.content, export.content_type, export.filename, _headers(export, answered.about)
    )
    return Reply(shown, location=location, attachment=file)


@resource.operation("GET", "/api/v1/exports", key_elsewhere=True, errors=(RetryLater,))
def list_exports(call: Call, query: ExportsQuery) -> Reply[ExportsAnswer]:
    """The caller's exports, newest first; for an admin everybody's."""
    caller = _caller(call, READ)
    owner = None if caller.actor_type == "admin" else caller.actor
    with continuing_at(query.cursor):
        page = exports.listed(call.services, owner, after=query.cursor, limit=query.limit)
    found = [exports.read(document) for document in page.documents]
    return Reply(
        ExportsAnswer(
            data=[in_list(each, path_to("exports", each.id)) for each in found],
            meta=ListMeta(limit=query.limit),
            links=with_cursor(page.cursor),
        )
    )


@resource.operation(
    "GET", "/api/v1/exports/<export_id>", key_elsewhere=True, errors=(NotFound, RetryLater)
)
def show_export(call: Call, export_id: str) -> Reply[ExportAnswer]:
    """An export: how far it is, what its file says of itself, and a link to fetch it.

    The link is made anew for every question, and works for an hour.
    """
    caller = _caller(call, READ)
    if not _ID.fullmatch(export_id):
        raise NotFound(
            f"There is no export {export_id[:60]!r}.", details={"export": export_id[:60]}
        )
    export, about = exports.get(call.services, export_id)
    if caller.actor_type != "admin" and export.actor != caller.actor:
        raise NotFound(f"There is no export {export_id!r}.", details={"export": export_id})
    return Reply(ExportAnswer(data=_shown(call, export, about), meta=Nothing(), links=here()))


def _caller(call: Call, scope: str) -> Caller:
    """The caller under the name of their key. On one machine boards and costs need none."""
    if scope == READ:
        call.need_key_elsewhere()
        return call.caller
    return admitted(call.services, call.who, scope)


def _shown(call: Call, export: Export, about: dict[str, Json]) -> ExportShown:
    job = None
    if export.job is not None and export.state is ExportState.PENDING:
        try:
            job = jobs.get(call.services, export.job)
        except NotFound:  # retention has removed it
            job = None
    link = exports.link(call.services, export)
    return ExportShown(
        **in_list(export, "").model_dump(exclude={"address"}),
        state=_state(export, None if job is None else job.state, link),
        filename=export.filename,
        job_state=None if job is None else job.state,
        error=None if job is None or job.error is None else job.error.message,
        link=link,
        about=about,
    )


_Shown = Literal["STREAMED", "PENDING", "READY", "FAILED", "EXPIRED", "WITHDRAWN"]


def _state(export: Export, job: State | None, link: str | None) -> _Shown:
    if export.state is ExportState.PENDING:
        return "PENDING" if job not in (None, State.FAILED, State.CANCELLED) else "FAILED"
    if export.state is ExportState.READY:
        return "EXPIRED" if link is None else "READY"
    return "STREAMED" if export.state is ExportState.STREAMED else "WITHDRAWN"


def _headers(export: Export, about: Mapping[str, Json]) -> dict[str, str]:
    """The most of what a file says of itself; the rest is at Location."""
    receipt, coverage = about.get("receipt"), about.get("coverage")
    found: dict[str, Json] = {
        "X-Export-Id": export.id,
        "X-Exported-At": export.created_at,
        # A key may have any name; a header is plain ASCII.
        "X-Exporter": quote(export.exporter, safe=" :"),
        "X-Generation": about.get("generation"),
        "X-Rule-Version": about.get("rule_version"),
        "X-Receipt": receipt.get("board") if isinstance(receipt, dict) else None,
        "X-Coverage-Percent": coverage.get("percent") if isinstance(coverage, dict) else None,
    }
    return {name: str(value) for name, value in found.items() if value is not None}
