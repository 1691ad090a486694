"""REST over a history: a path and its query become a status, headers and a body."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote, urlencode

from tests.support import github_shapes as shapes
from tests.support.github_commits import Compared, compared
from tests.support.github_history import History
from tests.support.github_model import Account, Comment, Repository
from tests.support.github_times import written

Query = Mapping[str, str]
DOCS = "https://docs.github.com/rest"


@dataclass(frozen=True)
class Answer:
    """``body`` becomes JSON. ``free`` answers are paid from no allowance."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    free: bool = False


def refusal(status: int, message: str, **more: Any) -> Answer:
    """An error as GitHub words it."""
    told = {"message": message, "documentation_url": DOCS, "status": str(status)}
    return Answer(status, told | more)


NOT_FOUND = refusal(404, "Not Found")


def _blocked(reason: str) -> Answer:
    block = {
        "reason": reason,
        "created_at": "2025-02-02T00:00:00Z",
        "html_url": f"https://github.com/github/{reason}",
    }
    status = 451 if reason == "dmca" else 403
    return Answer(status, {"message": "Repository access blocked", "block": block})


class Rights(Protocol):
    """Names of the repositories to which the caller may push."""

    pushes: list[str]


class Rest:
    """Answers for the history's public repositories, as to somebody who owns none of them.

    ``url`` is where the stand-in is, for links. Who may push to a repository sees its drafts.
    """

    def __init__(self, history: History, url: str, rights: Rights) -> None:
        self.history, self.url, self.rights = history, url, rights

    def answer(self, path: str, query: Query) -> Answer:
        parts = [unquote(part) for part in path.strip("/").split("/")]
        match parts:
            case ["repos", owner, name, *rest]:
                return self._named(f"{owner}/{name}", rest, query)
            case ["repositories", id_, *rest] if id_.isdecimal():
                found = self.history.repositories.get(int(id_))
                return self._within(found, rest, query, f"/repositories/{id_}")
            case ["orgs", login, "repos"]:
                return self._of_organization(login, query, path)
            case ["users", login, *rest]:
                return self._person(login, rest, query, path)
        return NOT_FOUND

    def _named(self, name: str, rest: Sequence[str], query: Query) -> Answer:
        try:
            found = self.history.at(name)
        except KeyError:
            return NOT_FOUND
        if found.name.lower() != name.lower() and not found.private:
            tail = "".join(f"/{part}" for part in rest)
            url = f"{self.url}/repositories/{found.id}{tail}"
            url += f"?{urlencode(query)}" if query else ""
            told = {"message": "Moved Permanently", "url": url, "documentation_url": DOCS}
            return Answer(301, told, {"Location": url})
        return self._within(found, rest, query, f"/repositories/{found.id}")

    def _within(
        self, found: Repository | None, rest: Sequence[str], query: Query, root: str
    ) -> Answer:
        if found is None or found.private:
            return NOT_FOUND
        if found.blocked:
            return _blocked(found.blocked)
        path = "/".join([root, *rest])
        match rest:
            case []:
                return Answer(200, shapes.repository(self.history, found))
            case ["issues", "comments"]:
                if not found.has_issues:
                    return refusal(410, "Issues are disabled for this repo")
                return self._comments(found, found.comments, shapes.comment, query, path)
            case ["pulls", "comments"]:
                return self._comments(found, found.line_comments, shapes.line_comment, query, path)
            case ["comments"]:
                told = [
                    shapes.commit_comment(self.history, found, each)
                    for each in found.commit_comments
                ]
                return self._page(told, query, path)
            case ["releases"]:
                return self._releases(found, query, path)
            case ["compare", basehead] if "..." in basehead:
                base, _, head = basehead.partition("...")
                return self._compare(found, (base, head), query, path)
        return NOT_FOUND

    def _of_organization(self, login: str, query: Query, path: str) -> Answer:
        """In the order of ``full_name``; others than its owner see public ones alone."""
        try:
            found = self.history.account(login)
        except KeyError:
            return NOT_FOUND
        if found.type != "Organization":
            return NOT_FOUND
        wanted = query.get("type", "all")
        if wanted == "private":
            return self._page([], query, path)
        places = [
            each
            for each in self.history.repositories.values()
            if each.owner == found.id and not each.private
            if wanted not in {"forks", "sources"} or each.fork == (wanted == "forks")
        ]
        places.sort(key=lambda each: each.name.lower(), reverse=query.get("direction") == "desc")
        return self._page([shapes.repository(self.history, p) for p in places], query, path)

    def _person(self, login: str, rest: Sequence[str], query: Query, path: str) -> Answer:
        try:
            found: Account = self.history.account(login)
        except KeyError:
            return NOT_FOUND
        match rest:
            case []:
                return Answer(200, shapes.profile(found))
            case ["social_accounts"]:
                return self._page(shapes.social(found), query, path)
        return NOT_FOUND

    def _comments(
        self,
        place: Repository,
        comments: Sequence[Comment],
        shape: Callable[[History, Repository, Comment], Any],
        query: Query,
        path: str,
    ) -> Answer:
        """Comments by the time of their change or making; without ``sort`` by id, ascending."""
        if (since := query.get("since")) is not None and not _TIME.fullmatch(since):
            return refusal(422, "Validation Failed")
        chosen = [c for c in comments if since is None or c.updated_at >= written(since)]
        sort = query.get("sort")
        if sort in {"created", "updated"}:
            chosen.sort(key=lambda c: (getattr(c, f"{sort}_at"), c.id))
            if query.get("direction", "desc") == "desc":
                chosen.reverse()
        return self._page([shape(self.history, place, c) for c in chosen], query, path)

    def _releases(self, place: Repository, query: Query, path: str) -> Answer:
        drafts = place.name in self.rights.pushes
        seen = [each for each in place.releases if drafts or each.published_at]
        seen.sort(key=lambda each: (each.created_at, each.id), reverse=True)
        told = [shapes.release(self.history, place, each) for each in seen]
        return self._page(told, query, path)

    def _compare(
        self, place: Repository, named: tuple[str, str], query: Query, path: str
    ) -> Answer:
        ends = [place.branches.get(end, end) for end in named]
        base, head = named
        if any(end not in place.commits for end in ends):
            return NOT_FOUND
        found: Compared | None = compared(place.commits, ends[0], ends[1])
        if found is None:
            return refusal(404, f"No common ancestor between {base} and {head}.")
        paged = "page" in query or "per_page" in query
        page = self._page(found.shas, query, path, 30 if paged else 250)
        url = f"{shapes.API}/repos/{place.name}/compare/{base}...{head}"
        here = f"{shapes.SITE}/{place.name}/compare/{base}...{head}"
        told = {
            "url": url,
            "html_url": here,
            "permalink_url": here,
            "diff_url": f"{here}.diff",
            "patch_url": f"{here}.patch",
            "base_commit": shapes.commit(self.history, place, ends[0]),
            "merge_base_commit": shapes.commit(self.history, place, found.merge_base),
            "status": found.status,
            "ahead_by": len(found.shas),
            "behind_by": found.behind,
            "total_commits": len(found.shas),
            "commits": [shapes.commit(self.history, place, sha) for sha in page.body],
            "files": [],
        }
        return Answer(page.status, told, page.headers)

    def _page(self, items: Sequence[Any], query: Query, path: str, usual: int = 30) -> Answer:
        """A page, at most 100 items, with links to its neighbours."""
        size = min(max(_number(query.get("per_page"), usual), 1), max(100, usual))
        number, last = max(_number(query.get("page"), 1), 1), -(-len(items) // size)
        ends = {"prev": number - 1, "next": number + 1, "last": last, "first": 1}
        wanted = {"prev", "first"} if number > 1 else set()
        wanted |= {"next", "last"} if number < last else set()
        links = [
            f'<{self.url}{path}?{urlencode({**query, "page": at})}>; rel="{rel}"'
            for rel, at in ends.items()
            if rel in wanted
        ]
        headers = {"Link": ", ".join(links)} if links else {}
        return Answer(200, list(items[(number - 1) * size : number * size]), headers)


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)")


def _number(text: str | None, usual: int) -> int:
    return int(text) if text is not None and text.isdecimal() else usual
