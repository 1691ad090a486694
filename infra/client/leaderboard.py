"""The API as methods: boards, contributors, work, rules, exports."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import quote

import httpx

from infra.client.connection import Connection, Value, text_of
from infra.client.errors import NotReady
from infra.client.shapes import Job, Json, Row


class Leaderboard(Connection):
    """The API at an address, as ``Connection`` has it.

    Answers are the API's own, as dictionaries; /docs describes them. Filters are its parameters,
    ``class_`` and ``from_`` with an underscore. Lists are iterators that follow ``links.next``, so
    that a board is read from one generation whatever is published meanwhile.
    """

    # --- boards -----------------------------------------------------------------------------

    def board(self, repository: str | None = None, **filters: Value) -> Iterator[Row]:
        """Every row of a board in order, the global one unless a repository is named.

        Filters are window, start, end, class_, sort, order, search, generation, page_size.
        """
        filters.setdefault("page_size", 100)
        return cast("Iterator[Row]", self.items(_board(repository), **filters))

    def board_page(self, repository: str | None = None, **filters: Value) -> Json:
        """A page of a board with ``meta`` (generation, receipt, coverage) and ``links``."""
        return self.get(_board(repository), **filters)

    def changes(self, repository: str | None = None, **filters: Value) -> Iterator[Json]:
        """Who moved between two kept generations: from_, to, window, class_, change."""
        return self.items(f"{_board(repository)}/diff", **filters)

    def compare(self, *repositories: str, **filters: Value) -> Json:
        """Two to five repositories side by side: window, class_, weights, top, generations."""
        found = self.get("/leaderboard/compare", repos=",".join(repositories), **filters)
        return cast("Json", found["data"])

    def coverage(self, repository: str | None = None) -> list[Json]:
        """How complete a board is, in every window."""
        path = "/coverage" if repository is None else f"/coverage/{_name(repository)}"
        return cast("list[Json]", self.get(path)["data"])

    # --- contributors -----------------------------------------------------------------------

    def contributor(self, login: str, **filters: Value) -> Json:
        """Identity, class and why, and places on the boards."""
        return cast("Json", self.get(_person(login), **filters)["data"])

    def places(self, login: str, **filters: Value) -> Iterator[Json]:
        """Somebody's row on each repository's board: window, limit."""
        return self.items(_person(login, "/repositories"), **filters)

    def activity(self, login: str, **filters: Value) -> Json:
        """What somebody did over time: start_date, end_date, group_by, repository."""
        return cast("Json", self.get(_person(login, "/activity"), **filters)["data"])

    def explain(self, login: str, **filters: Value) -> Json:
        """A score down to its events: window, start, end, repository, events."""
        return cast("Json", self.get(_person(login, "/explain"), **filters)["data"])

    # --- work -------------------------------------------------------------------------------

    def repositories(self, **filters: Value) -> Iterator[Json]:
        """Registered repositories by name: status, limit."""
        return self.items("/repositories", **filters)

    def repository(self, name: str) -> Json:
        """A repository and its job; a former name finds it, too."""
        return cast("Json", self.get(f"/repositories/{_name(name)}")["data"])

    def register(self, name: str) -> Json:
        """Register a repository, or find it registered: ``repository`` and ``job``."""
        return cast("Json", self.call("POST", "/repositories", {"repository": name})["data"])

    def refresh(self, name: str, *, full: bool = False) -> Job:
        """Ask for what is new, or for everything anew."""
        path = f"/repositories/{_name(name)}/{'scrape' if full else 'refresh'}"
        return cast("Job", self.call("POST", path)["data"])

    def unregister(self, name: str) -> Json:
        """Remove a repository with its boards. The answer is what it was."""
        return cast("Json", self.call("DELETE", f"/repositories/{_name(name)}")["data"])

    def jobs(self, **filters: Value) -> Iterator[Job]:
        """Jobs, newest first: state, type, repository, limit."""
        return cast("Iterator[Job]", self.items("/jobs", **filters))

    def job(self, id_: str) -> Job:
        """A job as it is now."""
        return cast("Job", self.get(f"/jobs/{quote(id_, safe='')}")["data"])

    def wait(self, job: Job, *, within: float = 900.0, every: float = 2.0) -> Job:
        """The job once it is COMPLETED. Raises NotReady if it ends otherwise, or not in time."""
        ended = ("COMPLETED", "FAILED", "CANCELLED")
        for found in self.watched(lambda: self.job(job["id"]), within, every):
            if found["state"] == "COMPLETED":
                return found
            if found["state"] in ended:
                reason = (found["error"] or {}).get("message", "")
                raise NotReady(f"Job {job['id']} is {found['state']}. {reason}".strip())
        raise NotReady(f"Job {job['id']} has not ended within {within:.0f} seconds.")

    # --- rules, costs, files ----------------------------------------------------------------

    def scoring(self, **filters: Value) -> Json:
        """The rule set in force, or the one of a ``version``."""
        return cast("Json", self.get("/config/scoring", **filters)["data"])

    def preview(self, changes: Json, **options: Any) -> Json:
        """Who would move under other rules: board, window, class_, limit. Publishes nothing."""
        body = {"changes": changes} | {n.rstrip("_"): value for n, value in options.items()}
        return cast("Json", self.call("POST", "/config/scoring/preview", body)["data"])

    def costs(self, **filters: Value) -> Json:
        """What was spent: period, start, end, limit."""
        return cast("Json", self.get("/costs", **filters)["data"])

    def export(
        self,
        file: str | os.PathLike[str],
        type_: Literal["global", "repository", "activity", "costs", "audit"],
        format_: Literal["csv", "json", "ndjson", "xlsx", "parquet"] = "csv",
        *,
        header: bool = False,
        within: float = 900.0,
        **filters: Any,
    ) -> Path:
        """Write an export into a file, which is there whole or not at all.

        A large one is made by a job that is waited for. Raises NotReady as ``wait``.
        """
        given = {name.rstrip("_"): text_of(value) for name, value in filters.items()}
        body = {"type": type_, "format": format_, "header": header, "filters": given}
        answer = self.answered("POST", "/exports", body, {})
        if answer.status_code == httpx.codes.ACCEPTED:
            return _written(Path(file), self._made(answer.json()["data"]["id"], within))
        return _written(Path(file), answer.content)

    def _made(self, export: str, within: float) -> bytes:
        """The file of an export, once there is one. Its link is signed and takes no key."""
        path = f"/exports/{quote(export, safe='')}"
        for found in self.watched(lambda: self.get(path)["data"], within, 2.0):
            if found["state"] == "READY":
                return self.fetched(found["link"])
            if found["state"] != "PENDING":
                raise NotReady(f"Export {export} is {found['state']}. {found['error'] or ''}")
        raise NotReady(f"Export {export} is not ready after {within:.0f} seconds.")


def _board(repository: str | None) -> str:
    return f"/leaderboard/{'global' if repository is None else _name(repository)}"


def _name(repository: str) -> str:
    owner, slash, name = repository.partition("/")
    if not (owner and slash and name):
        raise ValueError(f"A repository is owner/name, not {repository!r}")
    return f"{quote(owner, safe='')}/{quote(name, safe='')}"


def _person(login: str, rest: str = "") -> str:
    return f"/contributors/{quote(login, safe='')}{rest}"


def _written(file: Path, content: bytes) -> Path:
    """Beside the file first, and then in its place."""
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as fresh:
        try:
            fresh.write(content)
            fresh.flush()
            Path(fresh.name).replace(file)
        except BaseException:
            Path(fresh.name).unlink(missing_ok=True)
            raise
    return file
