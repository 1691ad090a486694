"""GitHub's API over lists in memory, behind the port: cursors, changes, refusals, and its log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeVar

from shared.errors import NotFound
from shared.github import (
    Actor,
    BadCursor,
    Blocked,
    Close,
    Comment,
    Commit,
    CommitAuthor,
    Comparison,
    Issue,
    Page,
    Profile,
    Pull,
    Release,
    RemoteRepository,
    RemoteState,
    Review,
)

ANA, BEN, CLEO = Actor(1, "ana", "User"), Actor(2, "ben", "User"), Actor(3, "cleo", "User")
BOT = Actor(9, "dependabot[bot]", "Bot")

_Item = TypeVar("_Item", Pull, Issue)


@dataclass
class FakeRepository:
    """A repository and its history, which a test changes as it likes."""

    id: int
    name: str
    gone: bool = False
    blocked: bool = False
    fork: bool = False
    archived: bool = False
    stars: int = 5
    pulls: dict[int, Pull] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    branch: list[Commit] = field(default_factory=list)
    """The default branch, oldest first."""
    objects: dict[str, Commit] = field(default_factory=dict)
    """All commits that GitHub still has, on the branch or not."""
    issue_comments: dict[int, Comment] = field(default_factory=dict)
    review_comments: dict[int, Comment] = field(default_factory=dict)
    commit_comments: list[Comment] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)

    @property
    def node_id(self) -> str:
        return f"R_{self.id}"

    @property
    def remote(self) -> RemoteRepository:
        return RemoteRepository(
            id=self.id,
            node_id=self.node_id,
            name=self.name,
            description=f"about {self.name}",
            stars=self.stars,
            forks=2,
            language="Python",
            default_branch="main",
            archived=self.archived,
            fork=self.fork,
            created_at=datetime(2020, 1, 1, tzinfo=UTC),
        )

    @property
    def state(self) -> RemoteState:
        return RemoteState(
            repository=self.remote,
            head=self.branch[-1].sha if self.branch else None,
            pulls_changed_at=max((p.updated_at for p in self.pulls.values()), default=None),
            issues_changed_at=max((i.updated_at for i in self.issues.values()), default=None),
            released_at=max((r.published_at for r in self.releases), default=None),
            commit_comments=len(self.commit_comments),
        )

    # --- what happens there -----------------------------------------------------------------

    def open_pull(self, number: int, at: datetime, author: Actor | None = ANA) -> None:
        self.pulls[number] = Pull(
            number, author, at, at, None, None, 10, 2, (CLEO,), (), None
        )  # fmt: skip

    def merge(self, number: int, at: datetime, by: Actor | None = BEN) -> None:
        changed = replace(self.pulls[number], merged_at=at, merged_by=by, updated_at=at)
        self.pulls[number] = changed

    def review(self, number: int, id_: int, at: datetime, author: Actor | None = BEN) -> None:
        pull = self.pulls[number]
        review = Review(id_, author, "APPROVED", at)
        self.pulls[number] = replace(pull, reviews=(*pull.reviews, review), updated_at=at)

    def touch(self, number: int, at: datetime) -> None:
        """Something happens to a pull request that is no contribution."""
        self.pulls[number] = replace(self.pulls[number], updated_at=at)

    def open_issue(self, number: int, at: datetime, author: Actor | None = CLEO) -> None:
        self.issues[number] = Issue(number, author, at, at, ())

    def close_issue(self, number: int, at: datetime, by: Actor | None = ANA) -> None:
        issue = self.issues[number]
        closes = (*issue.closes, Close(by, at))
        self.issues[number] = replace(issue, closes=closes, updated_at=at)

    def commit(self, sha: str, at: datetime, *authors: CommitAuthor, parents: int = 1) -> None:
        who = authors or (CommitAuthor(ANA, "Ana", "Ana@example.org "),)
        made = Commit(sha, at, parents, 7, 3, who)
        self.objects[sha] = made
        self.branch.append(made)

    def comment(self, id_: int, number: int, at: datetime, *, on_lines: bool = False) -> None:
        """A comment, which also changes the issue or pull request that it is on."""
        comments = self.review_comments if on_lines else self.issue_comments
        comments[id_] = Comment(id_, BEN, at, at, number)
        if number in self.pulls:
            self.touch(number, at)
        else:
            self.issues[number] = replace(self.issues[number], updated_at=at)

    def comment_commit(self, id_: int, sha: str, at: datetime) -> None:
        self.commit_comments.append(Comment(id_, CLEO, at, at, None, sha))

    def release(self, id_: int, at: datetime) -> None:
        """Newest first, as GitHub lists them."""
        self.releases.insert(0, Release(id_, ANA, f"v{id_}", at))


@dataclass
class FakeGitHub:
    """The port ``GitHub``. ``pages`` items come on a page of those lists that have cursors.

    ``log`` has every request. ``on_request`` is called with the request before it is answered,
    ``on_answer`` when the answer is made and not given yet.
    """

    repositories: list[FakeRepository]
    reads_contributions: bool = True
    pages: int = 50
    reviews_with_pull: int = 30
    log: list[str] = field(default_factory=list)
    on_request: Callable[[str], None] = lambda _: None
    on_answer: Callable[[str], None] = lambda _: None
    refused: set[str] = field(default_factory=set)
    """Cursors that are not taken any more."""
    former_names: dict[str, int] = field(default_factory=dict)

    def repository(self, name: str) -> RemoteRepository:
        with_log = self._asked(f"repository {name}")
        found = self._named(name)
        with_log()
        return found.remote

    def organization(self, login: str, cursor: str | None) -> Page[RemoteRepository]:
        """Those whose names begin with it, by name."""
        done = self._asked(f"organization {cursor}")
        begin = f"{login.lower()}/"
        listed = sorted(
            (one for one in self.repositories if one.name.lower().startswith(begin)),
            key=lambda one: one.name.lower(),
        )
        if not listed:
            raise NotFound(f"GitHub has no organization {login}.")
        start = int(cursor or 0)
        end = start + self.pages
        found = tuple(one.remote for one in listed[start:end] if not one.gone)
        done()
        return Page(found, str(end) if end < len(listed) else None)

    def states(self, node_ids: Sequence[str]) -> tuple[RemoteState | None, ...]:
        assert 0 < len(node_ids) <= 50
        done = self._asked(f"states {len(node_ids)}")
        by_node = {one.node_id: one for one in self.repositories if not one.gone}
        found = tuple(by_node[id_].state if id_ in by_node else None for id_ in node_ids)
        done()
        return found

    def history(self, node_id: str, since: datetime, cursor: str | None) -> Page[Commit]:
        done = self._asked(f"history {cursor}")
        repository = self._node(node_id)
        head, start = (repository.branch[-1].sha if repository.branch else "", 0)
        if cursor is not None:
            self._check(cursor)
            head, _, text = cursor.partition(" ")
            start = int(text)
            if head not in {one.sha for one in repository.branch}:
                raise BadCursor("The cursor is of another history.")
        shas = [one.sha for one in repository.branch]
        line = repository.branch[: shas.index(head) + 1] if head else []
        listed = [one for one in reversed(line) if one.committed_at >= since]
        end = start + self.pages
        page = Page(tuple(listed[start:end]), f"{head} {end}" if end < len(listed) else None)
        done()
        return page

    def compare(self, name: str, base: str, head: str, page: int) -> Comparison:
        done = self._asked(f"compare {base}...{head} {page}")
        repository = self._named(name)
        shas = [one.sha for one in repository.branch]
        if base not in repository.objects or head not in repository.objects:
            raise NotFound("No common ancestor.")
        found = Comparison("diverged", (), None)
        if base in shas and head in shas:
            new = shas[shas.index(base) + 1 : shas.index(head) + 1]
            end = page * self.pages
            part = tuple(new[end - self.pages : end])
            found = Comparison("ahead", part, page + 1 if end < len(new) else None)
        done()
        return found

    def commits(self, node_id: str, shas: Sequence[str]) -> tuple[Commit, ...]:
        assert 0 < len(shas) <= 100
        done = self._asked(f"commits {len(shas)}")
        objects = self._node(node_id).objects
        found = tuple(objects[sha] for sha in shas if sha in objects)
        done()
        return found

    def pulls(self, node_id: str, cursor: str | None) -> Page[Pull]:
        done = self._asked(f"pulls {cursor}")
        page = self._changed(list(self._node(node_id).pulls.values()), cursor)
        most = self.reviews_with_pull
        items = tuple(
            replace(
                pull,
                reviews=pull.reviews[:most],
                more_reviews=str(most) if len(pull.reviews) > most else None,
            )
            for pull in page.items
        )
        done()
        return Page(items, page.cursor)

    def reviews(self, node_id: str, number: int, cursor: str) -> Page[Review]:
        done = self._asked(f"reviews {number} {cursor}")
        self._check(cursor)
        reviews = self._node(node_id).pulls[number].reviews
        end = int(cursor) + self.pages
        found = Page(reviews[int(cursor) : end], str(end) if end < len(reviews) else None)
        done()
        return found

    def issues(self, node_id: str, cursor: str | None) -> Page[Issue]:
        done = self._asked(f"issues {cursor}")
        page = self._changed(list(self._node(node_id).issues.values()), cursor)
        done()
        return page

    def comments(
        self, name: str, kind: Literal["issue", "review"], since: datetime | None, page: int
    ) -> tuple[Comment, ...]:
        done = self._asked(f"comments {kind} {page}")
        repository = self._named(name)
        all_ = repository.issue_comments if kind == "issue" else repository.review_comments
        listed = sorted(
            (one for one in all_.values() if since is None or one.updated_at >= since),
            key=lambda one: (one.updated_at, one.id),
        )
        done()
        return tuple(listed[(page - 1) * 100 : page * 100])

    def commit_comments(self, name: str, page: int) -> tuple[Comment, ...]:
        done = self._asked(f"commit_comments {page}")
        found = tuple(self._named(name).commit_comments[(page - 1) * 100 : page * 100])
        done()
        return found

    def releases(self, name: str, page: int) -> tuple[Release, ...]:
        done = self._asked(f"releases {page}")
        found = tuple(self._named(name).releases[(page - 1) * 100 : page * 100])
        done()
        return found

    def profile(self, login: str) -> Profile:
        raise NotFound(f"There is no account {login} here.")

    # --- how --------------------------------------------------------------------------------

    def _asked(self, request: str) -> Callable[[], None]:
        self.on_request(request)
        self.log.append(request)
        return lambda: self.on_answer(request)

    def _check(self, cursor: str) -> None:
        if cursor in self.refused:
            self.refused.discard(cursor)
            raise BadCursor(f"{cursor} does not appear to be a valid cursor.")

    def _changed(self, items: list[_Item], cursor: str | None) -> Page[_Item]:
        """By the last change, and the cursor is the last item's place in that order."""
        ordered = sorted(items, key=lambda one: (one.updated_at, one.number), reverse=True)
        if cursor is not None:
            self._check(cursor)
            time, number = cursor.split(" ")
            place = (datetime.fromisoformat(time), int(number))
            ordered = [one for one in ordered if (one.updated_at, one.number) < place]
        page = ordered[: self.pages]
        more = len(ordered) > len(page)
        last = f"{page[-1].updated_at.isoformat()} {page[-1].number}" if more else None
        return Page(tuple(page), last)

    def _named(self, name: str) -> FakeRepository:
        former = self.former_names.get(name.lower())
        for one in self.repositories:
            if one.name.lower() == name.lower() or one.id == former:
                if one.blocked:
                    raise Blocked(f"GitHub withholds {name} for legal reasons.")
                if not one.gone:
                    return one
        raise NotFound(f"GitHub shows no repository {name}: it is missing or private.")

    def _node(self, node_id: str) -> FakeRepository:
        for one in self.repositories:
            if one.node_id == node_id and not one.gone:
                return one
        raise NotFound("GitHub does not show that repository any more.")

    def rename(self, repository: FakeRepository, name: str) -> None:
        """Its former name leads to it until another repository takes that."""
        self.former_names[repository.name.lower()] = repository.id
        self.former_names.pop(name.lower(), None)
        repository.name = name


def hours(number: float) -> timedelta:
    return timedelta(hours=number)
