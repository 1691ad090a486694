"""A history of repositories that tests write on: each verb is something that happens on GitHub.

Verbs take texts and numbers only, so that the stand-in's process can be told the same
(``github_bench.py``), and are deterministic: the same verbs make the same ids and hashes. People
are named by login, repositories by their current name, times are texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.github_commits import brought, reachable
from tests.support.github_model import (
    Comment,
    Commit,
    Happening,
    Issue,
    Pull,
    Release,
    Repository,
    Review,
    Turn,
)
from tests.support.github_register import Register

NOBODY = "0" * 40
WEB = ("GitHub", "noreply@github.com")
Draft = Mapping[str, Any]
"""A commit to be made: ``by`` (a login) or ``author`` (name and address); ``message``, ``at``,
``additions``, ``deletions``, ``co_authors`` (names and addresses) may be told."""


class History(Register):
    """Accounts and repositories, and what happens in them, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.happenings: list[Happening] = []
        self._small, self._large, self._commits = 1_000, 2_900_000_000, 0

    # --- commits ----------------------------------------------------------------------------

    def push(
        self, name: str, by: str, at: str, commits: Sequence[Draft], branch: str = "main"
    ) -> list[str]:
        """Commits onto a branch, begun at the default branch if it is new. Returns their SHAs."""
        repository = self.at(name)
        start = repository.branches.get(branch, repository.head)
        return self._pushed(repository, by, at, branch, start, commits)

    def force_push(
        self, name: str, by: str, at: str, commits: Sequence[Draft], drop: int, branch: str = "main"
    ) -> list[str]:
        """A branch without its last commits (along first parents), with others in their place."""
        repository = self.at(name)
        start: str | None = repository.branches[branch]
        for _ in range(drop):
            start = next(iter(repository.commits[start or ""].parents), None)
        return self._pushed(repository, by, at, branch, start, commits)

    def collect_garbage(self, name: str) -> None:
        """Forget the commits that no branch and no pull request leads to."""
        repository = self.at(name)
        tips = [*repository.branches.values(), *(pull.head_sha for pull in repository.pulls)]
        kept = reachable(repository.commits, tips)
        repository.commits = {sha: c for sha, c in repository.commits.items() if sha in kept}

    def _pushed(
        self,
        repository: Repository,
        by: str,
        at: str,
        branch: str,
        start: str | None,
        commits: Sequence[Draft],
    ) -> list[str]:
        before = repository.branches.get(branch, NOBODY)
        shas: list[str] = []
        for draft in commits:
            shas.append(self._commit(repository, draft, at, [start] if start else []))
            start = shas[-1]
        repository.branches[branch] = start or NOBODY
        self._tell_push(repository, by, at, branch, before)
        return shas

    def _commit(
        self,
        repository: Repository,
        draft: Draft,
        at: str,
        parents: Sequence[str],
        web: bool = False,
    ) -> str:
        self._commits += 1
        name, mail = draft.get("author") or self._person(draft["by"])
        message = draft.get("message", f"Change number {self._commits}")
        trailers = [f"Co-authored-by: {n} <{m}>" for n, m in draft.get("co_authors", ())]
        if trailers:
            message += "\n\n" + "\n".join(trailers)
        when = draft.get("at", at)
        commit = Commit(
            *(tuple(parents), (name, mail), when, WEB if web else (name, mail), when, message),
            *(draft.get("additions", 1), draft.get("deletions", 0)),
        )
        repository.commits[commit.sha] = commit
        return commit.sha

    def _person(self, login: str) -> tuple[str, str]:
        account = self.account(login)
        default = f"{account.id}+{account.login}@users.noreply.github.com"
        return account.name or login, account.mails[0] if account.mails else default

    def _tell_push(
        self, repository: Repository, by: str, at: str, branch: str, before: str
    ) -> None:
        head, pushed = repository.branches[branch], repository.pushed
        shas = tuple(brought(repository.commits, before, head, pushed))
        fresh = frozenset(shas) - pushed
        pushed.update(shas)
        told: dict[str, Any] = {"ref": f"refs/heads/{branch}", "before": before, "head": head}
        self._tell(repository, "PushEvent", at, by, shas=shas, new=fresh, **told)

    # --- issues and pull requests -----------------------------------------------------------

    def open_issue(self, name: str, by: str, at: str, title: str = "Something is wrong") -> int:
        """Returns the number."""
        repository = self.at(name)
        number = len(repository.threads) + 1
        author = self.account(by).id
        repository.threads[number] = Issue(self._id(), number, title, author, at, at)
        self._tell(repository, "IssuesEvent", at, by, action="opened", number=number)
        return number

    def open_pull(
        self,
        name: str,
        by: str,
        at: str,
        commits: Sequence[Draft] = (),
        title: str = "Change something",
        assignees: Sequence[str] = (),
        from_fork: bool = False,
    ) -> int:
        """Pushes a branch (elsewhere, if from a fork) and asks for it. Returns the number."""
        repository = self.at(name)
        number = len(repository.threads) + 1
        base, branch = repository.head or NOBODY, f"change-{number}"
        drafts = commits or [{"by": by, "additions": 10 * number, "deletions": number}]
        if from_fork:
            shas: list[str] = []
            for draft in drafts:
                shas.append(self._commit(repository, draft, at, [shas[-1] if shas else base]))
        else:
            shas = self.push(name, by, at, drafts, branch)
        mine = [repository.commits[sha] for sha in shas]
        repository.threads[number] = Pull(
            *(self._id(), number, title, self.account(by).id, at, at),
            assignees=[self.account(login).id for login in assignees],
            head=branch,
            base=repository.default_branch,
            head_sha=shas[-1],
            base_sha=base,
            shas=tuple(shas),
            from_fork=from_fork,
            additions=sum(commit.additions for commit in mine),
            deletions=sum(commit.deletions for commit in mine),
        )
        self._tell(repository, "PullRequestEvent", at, by, action="opened", number=number)
        return number

    def review(
        self, name: str, number: int, by: str, at: str, state: str = "APPROVED", lines: int = 0
    ) -> int:
        """A review, with comments on so many lines. Returns its id."""
        repository = self.at(name)
        pull, author = repository.pull(number), self.account(by).id
        review = Review(self._id(), author, state, at, pull.head_sha)
        pull.reviews.append(review)
        pull.updated_at = at
        about: dict[str, Any] = {"number": number, "action": "created"}
        self._tell(repository, "PullRequestReviewEvent", at, by, object=review.id, **about)
        for line in range(lines):
            comment = Comment(
                self._id(), author, at, at, f"Line {line}", number, pull.head_sha, review.id
            )
            repository.line_comments.append(comment)
            self._tell(
                repository, "PullRequestReviewCommentEvent", at, by, object=comment.id, **about
            )
        return review.id

    def comment(self, name: str, number: int, by: str, at: str, body: str = "I see.") -> int:
        """A comment on an issue or pull request. Returns its id."""
        repository = self.at(name)
        comment = Comment(self._id(), self.account(by).id, at, at, body, number)
        repository.comments.append(comment)
        repository.threads[number].updated_at = at
        told: dict[str, Any] = {"number": number, "action": "created", "object": comment.id}
        self._tell(repository, "IssueCommentEvent", at, by, **told)
        return comment.id

    def edit_comment(self, name: str, id: int, at: str, body: str) -> None:  # noqa: A002
        repository = self.at(name)
        for each in (*repository.comments, *repository.line_comments):
            if each.id == id:
                each.body, each.updated_at = body, at

    def delete_comment(self, name: str, id: int) -> None:  # noqa: A002
        repository = self.at(name)
        repository.comments = [each for each in repository.comments if each.id != id]

    def comment_on_commit(self, name: str, sha: str, by: str, at: str) -> int:
        """A comment on a commit. Returns its id."""
        repository = self.at(name)
        comment = Comment(self._number(), self.account(by).id, at, at, "Why?", sha=sha)
        repository.commit_comments.append(comment)
        self._tell(repository, "CommitCommentEvent", at, by, object=comment.id, head=sha)
        return comment.id

    def close(self, name: str, number: int, by: str, at: str) -> None:
        self._turn(self.at(name), number, "closed", by, at)

    def reopen(self, name: str, number: int, by: str, at: str) -> None:
        self._turn(self.at(name), number, "reopened", by, at)

    def merge(self, name: str, number: int, by: str, at: str, squash: bool = False) -> None:
        """A merge commit, or one commit of the author's in place of those of the branch."""
        repository = self.at(name)
        pull, base = repository.pull(number), self.at(name).head
        draft: dict[str, Any] = {"by": by, "message": f"Merge pull request #{number}"}
        parents = [base or NOBODY, pull.head_sha]
        if squash:
            first = repository.commits[pull.shas[0]]
            draft |= {"author": first.author, "message": f"{pull.title} (#{number})"}
            parents = parents[:1]
        draft |= {"additions": pull.additions, "deletions": pull.deletions}
        pull.merge_sha = self._commit(repository, draft, at, parents, web=True)
        pull.merged_at, pull.merged_by = at, self.account(by).id
        repository.branches[repository.default_branch] = pull.merge_sha
        pull.turns.append(Turn(self._id(), "merged", self.account(by).id, at))
        self._turn(repository, number, "closed", by, at)
        self._tell_push(repository, by, at, repository.default_branch, base or NOBODY)

    def _turn(self, repository: Repository, number: int, kind: str, by: str, at: str) -> None:
        thread = repository.threads[number]
        thread.turns.append(Turn(self._id(), kind, self.account(by).id, at))
        thread.updated_at = at
        event = "PullRequestEvent" if isinstance(thread, Pull) else "IssuesEvent"
        self._tell(repository, event, at, by, action=kind, number=number)

    # --- releases ---------------------------------------------------------------------------

    def draft_release(self, name: str, tag: str, by: str, at: str) -> int:
        """A release that only those who may push see. Returns its id."""
        repository = self.at(name)
        release = Release(self._number(), tag, self.account(by).id, at, None, repository.head)
        repository.releases.append(release)
        return release.id

    def publish_release(self, name: str, tag: str, by: str, at: str) -> None:
        repository = self.at(name)
        (release,) = (each for each in repository.releases if each.tag == tag)
        release.published_at = at
        told: dict[str, Any] = {"action": "published", "object": release.id, "ref": tag}
        self._tell(repository, "ReleaseEvent", at, by, **told)

    def release(self, name: str, tag: str, by: str, at: str) -> int:
        """A release, published at once. Returns its id."""
        id_ = self.draft_release(name, tag, by, at)
        self.publish_release(name, tag, by, at)
        return id_

    # --- what all need ----------------------------------------------------------------------

    def _tell(self, repository: Repository, type_: str, at: str, by: str, **told: Any) -> None:
        actor = self.account(by)
        place = (repository.id, repository.name)
        self.happenings.append(Happening(type_, at, actor.id, actor.login, *place, **told))

    def _id(self) -> int:
        """For what GitHub counts beyond 32 bits: issues, pull requests, comments, reviews."""
        self._large += 1
        return self._large

    def _number(self) -> int:
        self._small += 1
        return self._small
