"""Registered repositories: add, list, remove, and ask for a scrape."""

from __future__ import annotations

from functions.api.access import ADMIN, WRITE
from functions.api.links import here, path_to, with_cursor
from functions.api.parameters import RepositoriesQuery
from functions.api.parsing import continuing_at
from functions.api.resource import Call, Reply, Resource
from functions.api.schemas import Links, ListMeta, Nothing
from functions.api.work_schemas import (
    AskedAnswer,
    Job,
    JobLinks,
    JobMeta,
    NewRepository,
    RegisteredAnswer,
    RegisteredMeta,
    RegisteredRepository,
    RegistrationAnswer,
    RemovedAnswer,
    RepositoriesAnswer,
    RepositoryAnswer,
    job,
    repository,
    several,
)
from shared import bulk_registration, jobs, pausing, repositories
from shared.errors import Conflict, NotFound, RetryLater
from shared.jobs import RepositoryStatus
from shared.models import RepositoryName
from shared.repository_list import Listing, find

resource = Resource("repositories")

CREATED = 201


@resource.operation(
    "POST",
    "/api/v1/repositories",
    status=CREATED,
    scope=WRITE,
    errors=(NotFound, Conflict, RetryLater),
)
def register_repository(call: Call, body: NewRepository) -> Reply[RegistrationAnswer]:
    """Register a repository, a list of them or an organization, and ask for their first scrapes.

    A repeat answers 200 with what is there, and asks for nothing. One that GitHub knows under
    another name is registered under that; one that is missing, private or blocked is not. Of
    several each is registered or refused by itself. An organization needs a token of GitHub here;
    500 are registered at once at most, and what was left out by asking again.
    """
    if body.repository is not None:
        return _register_one(call, RepositoryName.parse(body.repository))
    if body.repositories is not None:
        found = bulk_registration.register_all(call.services, body.repositories, call.caller)
    else:
        found = bulk_registration.register_organization(
            call.services,
            body.organization or "",
            call.caller,
            forks=body.include_forks,
            archived=body.include_archived,
        )
    status = CREATED if found.registered else 200
    return Reply(RegistrationAnswer(several(found)), status=status)


def _register_one(call: Call, name: RepositoryName) -> Reply[RegistrationAnswer]:
    found = repositories.register(call.services, name, call.caller)
    shown = repository(found.repository)
    data = RegisteredRepository(
        repository=shown,
        job=job(found.job) if found.job else _active_job(call, found.repository),
    )
    answer = RegisteredAnswer(data=data, meta=RegisteredMeta(created=found.created), links=here())
    return Reply(
        RegistrationAnswer(answer),
        status=CREATED if found.created else 200,
        location=shown.address if found.created else None,
    )


@resource.operation("GET", "/api/v1/repositories", errors=(RetryLater,))
def list_repositories(call: Call, query: RepositoriesQuery) -> Reply[RepositoriesAnswer]:
    """Registered repositories, by name or in another order."""
    listing = Listing(
        status=None if query.status is None else RepositoryStatus(query.status),
        search=query.search,
        sort=query.sort,
        descending=query.order == "desc" if query.order else query.sort != "name",
    )
    with continuing_at(query.cursor):
        page = find(call.services, listing, call.lists, after=query.cursor, limit=query.limit)
    return Reply(
        RepositoriesAnswer(
            data=[repository(each) for each in page.repositories],
            meta=ListMeta(limit=query.limit),
            links=with_cursor(page.cursor),
        )
    )


@resource.operation(
    "GET",
    "/api/v1/repositories/<owner>/<name>",
    forwards=True,
    errors=(NotFound, RetryLater),
)
def show_repository(call: Call, owner: str, name: str) -> Reply[RepositoryAnswer]:
    """A repository and the job that works on it now, if any.

    A name that it had answers 308 with the address of its present name.
    """
    named = _named(owner, name)
    found = repositories.get(call.services, named)
    shown = repository(found)
    data = RegisteredRepository(repository=shown, job=_active_job(call, found))
    if found.called.key == named.key:
        return Reply(RepositoryAnswer(data=data, meta=Nothing(), links=here()))
    moved = RepositoryAnswer(data=data, meta=Nothing(), links=Links(self_=shown.address))
    return Reply(moved, status=308, location=shown.address)


@resource.operation(
    "DELETE",
    "/api/v1/repositories/<owner>/<name>",
    scope=ADMIN,
    errors=(NotFound, RetryLater),
)
def remove_repository(call: Call, owner: str, name: str) -> Reply[RemovedAnswer]:
    """Unregister a repository: its contributions and boards go, the global board follows.

    The answer is the repository as it was.
    """
    removed = repositories.remove(call.services, _named(owner, name), call.caller)
    return Reply(RemovedAnswer(data=repository(removed), meta=Nothing(), links=here()))


@resource.operation(
    "POST",
    "/api/v1/repositories/<owner>/<name>/scrape",
    status=202,
    scope=WRITE,
    errors=(NotFound, Conflict, RetryLater),
)
def scrape_repository(call: Call, owner: str, name: str) -> Reply[AskedAnswer]:
    """Ask for a full scrape. While one is under way, everybody gets the same job."""
    return _ask(call, owner, name, full=True)


@resource.operation(
    "POST",
    "/api/v1/repositories/<owner>/<name>/refresh",
    status=202,
    scope=WRITE,
    errors=(NotFound, Conflict, RetryLater),
)
def refresh_repository(call: Call, owner: str, name: str) -> Reply[AskedAnswer]:
    """Ask for what is new. While a scrape is under way, everybody gets the same job."""
    return _ask(call, owner, name, full=False)


@resource.operation(
    "POST",
    "/api/v1/repositories/<owner>/<name>/disable",
    scope=ADMIN,
    errors=(NotFound, RetryLater),
)
def disable_repository(call: Call, owner: str, name: str) -> Reply[RepositoryAnswer]:
    """Pause a repository: its boards stay, and nothing is scraped until it is enabled.

    What works on it is cancelled. A repeat changes nothing.
    """
    return _shown(call, pausing.disable(call.services, _named(owner, name), call.caller))


@resource.operation(
    "POST",
    "/api/v1/repositories/<owner>/<name>/enable",
    scope=ADMIN,
    errors=(NotFound, RetryLater),
)
def enable_repository(call: Call, owner: str, name: str) -> Reply[RepositoryAnswer]:
    """Have a paused repository scraped again, at its set times and on request.

    A repeat changes nothing.
    """
    return _shown(call, pausing.enable(call.services, _named(owner, name), call.caller))


def _shown(call: Call, found: repositories.Repository) -> Reply[RepositoryAnswer]:
    data = RegisteredRepository(repository=repository(found), job=_active_job(call, found))
    return Reply(RepositoryAnswer(data=data, meta=Nothing(), links=here()))


def _ask(call: Call, owner: str, name: str, *, full: bool) -> Reply[AskedAnswer]:
    asked, created = repositories.request_scrape(
        call.services, _named(owner, name), call.caller, full=full
    )
    address = path_to("jobs", asked.id)
    links = JobLinks(self_=here().self_, job=address)
    return Reply(
        AskedAnswer(data=job(asked), meta=JobMeta(created=created), links=links), location=address
    )


def _named(owner: str, name: str) -> RepositoryName:
    return RepositoryName.parse(f"{owner}/{name}")


def _active_job(call: Call, found: repositories.Repository) -> Job | None:
    return None if found.active_job is None else job(jobs.get(call.services, found.active_job))
