"""The port to GitHub's own API, and what it tells, in the field's terms.

Implemented by ``infra/github``. Implementations raise only ``shared.errors``: RetryLater for what
may pass (with ``not_before`` where GitHub says when), NotFound and its kinds below for what is not
there, Rejected for what GitHub will never answer. No error and no log ever holds a token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Literal, Protocol, TypeVar

from shared.errors import NotFound, Rejected

T = TypeVar("T")


class Blocked(NotFound):
    """GitHub withholds the repository for legal reasons (status 451)."""

    code = "blocked_by_github"


class AccessRefused(Rejected):
    """GitHub does not take the credentials, or does not let them read this."""

    code = "github_access_refused"


class BadCursor(Rejected):
    """GitHub does not take this cursor (any more). Begin the list anew."""

    code = "bad_cursor"


@dataclass(frozen=True, slots=True)
class Actor:
    """An account as GitHub names it. ``type`` is GitHub's word: User, Bot, Organization ..."""

    id: int
    login: str
    type: str | None = None


@dataclass(frozen=True, slots=True)
class RemoteRepository:
    """A public repository as GitHub has it now. ``name`` is owner/name, after any renames."""

    id: int
    node_id: str
    name: str
    description: str | None
    stars: int
    forks: int
    language: str | None
    default_branch: str | None
    archived: bool
    fork: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RemoteState:
    """What tells whether anything happened in a repository since it was last looked at.

    ``head`` is the SHA of the default branch, None while it is empty; the times are of the pull
    request, issue and release that changed last; ``commit_comments`` is how many there are.
    """

    repository: RemoteRepository
    head: str | None
    pulls_changed_at: datetime | None
    issues_changed_at: datetime | None
    released_at: datetime | None
    commit_comments: int


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list, and the cursor of the next page or None at the end."""

    items: tuple[T, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class CommitAuthor:
    """Who a commit names. ``account`` is None where GitHub knows no account of that address."""

    account: Actor | None
    name: str = field(repr=False)
    mail: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit. ``authors`` are git's author first, then those of co-author trailers."""

    sha: str
    committed_at: datetime
    parents: int
    additions: int
    deletions: int
    authors: tuple[CommitAuthor, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How one commit relates to another: the SHAs that the later has and the earlier has not.

    ``status`` is GitHub's word; anything but ``ahead`` and ``identical`` means that the earlier
    one is no ancestor any more. ``page`` is the number of the next page, None at the end.
    """

    status: Literal["ahead", "behind", "diverged", "identical"]
    shas: tuple[str, ...]
    page: int | None


@dataclass(frozen=True, slots=True)
class Review:
    """A submitted review. ``author`` None: the account is deleted."""

    id: int
    author: Actor | None
    state: str
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request. ``more_reviews`` is the cursor of further reviews, None if all are here."""

    number: int
    author: Actor | None
    created_at: datetime
    updated_at: datetime
    merged_at: datetime | None
    merged_by: Actor | None
    additions: int
    deletions: int
    assignees: tuple[Actor, ...]
    reviews: tuple[Review, ...]
    more_reviews: str | None


@dataclass(frozen=True, slots=True)
class Close:
    """One closing of an issue."""

    actor: Actor | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue, not a pull request, with its closings, oldest first."""

    number: int
    author: Actor | None
    created_at: datetime
    updated_at: datetime
    closes: tuple[Close, ...]


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on an issue or pull request, on a commit, or on the lines of a pull request.

    ``number`` is that of the issue or pull request, None on commits; ``sha`` is the commit's.
    """

    id: int
    author: Actor | None
    created_at: datetime
    updated_at: datetime
    number: int | None
    sha: str | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """A published release."""

    id: int
    author: Actor | None
    tag: str
    published_at: datetime


@dataclass(frozen=True, slots=True)
class SocialAccount:
    """An account elsewhere that somebody names in their profile. ``provider`` is GitHub's word."""

    provider: str
    url: str


@dataclass(frozen=True, slots=True)
class Profile:
    """What somebody tells of themselves in their public profile."""

    account: Actor
    name: str | None
    company: str | None
    location: str | None
    bio: str | None
    website: str | None
    mail: str | None = field(repr=False)
    social: tuple[SocialAccount, ...]
    followers: int
    created_at: datetime


class GitHub(Protocol):
    """GitHub's API. Lists are in stable order and can be taken up at any cursor.

    ``reads_contributions`` is False without a token: then only ``repository`` and ``profile``
    answer, within 60 requests an hour, and the others raise Rejected saying what a token adds.
    Every request is paid from the hour's allowance that all workers share; once that is used up,
    AllowanceWaits (a RetryLater) names its renewal, and nothing is sent before. Requests are made
    for the queue that ``shared.request_budget.working_for`` names, else for people who wait.
    AccessRefused says that the credentials are of no use, or not for this.
    """

    @property
    def reads_contributions(self) -> bool: ...

    def repository(self, name: str) -> RemoteRepository:
        """The public repository of that name or a name it had. Raises NotFound, Blocked."""
        ...

    def organization(self, login: str, cursor: str | None) -> Page[RemoteRepository]:
        """At most 100 public repositories of an organization, by name. Raises NotFound."""
        ...

    def states(self, node_ids: Sequence[str]) -> tuple[RemoteState | None, ...]:
        """The states of at most 50 repositories in that order, None for what is gone or private.

        One query, or several where GitHub cannot finish it.
        """
        ...

    def history(self, node_id: str, since: datetime, cursor: str | None) -> Page[Commit]:
        """Commits of the default branch, latest first, committed at ``since`` or later."""
        ...

    def compare(self, name: str, base: str, head: str, page: int) -> Comparison:
        """A page of the commits in ``head`` that are not in ``base``. Raises NotFound."""
        ...

    def commits(self, node_id: str, shas: Sequence[str]) -> tuple[Commit, ...]:
        """At most 100 commits by SHA; those that are not there are left out."""
        ...

    def pulls(self, node_id: str, cursor: str | None) -> Page[Pull]:
        """Pull requests, the last changed first."""
        ...

    def reviews(self, node_id: str, number: int, cursor: str) -> Page[Review]:
        """Further reviews of a pull request."""
        ...

    def issues(self, node_id: str, cursor: str | None) -> Page[Issue]:
        """Issues, the last changed first."""
        ...

    def comments(
        self, name: str, kind: Literal["issue", "review"], since: datetime | None, page: int
    ) -> tuple[Comment, ...]:
        """A page of at most 100 comments changed at ``since`` or later, the first changed first.

        None where issues are switched off. Raises BadCursor for a page further on than GitHub
        goes: then the list is taken up at the last change that was read.
        """
        ...

    def commit_comments(self, name: str, page: int) -> tuple[Comment, ...]:
        """A page of at most 100 comments on commits, oldest first."""
        ...

    def releases(self, name: str, page: int) -> tuple[Release, ...]:
        """A page of at most 100 published releases, newest first.

        Drafts, which GitHub shows to those who may write, are left out, so that a page may hold
        fewer before the list ends: with an empty page it does.
        """
        ...

    def profile(self, login: str) -> Profile:
        """Somebody's public profile. Raises NotFound for a deleted account."""
        ...
