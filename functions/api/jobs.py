"""Jobs: what is under way, done or failed, and what people do about it."""

from __future__ import annotations

import re

from functions.api.access import ADMIN
from functions.api.links import here, with_cursor
from functions.api.parameters import JobsQuery
from functions.api.parsing import continuing_at
from functions.api.resource import Call, Reply, Resource
from functions.api.schemas import ListMeta, Nothing
from functions.api.work_schemas import JobAnswer, JobsAnswer, job_detail, jobs_of
from shared import costs, job_control, jobs, repository_names
from shared.errors import Conflict, NotFound, RetryLater
from shared.jobs import Job
from shared.models import RepositoryName

resource = Resource("jobs")

_ID = re.compile(r"[0-9a-z-]{1,64}")


@resource.operation("GET", "/api/v1/jobs", errors=(RetryLater,))
def list_jobs(call: Call, query: JobsQuery) -> Reply[JobsAnswer]:
    """Jobs, newest first."""
    where: dict[str, str] = {}
    if query.state is not None:
        where["state"] = query.state
    if query.type is not None:
        where["type"] = query.type
    if query.repository is not None:
        name = RepositoryName.parse(query.repository)
        found = repository_names.find(call.services.documents, name)
        where["repository_key"] = name.key if found is None else found.id
    with continuing_at(query.cursor):
        page = jobs.listed(call.services, where, after=query.cursor, limit=query.limit)
    return Reply(
        JobsAnswer(
            data=jobs_of(page), meta=ListMeta(limit=query.limit), links=with_cursor(page.cursor)
        )
    )


@resource.operation("GET", "/api/v1/jobs/<job_id>", errors=(NotFound, RetryLater))
def show_job(call: Call, job_id: str) -> Reply[JobAnswer]:
    """A job: its state, how far it is, what it cost, and what its last attempt failed of."""
    return _answer(call, jobs.get(call.services, _checked(job_id)))


@resource.operation(
    "POST",
    "/api/v1/jobs/<job_id>/cancel",
    scope=ADMIN,
    errors=(NotFound, Conflict, RetryLater),
)
def cancel_job(call: Call, job_id: str) -> Reply[JobAnswer]:
    """End a job. A worker that is at it finds out at its next report.

    A repeat changes nothing. What a schedule asks for comes again at its set time.
    """
    return _answer(call, job_control.cancel(call.services, call.caller, _checked(job_id)))


@resource.operation(
    "POST",
    "/api/v1/jobs/<job_id>/retry",
    scope=ADMIN,
    errors=(NotFound, Conflict, RetryLater),
)
def retry_job(call: Call, job_id: str) -> Reply[JobAnswer]:
    """Begin a failed or cancelled job again, under the same id, at the stage where it ended.

    Its dead letter is settled. One that goes on is left as it is.
    """
    return _answer(call, job_control.retry(call.services, call.caller, _checked(job_id)))


def _answer(call: Call, found: Job) -> Reply[JobAnswer]:
    spent = costs.of_job(call.services, found.id) if call.sees_costs else None
    return Reply(JobAnswer(data=job_detail(found, spent), meta=Nothing(), links=here()))


def _checked(job_id: str) -> str:
    if not _ID.fullmatch(job_id):
        raise NotFound(f"There is no job {job_id[:60]!r}.", details={"job": job_id[:60]})
    return job_id
