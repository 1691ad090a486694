"""GraphQL's objects over a history: mappings that graphql-core reads, lists made when asked for.

An object is None where the account behind it is deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.support import github_said as said
from tests.support.github_commits import walk
from tests.support.github_connections import Arguments, connection, history, problem
from tests.support.github_history import History
from tests.support.github_model import (
    Account,
    Issue,
    Pull,
    Repository,
    Turn,
    node_id,
)
from tests.support.github_people import actor, git_actor, ids, pages, user
from tests.support.github_shapes import SITE
from tests.support.github_times import written

Object = dict[str, Any]
_EVENTS = {"closed": "ClosedEvent", "reopened": "ReopenedEvent", "merged": "MergedEvent"}


class Nodes:
    """Objects of one repository."""

    def __init__(self, told: History, place: Repository) -> None:
        self.told, self.place, self.page = told, place, f"{SITE}/{place.name}"

    # --- the repository ---------------------------------------------------------------------

    def repository(self) -> Object:
        place, owner = self.place, self.told.accounts[self.place.owner]
        return {
            "__typename": "Repository",
            "id": place.node_id,
            "databaseId": place.id,
            "name": place.name.partition("/")[2],
            "nameWithOwner": place.name,
            "owner": actor(owner),
            "description": place.description,
            "url": self.page,
            "resourcePath": f"/{place.name}",
            "stargazerCount": place.stars,
            "forkCount": place.forks,
            "primaryLanguage": place.language and _language(place.language),
            "defaultBranchRef": self.ref(place.default_branch),
            "isArchived": place.archived,
            "archivedAt": place.updated_at if place.archived else None,
            "homepageUrl": None,
            "isFork": place.fork,
            "isPrivate": place.private,
            "isDisabled": False,
            "isEmpty": place.head is None,
            "hasIssuesEnabled": place.has_issues,
            "visibility": "PRIVATE" if place.private else "PUBLIC",
            "createdAt": place.created_at,
            "updatedAt": place.updated_at,
            "pushedAt": place.updated_at,
            "ref": lambda _, **args: self.ref(args["qualifiedName"].removeprefix("refs/heads/")),
            "object": lambda _, oid=None, expression=None: self.commit(
                oid or place.branches.get(expression or "HEAD", place.head or "")
            ),
            "issue": lambda _, number: self.numbered(number, "Issue"),
            "pullRequest": lambda _, number: self.numbered(number, "PullRequest"),
            "issues": lambda _, **args: self.threads("issues", place.issues, args),
            "pullRequests": lambda _, **args: self.threads("pullRequests", place.pulls, args),
            "releases": lambda _, **args: said.releases(self, args),
            "release": lambda _, **args: said.tagged(self, args["tagName"]),
            "latestRelease": lambda _: said.latest(self),
            "commitComments": lambda _, **args: said.commit_comments(
                self, "commitComments", place.commit_comments, args
            ),
        }

    def ref(self, name: str) -> Object | None:
        if name not in self.place.branches:
            return None
        return {
            "__typename": "Ref",
            "id": node_id("REF", self.place.id, f"refs/heads/{name}"),
            "name": name,
            "prefix": "refs/heads/",
            "repository": lambda _: self.repository(),
            "target": lambda _: self.commit(self.place.branches[name]),
        }

    # --- commits ----------------------------------------------------------------------------

    def commit(self, sha: str) -> Object | None:
        found = self.place.commits.get(sha)
        if found is None:
            return None
        headline, _, body = found.message.partition("\n\n")
        return {
            "__typename": "Commit",
            "id": node_id("C", self.place.id, sha),
            "oid": sha,
            "abbreviatedOid": sha[:7],
            "additions": found.additions,
            "deletions": found.deletions,
            "changedFilesIfAvailable": 1,
            "authoredDate": found.authored_at,
            "committedDate": found.committed_at,
            "message": found.message,
            "messageHeadline": headline,
            "messageBody": body,
            "author": git_actor(self.told, found.author, found.authored_at),
            "committer": git_actor(self.told, found.committer, found.committed_at),
            "authors": lambda _, **args: pages(
                "authors",
                found.people,
                lambda person: git_actor(self.told, person, found.authored_at),
                args,
            ),
            "parents": lambda _, **args: pages("parents", found.parents, self.commit, args),
            "comments": lambda _, **args: said.commit_comments(
                self,
                "comments",
                [each for each in self.place.commit_comments if each.sha == sha],
                args,
            ),
            "associatedPullRequests": lambda _, **args: self.threads(
                "associatedPullRequests",
                [p for p in self.place.pulls if sha in {*p.shas, p.merge_sha}],
                args,
            ),
            "history": lambda _, **args: self.history(sha, args),
            "repository": lambda _: self.repository(),
            "url": f"{self.page}/commit/{sha}",
            "commitUrl": f"{self.page}/commit/{sha}",
        }

    def history(self, head: str, args: Arguments) -> Object:
        since, until = (args.get(end) and written(args[end]) for end in ("since", "until"))
        commits = self.place.commits

        def shas(begin: str) -> Sequence[str]:
            return [
                sha
                for sha in walk(commits, begin)
                if (since or "") <= commits[sha].committed_at <= (until or "9")
            ]

        return history(shas, head, commits.__contains__, self.commit, args)

    # --- issues and pull requests -----------------------------------------------------------

    def threads(self, name: str, threads: Sequence[Issue], args: Arguments) -> Object:
        told = args.get("filterBy") or {}
        states = args.get("states") or told.get("states")
        since = told.get("since") and written(told["since"])
        order = args.get("orderBy") or {"field": "CREATED_AT", "direction": "ASC"}
        at = "updated_at" if order["field"] == "UPDATED_AT" else "created_at"
        chosen = [
            thread
            for thread in threads
            if (not states or _state(thread) in states)
            and (not since or thread.updated_at >= since)
        ]
        if order["field"] == "COMMENTS":

            def key(thread: Issue) -> list[Any]:
                return [sum(c.number == thread.number for c in self.place.comments), thread.id]
        else:

            def key(thread: Issue) -> list[Any]:
                return [getattr(thread, at), thread.id]

        descending = order["direction"] == "DESC"
        return connection(name, chosen, key, self.thread, args, descending)

    def numbered(self, number: int, kind: str) -> Object:
        """The issue or pull request of a number."""
        found = self.place.threads.get(number)
        if found is None or isinstance(found, Pull) != (kind == "PullRequest"):
            article = "an" if kind == "Issue" else "a"
            raise problem(
                "NOT_FOUND", f"Could not resolve to {article} {kind} with the number of {number}."
            )
        return self.thread(found)

    def thread(self, found: Issue) -> Object:
        closed = found.closed_at
        pull = isinstance(found, Pull)
        told = {
            "__typename": "PullRequest" if pull else "Issue",
            "id": node_id("PR" if pull else "I", self.place.id, found.id),
            **ids(found.id),
            "number": found.number,
            "title": found.title,
            "body": "",
            "state": _state(found),
            "stateReason": (closed and "COMPLETED") or ("REOPENED" if found.turns else None),
            "author": self.actor(found.author),
            "authorAssociation": self.association(found.author),
            "createdAt": found.created_at,
            "publishedAt": found.created_at,
            "updatedAt": found.updated_at,
            "closed": closed is not None,
            "closedAt": closed,
            "assignees": lambda _, **args: pages(
                "assignees",
                [a for a in map(self.account, found.assignees) if a and a.type == "User"],
                user,
                args,
            ),
            "comments": lambda _, **args: pages(
                "comments",
                [each for each in self.place.comments if each.number == found.number],
                lambda each: said.comment(self, each),
                args,
            ),
            "timelineItems": lambda _, **args: self.timeline(found, args),
            "repository": lambda _: self.repository(),
            "url": f"{self.page}/{'pull' if pull else 'issues'}/{found.number}",
        }
        return told | self._pull(found) if isinstance(found, Pull) else told

    def _pull(self, found: Pull) -> Object:
        return {
            "isDraft": False,
            "merged": found.merged_at is not None,
            "mergedAt": found.merged_at,
            "mergedBy": found.merged_by and self.actor(found.merged_by),
            "mergeCommit": lambda _: self.commit(found.merge_sha or ""),
            "additions": found.additions,
            "deletions": found.deletions,
            "changedFiles": 1,
            "baseRefName": found.base,
            "headRefName": found.head,
            "baseRefOid": found.base_sha,
            "headRefOid": found.head_sha,
            "reviews": lambda _, **args: pages(
                "reviews", found.reviews, lambda review: said.review(self, found, review), args
            ),
            "commits": lambda _, **args: pages(
                "commits", found.shas, lambda sha: self._pull_commit(found, sha), args
            ),
        }

    def _pull_commit(self, pull: Pull, sha: str) -> Object:
        return {
            "__typename": "PullRequestCommit",
            "id": node_id("PURC", pull.id, sha),
            "commit": lambda _: self.commit(sha),
            "pullRequest": lambda _: self.thread(pull),
        }

    def timeline(self, found: Issue, args: Arguments) -> Object:
        wanted = args.get("itemTypes")
        kinds = {kind for kind in _EVENTS if not wanted or f"{kind.upper()}_EVENT" in wanted}
        return connection(
            "timelineItems",
            [turn for turn in found.turns if turn.kind in kinds],
            lambda turn: [turn.at, turn.id],
            lambda turn: self.turn(found, turn),
            args,
            updatedAt=found.updated_at,
        )

    def turn(self, thread: Issue, turn: Turn) -> Object:
        return {
            "__typename": _EVENTS[turn.kind],
            "id": node_id({"closed": "CE", "reopened": "REE", "merged": "ME"}[turn.kind], turn.id),
            "actor": self.actor(turn.actor),
            "createdAt": turn.at,
            "stateReason": "COMPLETED" if turn.kind == "closed" else "REOPENED",
            "mergeRefName": getattr(thread, "base", ""),
            "commit": lambda _: self.commit(getattr(thread, "merge_sha", None) or ""),
            "url": f"{self.page}/issues/{thread.number}#event-{turn.id}",
        }

    # --- people -----------------------------------------------------------------------------

    def account(self, id_: int) -> Account | None:
        found = self.told.accounts[id_]
        return None if found.deleted else found

    def actor(self, id_: int) -> Object | None:
        return actor(self.account(id_))

    def association(self, id_: int) -> str:
        return "OWNER" if id_ == self.place.owner else "CONTRIBUTOR"


def _state(thread: Issue) -> str:
    if isinstance(thread, Pull) and thread.merged_at:
        return "MERGED"
    return "OPEN" if thread.closed_at is None else "CLOSED"


def _language(name: str) -> Object:
    return {"__typename": "Language", "id": node_id("L", name), "name": name, "color": None}
