"""GraphQL operations: errors told apart, and pages that shrink until GitHub can finish them."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from infra.github import queries
from infra.github.answers import Answer, Question
from infra.github.transport import TooLarge, Transport
from shared.errors import LeaderboardError, NotFound, Rejected, RetryLater
from shared.github import AccessRefused, BadCursor, Blocked
from shared.request_budget import RequestBudget

PAGE_SIZES: Mapping[str, int] = {"pulls": 50, "issues": 100, "history": 100, "reviews": 100}

PATIENCE = timedelta(seconds=90)
"""How long pages are made smaller for. GitHub gives up on each after ten seconds."""

_MOST_LISTS = 256
"""For how many lists an instance remembers that only small pages went through."""

_TOO_MUCH = frozenset({"RESOURCE_LIMITS_EXCEEDED", "MAX_NODE_LIMIT_EXCEEDED", "TIMEOUT"})
_LIMITED = frozenset({"RATE_LIMITED", "RATE_LIMIT"})
_TIMED_OUT = re.compile(r"something went wrong|timeout|timed out", re.IGNORECASE)

log = structlog.get_logger()

Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Errors:
    """The errors of an answer: their types, and all that was said."""

    types: frozenset[str]
    said: str

    @property
    def too_much(self) -> bool:
        return bool(self.types & _TOO_MUCH) or bool(_TIMED_OUT.search(self.said))


class GraphQL:
    """Asks operations of ``infra/github/queries``. Safe in any number of threads."""

    def __init__(
        self, transport: Transport, budget: RequestBudget, now: Callable[[], datetime]
    ) -> None:
        self._transport = transport
        self._budget = budget
        self._now = now
        self._sizes: OrderedDict[tuple[str, object], int] = OrderedDict()
        self._lock = threading.Lock()

    def ask(
        self, operation: str, variables: Data, what: str, *, text: str = "", shrinks: bool = False
    ) -> Data:
        """The data of an answer; parts that GitHub kept back are null in it.

        Raises NotFound, Blocked, AccessRefused, BadCursor, Rejected, RetryLater, and TooLarge where
        the question can be made smaller.
        """
        body = {"query": text or queries.text(operation), "variables": dict(variables)}
        # Within one request, so that a limit is noted for the step that hit it.
        with self._budget.request():
            answer = self._transport.post(
                "/graphql", body, Question(what, "graphql", shrinks=shrinks), _cost
            )
            found = answer.json()
            if not isinstance(found, dict):
                raise RetryLater(f"GitHub's answer to {what} is no object.")
            data = found.get("data")
            if found.get("errors"):
                self._look_at(answer, found["errors"], data, what, shrinks=shrinks)
            if not isinstance(data, dict):
                raise RetryLater(f"GitHub answered nothing to {what}.")
            return data

    def page(self, operation: str, variables: Data, cursor: str | None, what: str) -> Data:
        """The data of a page of a list, in as few items as GitHub needs to finish it.

        Once it had to be smaller, it stays small for the rest of that list. Raises as ``ask`` does.
        """
        key = operation, variables["repository"]
        size = self._size(key, anew=cursor is None)
        started = self._now()
        while True:
            asked = {**variables, "first": size, "after": cursor}
            try:
                return self.ask(operation, asked, what, shrinks=size > 1)
            except TooLarge:
                size = max(1, size // 2)
                self._remember(key, size)
                log.info("github_page_shrinks", operation=operation, size=size)
            if self._now() - started > PATIENCE:
                raise RetryLater(f"GitHub takes too long for {what}.")

    # --- how --------------------------------------------------------------------------------

    def _look_at(
        self, answer: Answer, raw: object, data: object, what: str, *, shrinks: bool
    ) -> None:
        """Raise what the errors mean, or log them where they concern single items only."""
        errors = _read(raw)
        if errors.types & _LIMITED:
            told = answer.told("graphql")
            if told is not None and told.remaining == 0 and told.resets_at > self._now():
                raise self._budget.used_up("graphql", told.resets_at)
            raise self._budget.asked_to_slow_down(None)
        if errors.too_much and shrinks:
            raise TooLarge
        node = data.get("node") if isinstance(data, dict) else None
        listed = isinstance(data, dict) and ("nodes" in data or node is not None)
        if "INVALID_CURSOR_ARGUMENTS" in errors.types or "valid cursor" in errors.said:
            raise BadCursor(f"GitHub does not take the cursor of {what} (any more).")
        if not listed:
            raise _meaning(errors, what)
        log.warning(
            "github_items_kept_back", what=what, types=sorted(errors.types), errors=len(_list(raw))
        )

    def _size(self, key: tuple[str, object], *, anew: bool) -> int:
        with self._lock:
            if anew:
                self._sizes.pop(key, None)
            return self._sizes.get(key, PAGE_SIZES[key[0]])

    def _remember(self, key: tuple[str, object], size: int) -> None:
        with self._lock:
            self._sizes[key] = size
            self._sizes.move_to_end(key)
            while len(self._sizes) > _MOST_LISTS:
                self._sizes.popitem(last=False)


def _meaning(errors: _Errors, what: str) -> LeaderboardError:
    """What errors mean that leave nothing of the answer."""
    if "access blocked" in errors.said.lower():
        return Blocked(f"GitHub withholds {what}.")
    if "NOT_FOUND" in errors.types:
        return NotFound(
            f"GitHub has no {what}: it does not exist or is private. GitHub does not say which."
        )
    if errors.types & {"FORBIDDEN", "INSUFFICIENT_SCOPES"}:
        return AccessRefused(f"GitHub does not let these credentials read {what}.")
    if errors.too_much or not errors.types:
        return RetryLater(f"GitHub could not work out {what}.")
    return Rejected(
        f"GitHub does not answer {what}: {errors.said[:200]}",
        details={"types": sorted(errors.types)},
    )


def _list(raw: object) -> list[dict[str, Any]]:
    return [each for each in raw if isinstance(each, dict)] if isinstance(raw, list) else []


def _read(raw: object) -> _Errors:
    """Errors of a query that GitHub does not understand have a code in place of a type."""
    types, said = set(), []
    for error in _list(raw):
        extensions = error.get("extensions")
        code = extensions.get("code") if isinstance(extensions, dict) else None
        if error.get("type") or code:
            types.add(str(error.get("type") or code))
        said.append(str(error.get("message", "")))
    return _Errors(frozenset(types), " ".join(said))


def _cost(answer: Answer) -> int | None:
    """The points that an answer says it cost. Raises nothing: who reads on complains."""
    try:
        rate = answer.json()["data"]["rateLimit"]
        return int(rate["cost"])
    except (RetryLater, LookupError, TypeError, ValueError):
        return None
