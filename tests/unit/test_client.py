"""The client of the API: what is asked again, what is raised, and where the key goes."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra import client
from infra.client import (
    BudgetRefused,
    Conflict,
    Forbidden,
    Leaderboard,
    NotFound,
    NotReady,
    Rejected,
    ServerError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unreachable,
)

KEY = "lb_0123abcd_secret"

Answer = Callable[[httpx.Request], httpx.Response] | httpx.Response | Exception


def data(body: Any, following: str | None = None) -> httpx.Response:
    return httpx.Response(200, json={"data": body, "meta": {}, "links": {"next": following}})


def refusal(status: int, **headers: str) -> httpx.Response:
    body = {"error": "code", "message": "Say why.", "details": {"field": "x"}, "request_id": "r1"}
    return httpx.Response(status, json=body, headers=headers)


class Asked:
    """A client whose questions get the given answers in turn; what it asked, and how it waited."""

    def __init__(self, *answers: Answer, **options: Any) -> None:
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []
        self._answers = iter(answers)
        self.api = Leaderboard(
            "http://board.test",
            KEY,
            transport=httpx.MockTransport(self._answer),
            sleep=self.waits.append,
            **options,
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)


def test_a_list_is_followed_to_its_end() -> None:
    asked = Asked(data([{"rank": 1}], "/api/v1/leaderboard/global?page=2"), data([{"rank": 2}]))
    assert [row["rank"] for row in asked.api.board()] == [1, 2]
    assert [str(request.url) for request in asked.requests] == [
        "http://board.test/api/v1/leaderboard/global?page_size=100",
        "http://board.test/api/v1/leaderboard/global?page=2",
    ]
    assert {request.headers["X-API-Key"] for request in asked.requests} == {KEY}


def test_parameters_and_names_are_written_as_addresses_want_them() -> None:
    asked = Asked(data([]), data({}), data([]))
    list(asked.api.changes("octo/engine", from_="a", to=None, class_="all"))
    asked.api.contributor("a b/c?d")
    asked.api.costs(start=date(2025, 3, 20))
    assert [request.url.raw_path.decode() for request in asked.requests] == [
        "/api/v1/leaderboard/octo/engine/diff?from=a&class=all",
        "/api/v1/contributors/a%20b%2Fc%3Fd",
        "/api/v1/costs?start=2025-03-20",
    ]
    with pytest.raises(ValueError, match="owner/name"):
        asked.api.repository("octo")


@pytest.mark.parametrize("status", [429, 503])
def test_what_is_to_be_asked_again_is_asked_when_the_answer_says(status: int) -> None:
    again = {"Retry-After": "7"}
    asked = Asked(refusal(status, **again), refusal(status), data({"name": "octo/engine"}))
    assert asked.api.register("octo/engine") == {"name": "octo/engine"}
    assert asked.waits == [7, 2]
    assert asked.requests[-1].content == b'{"repository":"octo/engine"}'


def test_it_is_not_waited_for_longer_than_was_said() -> None:
    asked = Asked(refusal(429, **{"Retry-After": "40"}), refusal(429, **{"Retry-After": "40"}))
    with pytest.raises(TooManyRequests):
        asked.api.scoring()
    assert asked.waits == [40]
    asked = Asked(*[refusal(503)] * 5)
    with pytest.raises(Unavailable):
        asked.api.scoring()
    assert asked.waits == [1, 2, 4, 8]
    asked = Asked(refusal(503), patience=0)
    with pytest.raises(Unavailable):
        asked.api.scoring()


def test_a_broken_connection_is_tried_again_unless_something_may_have_been_done() -> None:
    asked = Asked(httpx.ReadTimeout("slow"), data({"rules": {}}))
    assert asked.api.scoring() == {"rules": {}}
    asked = Asked(httpx.ReadTimeout("slow"))
    with pytest.raises(Unreachable):
        asked.api.register("octo/engine")
    asked = Asked(httpx.ConnectError("refused"), data({}))
    assert asked.api.register("octo/engine") == {}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Rejected), (401, Unauthenticated), (402, BudgetRefused), (403, Forbidden),
        (404, NotFound), (409, Conflict), (413, Rejected), (415, Rejected), (500, ServerError),
    ],
)  # fmt: skip
def test_errors_have_types_and_say_what_the_answer_says(
    status: int, error: type[client.ApiError]
) -> None:
    with pytest.raises(error) as raised:
        Asked(refusal(status)).api.scoring()
    found = raised.value
    assert type(found) is error
    assert (found.status, found.code, found.details) == (status, "code", {"field": "x"})
    assert str(found) == f"Say why. ({status} code, request r1)"


def test_what_a_proxy_says_is_an_error_as_well() -> None:
    with pytest.raises(ServerError, match="502 Bad Gateway"):
        Asked(httpx.Response(502, text="<html>")).api.scoring()


def test_the_key_goes_to_no_other_server_and_stands_in_no_error() -> None:
    moved = httpx.Response(308, headers={"Location": "/api/v1/repositories/octo/motor"})
    asked = Asked(moved, data({"repository": {"name": "octo/motor"}}))
    assert asked.api.repository("octo/engine")["repository"]["name"] == "octo/motor"
    for elsewhere in ("http://other.test/x", "//other.test/x", "https://board.test/x"):
        asked = Asked(httpx.Response(308, headers={"Location": elsewhere}))
        with pytest.raises(ServerError, match="another server") as raised:
            asked.api.repository("octo/engine")
        assert len(asked.requests) == 1
        assert KEY not in f"{raised.value!r}{asked.api!r}"
        asked = Asked(data([{}], elsewhere))
        with pytest.raises(ServerError, match="another server"):
            list(asked.api.board())


def test_a_job_is_waited_for_and_what_it_failed_of_is_told() -> None:
    def job(state: str, **more: Any) -> httpx.Response:
        return data({"id": "j1", "state": state, "error": None, **more})

    asked = Asked(job("QUEUED"), job("QUEUED"), job("RUNNING"), job("COMPLETED"))
    assert asked.api.wait(asked.api.refresh("octo/engine"))["state"] == "COMPLETED"
    assert asked.waits == [2, 2]
    asked = Asked(job("FAILED", error={"message": "GitHub is gone."}))
    with pytest.raises(NotReady, match=r"FAILED\. GitHub is gone"):
        asked.api.wait({"id": "j1"})  # type: ignore[typeddict-item]
    asked = Asked(*[job("RUNNING")] * 3)
    with pytest.raises(NotReady, match="within 4 seconds"):
        asked.api.wait({"id": "j1"}, within=4)  # type: ignore[typeddict-item]


def test_an_export_is_written_whole_and_its_link_gets_no_key(tmp_path: Path) -> None:
    def export(state: str, link: str | None = None) -> httpx.Response:
        return data({"id": "e1", "state": state, "link": link, "error": None})

    accepted = httpx.Response(202, json={"data": {"id": "e1"}})
    file = httpx.Response(200, content=b"rank\n1\n")
    asked = Asked(accepted, export("PENDING"), export("READY", "http://blobs.test/e1?s=1"), file)
    written = asked.api.export(tmp_path / "board.csv", "global", class_="all", start=None)
    assert written.read_bytes() == b"rank\n1\n"
    assert b'"class":"all"' in asked.requests[0].content
    assert asked.requests[-1].url.host == "blobs.test"
    assert "X-API-Key" not in asked.requests[-1].headers
    asked = Asked(accepted, export("FAILED"))
    with pytest.raises(NotReady, match="FAILED"):
        asked.api.export(tmp_path / "other.csv", "global")
    assert [path.name for path in tmp_path.iterdir()] == ["board.csv"]


def imported() -> Iterator[str]:
    for path in Path(client.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                yield str(node.module)
            elif isinstance(node, ast.Import):
                yield from (name.name for name in node.names)


def test_it_needs_httpx_and_nothing_else_of_the_project() -> None:
    for name in imported():
        assert (
            name.startswith("infra.client")
            or name == "httpx"
            or name.split(".")[0] in sys.stdlib_module_names
        ), name
