"""Jobs: what is under way, done or failed."""

from __future__ import annotations

import re

from functions.api.links import here, with_cursor
from functions.api.parameters import JobsQuery
from functions.api.parsing import continuing_at
from functions.api.resource import Call, Reply, Resource
from functions.api.schemas import ListMeta, Nothing
from functions.api.work_schemas import JobAnswer, JobsAnswer, job, jobs_of
from shared import jobs, repository_names
from shared.errors import NotFound, RetryLater
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
    """A job: its state, how far it is, and what its last attempt failed of."""
    if not _ID.fullmatch(job_id):
        raise NotFound(f"There is no job {job_id[:60]!r}.", details={"job": job_id[:60]})
    found = jobs.get(call.services, job_id)
    return Reply(JobAnswer(data=job(found), meta=Nothing(), links=here()))
