"""What the stand-in for GitHub keeps: accounts, repositories and all that happens in them.

Times are RFC 3339 texts in UTC, to the second, so that they can be compared as they are.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field

import msgspec

Person = tuple[str, str]
"""Name and address, as git has them."""


def node_id(prefix: str, *ids: int | str) -> str:
    """A global id as GitHub writes it: a prefix, and ids (or a SHA) packed after a zero."""
    packed = base64.urlsafe_b64encode(msgspec.msgpack.encode([0, *ids])).decode().rstrip("=")
    return f"{prefix}_{packed}"


@dataclass
class Account:
    """An account. ``login`` is REST's name; ``app`` that of GraphQL, where a bot's is another."""

    id: int
    login: str
    type: str = "User"
    app: str | None = None
    name: str | None = None
    company: str | None = None
    location: str | None = None
    bio: str | None = None
    website: str | None = None
    mail: str | None = None
    followers: int = 0
    created_at: str = "2015-01-01T00:00:00Z"
    mails: tuple[str, ...] = ()
    """What git's authors have and GitHub joins to the account."""
    social: tuple[tuple[str, str], ...] = ()
    deleted: bool = False

    @property
    def node_id(self) -> str:
        return node_id({"Bot": "BOT", "Organization": "O"}.get(self.type, "U"), self.id)

    def has(self, mail: str) -> bool:
        """Whether commits of an address are the account's."""
        return mail in self.mails or mail == f"{self.id}+{self.login}@users.noreply.github.com"


@dataclass(frozen=True)
class Commit:
    parents: tuple[str, ...]
    author: Person
    authored_at: str
    committer: Person
    committed_at: str
    message: str
    additions: int
    deletions: int

    @property
    def sha(self) -> str:
        told = [self.parents, self.author, self.authored_at, self.committed_at, self.message]
        return hashlib.sha1(json.dumps(told).encode(), usedforsecurity=False).hexdigest()

    @property
    def people(self) -> list[Person]:
        """Git's author, then those of the co-author trailers, each address once."""
        found = {self.author[1]: self.author}
        for line in self.message.splitlines():
            if line.lower().startswith("co-authored-by:"):
                name, _, mail = line.partition(":")[2].strip().rpartition(" <")
                found.setdefault(mail.rstrip(">"), (name, mail.rstrip(">")))
        return list(found.values())


@dataclass
class Comment:
    """On an issue or pull request (``number``), a commit (``sha``), or lines (``review``)."""

    id: int
    author: int
    created_at: str
    updated_at: str
    body: str
    number: int | None = None
    sha: str | None = None
    review: int | None = None


@dataclass
class Review:
    id: int
    author: int
    state: str
    submitted_at: str
    sha: str


@dataclass
class Turn:
    """An entry of a timeline: ``closed``, ``reopened`` or ``merged``."""

    id: int
    kind: str
    actor: int
    at: str


@dataclass
class Issue:
    id: int
    number: int
    title: str
    author: int
    created_at: str
    updated_at: str
    assignees: list[int] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)

    @property
    def closed_at(self) -> str | None:
        last = self.turns[-1] if self.turns else None
        return None if last is None or last.kind == "reopened" else last.at


@dataclass
class Pull(Issue):
    head: str = ""
    """Name of its branch."""
    base: str = ""
    head_sha: str = ""
    base_sha: str = ""
    shas: tuple[str, ...] = ()
    from_fork: bool = False
    additions: int = 0
    deletions: int = 0
    merged_at: str | None = None
    merged_by: int | None = None
    merge_sha: str | None = None
    reviews: list[Review] = field(default_factory=list)


@dataclass
class Release:
    id: int
    tag: str
    author: int
    created_at: str
    published_at: str | None
    sha: str | None


@dataclass
class Repository:
    """A repository. ``name`` is owner/name as it is now."""

    id: int
    name: str
    owner: int
    created_at: str
    updated_at: str
    description: str | None = None
    stars: int = 0
    forks: int = 0
    language: str | None = None
    default_branch: str = "main"
    archived: bool = False
    fork: bool = False
    private: bool = False
    blocked: str | None = None
    """Why GitHub withholds it: ``dmca`` (status 451) or ``tos`` (403)."""
    has_issues: bool = True
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    pushed: set[str] = field(default_factory=set)
    """What was ever on a branch."""
    threads: dict[int, Issue] = field(default_factory=dict)
    comments: list[Comment] = field(default_factory=list)
    line_comments: list[Comment] = field(default_factory=list)
    commit_comments: list[Comment] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)

    @property
    def node_id(self) -> str:
        return node_id("R", self.id)

    @property
    def head(self) -> str | None:
        return self.branches.get(self.default_branch)

    @property
    def pulls(self) -> list[Pull]:
        return [thread for thread in self.threads.values() if isinstance(thread, Pull)]

    @property
    def issues(self) -> list[Issue]:
        return [thread for thread in self.threads.values() if not isinstance(thread, Pull)]

    def pull(self, number: int) -> Pull:
        """The pull request of a number. Raises KeyError."""
        found = self.threads[number]
        if not isinstance(found, Pull):
            raise KeyError(number)
        return found


@dataclass(frozen=True)
class Happening:
    """What the archive would have: an event with the names that held when it happened."""

    type: str
    at: str
    actor: int
    login: str
    repository: int
    name: str
    action: str | None = None
    number: int | None = None
    object: int | None = None
    """Id of the comment, review or release."""
    ref: str = ""
    before: str = ""
    head: str = ""
    shas: tuple[str, ...] = ()
    new: frozenset[str] = frozenset()
    """Those of ``shas`` that no branch had before."""
