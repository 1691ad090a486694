"""Registering many repositories at once: those of a list, or all public ones of an organization.

A call ends after ``TIME``. What it has not come to is left out, and the same call again finds what
is registered and goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from shared.context import Caller, Services
from shared.errors import Conflict, LeaderboardError, NotFound, Rejected, RetryLater
from shared.github import GitHub, RemoteRepository
from shared.models import RepositoryName
from shared.registration import register
from shared.repository_records import Repository

log = structlog.get_logger()

MOST_NEW = 500
"""The most repositories of an organization that one call registers."""

TIME = timedelta(seconds=25)
"""A question to GitHub may take half a minute more, and a call of a function has a minute."""

_ORGANIZATION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})")


@dataclass(frozen=True, slots=True)
class Refused:
    """A repository that was not registered, and why."""

    name: str
    error: LeaderboardError


@dataclass(frozen=True, slots=True)
class Several:
    """What became of many repositories. ``existing`` are names of those registered before.

    ``forks`` and ``archived`` count what was not wanted, ``left_out`` what was and was not come to.
    ``complete`` is False if GitHub's list was not read to its end: then there may be more of each.
    """

    registered: tuple[Repository, ...]
    existing: tuple[str, ...]
    refused: tuple[Refused, ...]
    forks: int = 0
    archived: int = 0
    left_out: int = 0
    complete: bool = True


@dataclass
class _Done:
    registered: list[Repository] = field(default_factory=list)
    existing: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    forks: int = 0
    archived: int = 0
    left_out: int = 0

    def told(self, *, complete: bool = True) -> Several:
        return Several(
            registered=tuple(self.registered),
            existing=tuple(self.existing),
            refused=tuple(self.refused),
            forks=self.forks,
            archived=self.archived,
            left_out=self.left_out,
            complete=complete,
        )


def register_all(services: Services, names: Sequence[str], caller: Caller) -> Several:
    """Register repositories by name. Each is registered or refused by itself."""
    done, ends_at = _Done(), services.now() + TIME
    for name in names:
        if services.now() >= ends_at:
            done.left_out += 1
        else:
            _register(services, done, name, caller)
    return done.told()


def register_organization(
    services: Services, login: str, caller: Caller, *, forks: bool = False, archived: bool = False
) -> Several:
    """Register the public repositories of an organization, its ``forks`` and ``archived`` if asked.

    Raises Conflict where GitHub is not asked with a token, NotFound for no such organization,
    Rejected for what cannot be one's name, RetryLater where GitHub does not answer at all.
    """
    if not _ORGANIZATION.fullmatch(login):
        raise Rejected(
            f"{login[:60]!r} is not an organization's name. Write it as GitHub does.",
            details={"field": "organization"},
        )
    github = services.github
    if github is None or not github.reads_contributions:
        raise Conflict(
            "Which repositories an organization has is asked of GitHub with a token. Set "
            "GITHUB_TOKEN, or register them by name.",
            details={"variable": "GITHUB_TOKEN"},
        )
    ends_at = services.now() + TIME
    done, complete = _Done(), True
    try:
        for page in _pages(services, github, login, ends_at):
            if page is None:
                complete = False
                break
            wanted = []
            for remote in page:
                if remote.fork and not forks:
                    done.forks += 1
                elif remote.archived and not archived:
                    done.archived += 1
                else:
                    wanted.append(remote)
            _register_page(services, done, wanted, caller, ends_at)
    except RetryLater as error:
        if not (done.registered or done.existing):
            raise
        log.warning("organization_cut_short", organization=login, reason=error.message)
        complete = False
    log.info("organization_registered", organization=login, registered=len(done.registered))
    return done.told(complete=complete)


def _pages(
    services: Services, github: GitHub, login: str, ends_at: datetime
) -> Iterator[Sequence[RemoteRepository] | None]:
    """The pages of the list; None at the end of the time, if there are more."""
    cursor: str | None = None
    while True:
        page = github.organization(login, cursor)
        yield page.items
        cursor = page.cursor
        if cursor is None:
            return
        if services.now() >= ends_at:
            yield None
            return


def _register_page(
    services: Services,
    done: _Done,
    wanted: Sequence[RemoteRepository],
    caller: Caller,
    ends_at: datetime,
) -> None:
    """Register what is not here yet, as long as there is time and room."""
    known = _known(services, wanted)
    for remote in wanted:
        if remote.id in known:
            done.existing.append(remote.name)
        elif len(done.registered) >= MOST_NEW or services.now() >= ends_at:
            done.left_out += 1
        else:
            _register(services, done, remote.name, caller, remote)


def _known(services: Services, remotes: Sequence[RemoteRepository]) -> set[int]:
    """Those that are registered under their present name, by one read."""
    keys = [RepositoryName(*remote.name.split("/", 1)).key for remote in remotes]
    found = services.documents.get(*(f"repositories/{key}" for key in keys)) if keys else ()
    return {
        remote.id
        for remote, document in zip(remotes, found, strict=True)
        if document is not None and document.fields["github_id"] == remote.id
    }


def _register(
    services: Services,
    done: _Done,
    name: str,
    caller: Caller,
    remote: RemoteRepository | None = None,
) -> None:
    try:
        # Nobody waits for one of many, so those that somebody registers alone come before.
        found = register(
            services, RepositoryName.parse(name), caller, remote=remote, queue="default"
        )
    except (Rejected, NotFound, Conflict) as error:
        done.refused.append(Refused(name, error))
    except RetryLater:
        done.left_out += 1
    else:
        if found.created:
            done.registered.append(found.repository)
        else:
            done.existing.append(found.repository.name)
