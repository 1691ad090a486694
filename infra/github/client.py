"""The port ``shared.github.GitHub``: which request answers which question."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NoReturn, TypeVar
from urllib.parse import quote

import httpx

from infra.github import graphql_shapes, queries, rest_shapes
from infra.github.answers import Disabled, Question
from infra.github.credentials import Credentials, Nobody, credentials_of
from infra.github.graphql import Data, GraphQL
from infra.github.graphql_shapes import shaped
from infra.github.transport import TooLarge, Transport, Waiting
from shared.breaker import Breaker
from shared.errors import NotFound, Rejected
from shared.github import (
    BadCursor,
    Comment,
    Commit,
    Comparison,
    GitHub,
    Issue,
    Page,
    Profile,
    Pull,
    Release,
    RemoteRepository,
    RemoteState,
    Review,
)
from shared.ports import Documents
from shared.request_budget import RequestBudget
from shared.settings import Settings

T = TypeVar("T")

PER_PAGE = 100
_COMMENTS = {"issue": "issues", "review": "pulls"}


def make(
    settings: Settings, documents: Documents, breaker: Breaker, now: Callable[[], datetime]
) -> GitHub | None:
    """The client that the settings ask for, None where GitHub is not asked at all.

    Raises Rejected for credentials that are incomplete.
    """
    if settings.github_access == "off":
        return None
    credentials = credentials_of(settings, now)
    if isinstance(credentials, Nobody) and settings.backend == "local":
        return None
    waiting = Waiting(now, time.sleep, random.random)
    return GitHubClient(settings.github_api_url, credentials, documents, breaker, waiting)


class GitHubClient:
    """See the port. One a process, safe in any number of threads; ``wire`` is for tests."""

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        documents: Documents,
        breaker: Breaker,
        waiting: Waiting,
        *,
        wire: httpx.BaseTransport | None = None,
    ) -> None:
        self._anonymous = isinstance(credentials, Nobody)
        now = waiting.now
        budget = RequestBudget(documents, credentials.fingerprint, credentials.limits, now)
        self._transport = Transport(url, credentials, budget, breaker, waiting, wire=wire)
        self._graphql = GraphQL(self._transport, budget, now)

    @property
    def reads_contributions(self) -> bool:
        return not self._anonymous

    def close(self) -> None:
        """Give up the connections."""
        self._transport.close()

    # --- without a token too ----------------------------------------------------------------

    def repository(self, name: str) -> RemoteRepository:
        what = f"repository {name}"
        node = self._read(f"/repos/{_path_of(name)}", {}, what, keep=True)
        if shaped(lambda: node["private"], what):
            _missing(what)
        return shaped(lambda: rest_shapes.repository(node), what)

    def profile(self, login: str) -> Profile:
        what = "account of that name"  # whose it is stays out of logs
        path = f"/users/{_segment(login)}"
        node = self._read(path, {}, what)
        try:
            social = self._read(f"{path}/social_accounts", {"per_page": PER_PAGE}, what)
        except NotFound:
            social = []  # bots have a profile, and no such list
        return shaped(lambda: rest_shapes.profile(node, social), what)

    # --- GraphQL ----------------------------------------------------------------------------

    def states(self, node_ids: Sequence[str]) -> tuple[RemoteState | None, ...]:
        self._needs_token()
        what = "states of repositories"
        if not node_ids:
            return ()
        variables, several = {"repositories": list(node_ids)}, len(node_ids) > 1
        try:
            data = self._graphql.ask("states", variables, what, shrinks=several)
        except TooLarge:
            half = len(node_ids) // 2
            return self.states(node_ids[:half]) + self.states(node_ids[half:])

        def read() -> tuple[RemoteState | None, ...]:
            nodes = data["nodes"]
            if len(nodes) != len(node_ids):
                raise ValueError("not as many as asked for")
            # A node of another kind is empty here.
            return tuple(
                graphql_shapes.state(node) if node and not node["isPrivate"] else None
                for node in nodes
            )

        return shaped(read, what)

    def history(self, node_id: str, since: datetime, cursor: str | None) -> Page[Commit]:
        variables = {"repository": node_id, "since": _iso(since)}
        what = f"history of repository {node_id}"
        repository = self._repository_page("history", variables, cursor, what)

        def read() -> Page[Commit]:
            branch = repository["defaultBranchRef"]
            if not branch or not branch["target"]:
                return Page((), None)
            return graphql_shapes.page(branch["target"]["history"], graphql_shapes.commit)

        return shaped(read, what)

    def commits(self, node_id: str, shas: Sequence[str]) -> tuple[Commit, ...]:
        self._needs_token()
        if not shas:
            return ()
        if len(shas) > queries.MOST_COMMITS:
            raise Rejected(f"At most {queries.MOST_COMMITS} commits can be asked for at once.")
        what = f"commits of repository {node_id}"
        variables = {"repository": node_id} | {f"sha{n}": sha for n, sha in enumerate(shas)}
        text, several = queries.commits(len(shas)), len(shas) > 1
        try:
            data = self._graphql.ask("commits", variables, what, text=text, shrinks=several)
        except TooLarge:
            half = len(shas) // 2
            return self.commits(node_id, shas[:half]) + self.commits(node_id, shas[half:])

        def read() -> tuple[Commit, ...]:
            repository = _public(data, what)
            found = (repository[f"commit{n}"] for n in range(len(shas)))
            # What is no commit (a tag, a file) is empty.
            return tuple(graphql_shapes.commit(node) for node in found if node)

        return shaped(read, what)

    def pulls(self, node_id: str, cursor: str | None) -> Page[Pull]:
        what = f"pull requests of repository {node_id}"
        repository = self._repository_page("pulls", {"repository": node_id}, cursor, what)
        return shaped(
            lambda: graphql_shapes.page(repository["pullRequests"], graphql_shapes.pull), what
        )

    def reviews(self, node_id: str, number: int, cursor: str) -> Page[Review]:
        what = f"reviews of pull request {number} of repository {node_id}"
        variables = {"repository": node_id, "number": number}
        repository = self._repository_page("reviews", variables, cursor, what)

        def read() -> Page[Review]:
            pull = repository["pullRequest"]
            if not pull:
                _missing(what)
            return graphql_shapes.submitted(graphql_shapes.page(pull["reviews"], lambda each: each))

        return shaped(read, what)

    def issues(self, node_id: str, cursor: str | None) -> Page[Issue]:
        what = f"issues of repository {node_id}"
        repository = self._repository_page("issues", {"repository": node_id}, cursor, what)
        return shaped(lambda: graphql_shapes.page(repository["issues"], graphql_shapes.issue), what)

    # --- REST -------------------------------------------------------------------------------

    def organization(self, login: str, cursor: str | None) -> Page[RemoteRepository]:
        self._needs_token()
        what = f"repositories of organization {login}"
        number = _page_number(cursor, what)
        asked: dict[str, str | int] = {"type": "public", "sort": "full_name", "direction": "asc"}
        nodes = self._read(
            f"/orgs/{_segment(login)}/repos",
            {**asked, "per_page": PER_PAGE, "page": number},
            what,
        )

        def read() -> Page[RemoteRepository]:
            public = (node for node in nodes if not node["private"])
            following = str(number + 1) if len(nodes) == PER_PAGE else None
            return Page(tuple(map(rest_shapes.repository, public)), following)

        return shaped(read, what)

    def compare(self, name: str, base: str, head: str, page: int) -> Comparison:
        self._needs_token()
        what = f"common history of {base[:12]} and {head[:12]} in {name}"
        path = f"/repos/{_path_of(name)}/compare/{_segment(base)}...{_segment(head)}"
        node = self._read(path, {"per_page": PER_PAGE, "page": page}, what)
        return shaped(lambda: rest_shapes.comparison(node, page, PER_PAGE), what)

    def comments(
        self, name: str, kind: Literal["issue", "review"], since: datetime | None, page: int
    ) -> tuple[Comment, ...]:
        order: dict[str, str | int] = {"sort": "updated", "direction": "asc"}
        if since is not None:
            order["since"] = _iso(since)
        return self._comments(name, f"{_COMMENTS[kind]}/comments", order, page)

    def commit_comments(self, name: str, page: int) -> tuple[Comment, ...]:
        return self._comments(name, "comments", {}, page)

    def releases(self, name: str, page: int) -> tuple[Release, ...]:
        nodes = self._list(name, "releases", {}, page)
        return shaped(lambda: rest_shapes.releases(nodes), f"releases of {name}")

    # --- how --------------------------------------------------------------------------------

    def _comments(
        self, name: str, path: str, order: dict[str, str | int], page: int
    ) -> tuple[Comment, ...]:
        nodes = self._list(name, path, order, page)
        return shaped(lambda: tuple(map(rest_shapes.comment, nodes)), f"comments of {name}")

    def _list(self, name: str, path: str, order: dict[str, str | int], page: int) -> Any:
        self._needs_token()
        parameters = {**order, "per_page": PER_PAGE, "page": page}
        try:
            return self._read(
                f"/repos/{_path_of(name)}/{path}", parameters, f"{path} of {name}", keep=True
            )
        except Disabled:
            return []

    def _read(
        self, path: str, parameters: dict[str, str | int], what: str, *, keep: bool = False
    ) -> Any:
        return self._transport.get(path, parameters, Question(what, "core"), keep=keep).json()

    def _repository_page(
        self, operation: str, variables: Data, cursor: str | None, what: str
    ) -> Data:
        self._needs_token()
        data = self._graphql.page(operation, variables, cursor, what)
        return shaped(lambda: _public(data, what), what)

    def _needs_token(self) -> None:
        if self._anonymous:
            raise Rejected(
                "Without a token GitHub tells only that a repository or account exists. Set "
                "GITHUB_TOKEN (a token without any permission will do): it adds commits by their "
                "authors, merges with author and lines, and complete numbers since May 2025, "
                "within 5,000 requests an hour in place of 60.",
                details={"variable": "GITHUB_TOKEN"},
            )


def _public(data: Data, what: str) -> Data:
    """The repository of an answer. Raises NotFound if it is none, or none for the public."""
    repository: Data | None = data["node"]
    if not repository or repository["isPrivate"]:
        _missing(what)
    return repository


def _missing(what: str) -> NoReturn:
    raise NotFound(
        f"GitHub has no {what} for the public: it does not exist or is private, and private "
        "repositories are not read."
    )


def _path_of(name: str) -> str:
    owner, slash, repository = name.partition("/")
    if not slash or "/" in repository:
        raise Rejected(f"{name[:140]!r} is no repository. Write it as owner/name.")
    return f"{_segment(owner)}/{_segment(repository)}"


def _page_number(cursor: str | None, what: str) -> int:
    if cursor is not None and not cursor.isdecimal():
        raise BadCursor(f"{cursor[:20]!r} is no page of {what}.")
    return int(cursor or 1)


def _segment(text: str) -> str:
    """A text as one segment of a path. Raises Rejected for what would be none."""
    if text in {"", ".", ".."}:
        raise Rejected(f"{text!r} is no name on GitHub.")
    return quote(text, safe="")


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
