"""The pipeline: its runs, and how one is started by hand or from outside."""

from __future__ import annotations

import re

from flask import request

from functions.api.access import ADMIN
from functions.api.links import here, path_to, with_cursor
from functions.api.parameters import ListQuery
from functions.api.parsing import continuing_at
from functions.api.pipeline_schemas import (
    RunAnswer,
    RunLinks,
    RunMeta,
    RunsAnswer,
    StartedAnswer,
    run,
    runs_of,
)
from functions.api.resource import Call, Reply, Resource
from functions.api.schemas import ListMeta, Nothing
from shared import pipeline_runs, webhooks
from shared.errors import Conflict, Forbidden, NotFound, RetryLater
from shared.pipeline_runs import Started
from shared.webhooks import SIGNATURE_HEADER, TIMESTAMP_HEADER, SignedCall

resource = Resource("pipeline")

BY_HAND = "manual"

_ID = re.compile(r"[0-9a-z-]{1,64}")


@resource.operation("GET", "/api/v1/pipeline/runs", errors=(RetryLater,))
def list_pipeline_runs(call: Call, query: ListQuery) -> Reply[RunsAnswer]:
    """Pipeline runs, newest first."""
    with continuing_at(query.cursor):
        page = pipeline_runs.listed(call.services, after=query.cursor, limit=query.limit)
    return Reply(
        RunsAnswer(
            data=runs_of(page), meta=ListMeta(limit=query.limit), links=with_cursor(page.cursor)
        )
    )


@resource.operation("GET", "/api/v1/pipeline/runs/<run_id>", errors=(NotFound, RetryLater))
def show_pipeline_run(call: Call, run_id: str) -> Reply[RunAnswer]:
    """A pipeline run: what it checked, what it waits for, what it came to."""
    if not _ID.fullmatch(run_id):
        raise NotFound(f"There is no pipeline run {run_id[:60]!r}.", details={"run": run_id[:60]})
    found = pipeline_runs.get(call.services, run_id)
    return Reply(RunAnswer(data=run(found), meta=Nothing(), links=here()))


@resource.operation("POST", "/api/v1/pipeline/runs", status=202, scope=ADMIN, errors=(RetryLater,))
def start_pipeline_run(call: Call) -> Reply[StartedAnswer]:
    """Scrape what is stale and bring the boards up to date, as every night.

    While a run that was started by hand is under way, everybody gets the same.
    """
    return _started(pipeline_runs.start(call.services, call.caller, BY_HAND))


@resource.operation(
    "POST",
    "/api/v1/hooks/pipeline",
    status=202,
    headers={
        TIMESTAMP_HEADER: "The time of the call in seconds since 1970, five minutes off at most",
        SIGNATURE_HEADER: "sha256= and the HMAC-SHA256, in hexadecimal, of the timestamp, a dot "
        "and the body as it is sent, with the secret of the setting WEBHOOK_SECRET",
    },
    errors=(Forbidden, NotFound, Conflict, RetryLater),
)
def call_pipeline_hook(call: Call) -> Reply[StartedAnswer]:
    """Start a pipeline run from outside, by a signed call.

    The body may be anything, or nothing. The same call a second time is refused.
    """
    signed = SignedCall(
        timestamp=request.headers.get(TIMESTAMP_HEADER),
        signature=request.headers.get(SIGNATURE_HEADER),
        body=request.get_data(),
    )
    return _started(webhooks.start_pipeline(call.services, call.caller, signed))


def _started(started: Started) -> Reply[StartedAnswer]:
    address = path_to("pipeline", "runs", started.run.id)
    return Reply(
        StartedAnswer(
            data=run(started.run),
            meta=RunMeta(created=started.created),
            links=RunLinks(self_=here().self_, run=address),
        ),
        location=address,
    )
