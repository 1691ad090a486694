"""The stand-in for GitHub in its own process, for tests: start it, tell it things, read its log.

    with github(busy(200), allowance=300) as bench:
        client = ...(bench.url, TOKEN)
        bench.tell("merge", "octo/engine", 12, "ana", "2026-03-30T09:00:00Z")
        bench.fault(operation="Pulls", status=502, after=2)
        bench.control("leave", resource="graphql", remaining=10)
        assert [each["refused"] for each in bench.requests()] == [None]

Histories are in ``github_story.py``, verbs in ``github_history.py``, options and faults in
``github_limits.py``, what can be controlled in ``github_server.CONTROL``, and archive files of the
same history in ``github_doors.py``.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.github_history import History
from tests.support.github_limits import Options
from tests.support.github_story import NOW, story

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "test-token"


class GitHubBench:
    """A stand-in that runs. ``url`` is the root of its REST; GraphQL is below, at ``/graphql``.

    ``history`` is the same here as there: ``tell`` lets a verb of ``History`` happen in both.
    """

    def __init__(self, history: History | None = None, **options: Any) -> None:
        self.history = history or story()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.github_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump((self.history, Options(**{"now": NOW, **options})), self._process.stdin)
        self._process.stdin.flush()
        self.port = int(self._process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"
        self._client = httpx.Client(base_url=self.url, verify=False)

    @property
    def pid(self) -> int:
        return self._process.pid

    def control(self, what: str, /, **told: Any) -> Any:
        """One of ``github_server.CONTROL``. Raises HTTPStatusError for anything else."""
        answer = self._client.post(f"/_control/{what}", json=told)
        answer.raise_for_status()
        return answer.json()

    def tell(self, verb: str, /, *args: Any, **told: Any) -> Any:
        """Let something happen (a verb of ``History``). Returns what it returns."""
        returned = getattr(self.history, verb)(*args, **told)
        there = self.control("tell", verb=verb, args=args, told=told)
        assert there == returned
        return returned

    def requests(self) -> list[dict[str, Any]]:
        """What was asked so far: the fields of ``github_server.Request``."""
        found: list[dict[str, Any]] = self.control("requests")
        return found

    def advance(self, seconds: float) -> str:
        """Lets the clock go on. Returns the time it shows."""
        now: str = self.control("clock", advance=seconds)
        return now

    def fault(self, **told: Any) -> None:
        """The next request (or some) goes wrong: the fields of ``github_limits.Fault``."""
        self.control("fault", **told)

    def close(self) -> None:
        """Ends the process, by its id."""
        self._client.close()
        self._process.kill()
        self._process.communicate()


@contextmanager
def github(history: History | None = None, **options: Any) -> Iterator[GitHubBench]:
    """A stand-in of a test's own."""
    bench = GitHubBench(history, **options)
    try:
        yield bench
    finally:
        bench.close()
