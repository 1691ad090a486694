"""A registered repository as it is stored, and how it is found."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from shared import repository_names
from shared.context import Services
from shared.errors import NotFound
from shared.github import RemoteRepository
from shared.jobs import RepositoryStatus
from shared.models import RepositoryName
from shared.ports import Document, Query, Write


class Repository(BaseModel):
    """A registered repository as it is stored. Times are RFC 3339 texts in UTC.

    ``github_id`` is unknown until GitHub or the first scrape told; ``name`` is its latest name.
    ``key`` is that of the name it was registered with, ``aliases`` those of names it got later.
    ``latest_data_at`` is the as-of time of what is stored, ``checked_at`` when GitHub last told of
    it. ``number`` counts registrations: who is registered anew has another.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    name: str
    number: int
    github_id: int | None = None
    node_id: str | None = None
    aliases: tuple[str, ...] = ()
    status: RepositoryStatus = RepositoryStatus.PENDING
    registered_at: str
    registered_by: str
    last_scraped_at: str | None = None
    latest_data_at: str | None = None
    never_rescrape_before: str | None = None
    active_job: str | None = None
    description: str | None = None
    stars: int | None = None
    forks: int | None = None
    language: str | None = None
    checked_at: str | None = None
    error_message: str | None = None

    @property
    def registered_as(self) -> RepositoryName:
        """The name that it was registered with, in lower case. Its latest name may be another."""
        return RepositoryName(*self.key.split("~", 1))

    @property
    def paused(self) -> bool:
        """True while nothing is scraped: see ``shared/pausing.py``."""
        return self.status is RepositoryStatus.DISABLED

    @property
    def called(self) -> RepositoryName:
        """Its latest name, in lower case."""
        return RepositoryName(*self.name.lower().split("/", 1))


def unit_name(repo_id: int) -> str:
    """The warehouse unit of a repository's contributions and standings."""
    return f"repository-{repo_id}"


def stored(repository: Repository) -> Write:
    return Write(f"repositories/{repository.key}", repository.model_dump(mode="json"))


def read(document: Document) -> Repository:
    return Repository.model_validate(document.fields)


def get(services: Services, name: RepositoryName) -> Repository:
    """The registered repository of that name, or that had it. Raises NotFound with the remedy."""
    document = repository_names.find(services.documents, name)
    if document is None:
        raise unknown(name)
    return read(document)


def unknown(name: RepositoryName) -> NotFound:
    """What is said of a name that finds nothing."""
    return NotFound(
        f"{name.full} is not registered. Register it with POST /api/v1/repositories.",
        details={"repository": name.full},
    )


def with_id(services: Services, github_id: int) -> tuple[Repository, ...]:
    """The registered repositories that are this one of GitHub's, the first registered first."""
    same = Query("repositories", (("github_id", "==", github_id),))
    found = [read(document) for document in services.documents.query(same).documents]
    return tuple(sorted(found, key=lambda one: one.number))


def everyone(services: Services) -> tuple[Repository, ...]:
    """All registered repositories, by key."""
    found: list[Repository] = []
    cursor: str | None = None
    while True:
        page = services.documents.query(Query("repositories", after=cursor, limit=500))
        found += [read(document) for document in page.documents]
        cursor = page.cursor
        if cursor is None:
            return tuple(found)


def renamed(repository: Repository, name: str) -> tuple[Repository, Sequence[Write]]:
    """The repository under its latest name, and what lets that name find it.

    Nothing is to be written while it keeps its name: somebody else may bear that since.
    """
    key = repository_names.key_of(name)
    if key == repository_names.key_of(repository.name) and key in {
        repository.key,
        *repository.aliases,
    }:
        return repository.model_copy(update={"name": name}), ()
    aliases, writes = repository_names.naming(repository.key, repository.aliases, name)
    return repository.model_copy(update={"name": name, "aliases": aliases}), writes


def told(
    repository: Repository, remote: RemoteRepository, at: str
) -> tuple[Repository, Sequence[Write]]:
    """The repository with what GitHub tells of it, and what lets its name find it."""
    known = repository.model_copy(
        update={
            "github_id": remote.id,
            "node_id": remote.node_id,
            "description": remote.description,
            "stars": remote.stars,
            "forks": remote.forks,
            "language": remote.language,
            "checked_at": at,
        }
    )
    return renamed(known, remote.name)
