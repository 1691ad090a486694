"""Bad input through every parameter, and the shape of every error."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from shared.auth import Role
from shared.context import Services
from shared.errors import IntegrityError, RetryLater
from tests.functions.conftest import World
from tests.support.api_client import ApiClient
from tests.support.apps import app_over

BOARD = "/api/v1/leaderboard/octo/engine"
EXPLAIN = "/api/v1/contributors/ana/explain"
ACTIVITY = "/api/v1/contributors/ana/activity"
COMPARE = "/api/v1/leaderboard/compare"
BOTH = f"{COMPARE}?repos=octo/engine,octo/wheels"

BAD_QUERIES = [
    (f"{BOARD}?page=0", "page", "greater than or equal to 1"),
    (f"{BOARD}?page=1001", "page", "less than or equal to 1000"),
    (f"{BOARD}?page=one", "page", "integer"),
    (f"{BOARD}?page=1.5", "page", "integer"),
    (f"{BOARD}?page=999999999999999999999999999", "page", "1000"),
    (f"{BOARD}?page_size=0", "page_size", "greater than or equal to 1"),
    (f"{BOARD}?page_size=101", "page_size", "less than or equal to 100"),
    (f"{BOARD}?sort=charm", "sort", "rank, score, username, COMMIT"),
    (f"{BOARD}?order=up", "order", "asc, desc"),
    (f"{BOARD}?window=1y", "window", "all, 365d, 90d, 30d, 7d"),
    (f"{BOARD}?class=robot", "class", "human, bot, agent, all"),
    (f"{BOARD}?search={'x' * 101}", "search", "at most 100 characters"),
    (f"{BOARD}?generation=latest", "generation", "pattern"),
    (f"{BOARD}?page=1&page=2", "page", "Give it once"),
    (f"{BOARD}?color=red", "color", "There are: window, start, end, page"),
    ("/api/v1/leaderboard/octo~engine/x", "repository", "owner/name"),
    ("/api/v1/leaderboard/octo/en%00gine", "repository", "owner/name"),
    ("/api/v1/leaderboard/-/%2e%2e", "repository", "owner/name"),
    ("/api/v1/repositories/oc%20to/engine", "repository", "owner/name"),
    ("/api/v1/coverage/o/%F0%9F%98%80", "repository", "owner/name"),
    ("/api/v1/coverage?deep=1", "deep", "It takes none"),
    ("/api/v1/repositories?status=HAPPY", "status", "PENDING"),
    ("/api/v1/repositories?limit=0", "limit", "greater than or equal to 1"),
    ("/api/v1/repositories?cursor=abc", "cursor", "next"),
    ("/api/v1/jobs?state=LOST", "state", "QUEUED"),
    ("/api/v1/jobs?type=nap", "type", "full_scrape"),
    ("/api/v1/jobs?repository=engine", "repository", "owner/name"),
    ("/api/v1/jobs?cursor=%F0%9F%98%80", "cursor", "next"),
    ("/api/v1/jobs?limit=101", "limit", "less than or equal to 100"),
    (f"{EXPLAIN}?events=101", "events", "less than or equal to 100"),
    (f"{EXPLAIN}?events=-1", "events", "greater than or equal to 0"),
    (f"{EXPLAIN}?repository=engine", "repository", "owner/name"),
    (f"{EXPLAIN}?window=1d", "window", "all, 365d"),
    (f"{EXPLAIN}?start=2025-01-02&end=2025-01-01", "end", "later than start"),
    ("/api/v1/contributors/ana?window=custom", "window", "all, 365d"),
    (f"/api/v1/contributors/{'x' * 101}", "login", "at most 100 characters"),
    (f"/api/v1/contributors/{'x' * 301}/explain", "login", "at most"),
    (COMPARE, "repos", "Add it"),
    (f"{COMPARE}?repos=octo/engine", "repos", "2 to 5"),
    (f"{COMPARE}?repos=a/b,a/c,a/d,a/e,a/f,a/g", "repos", "These are 6"),
    (f"{COMPARE}?repos=octo/engine,OCTO/Engine", "repos", "named twice"),
    (f"{COMPARE}?repos=octo/engine,", "repository", "owner/name"),
    (f"{COMPARE}?repos=octo/engine,octo/wh%27eels", "repository", "owner/name"),
    (f"{COMPARE}?repos={'o/r,' * 300}", "repos", "at most 1000 characters"),
    (f"{BOTH}&top=26", "top", "less than or equal to 25"),
    (f"{BOTH}&weights=1", "weights", "each of the 2"),
    (f"{BOTH}&weights=1,-1", "weights", "0 to 100"),
    (f"{BOTH}&weights=1,101", "weights", "0 to 100"),
    (f"{BOTH}&weights=0,0", "weights", "not 0 for all"),
    (f"{BOTH}&weights=1,\u0663", "weights", "0 to 100"),
    (f"{BOTH}&generations={'0' * 24}", "generations", "each of the 2"),
    (f"{BOTH}&window=1y", "window", "all, 365d"),
    (f"{BOARD}/diff?from=latest", "from", "pattern"),
    (f"{BOARD}/diff?change=moved", "change", "changed, entered, left"),
    (f"{BOARD}/diff?page_size=101", "page_size", "less than or equal to 100"),
    (f"{ACTIVITY}?group_by=year", "group_by", "day, week, month"),
    (f"{ACTIVITY}?start_date=2025-03-32", "start_date", "2025-03-20"),
    (f"{ACTIVITY}?start_date=20250301T00", "start_date", "2025-03-20"),
    (f"{ACTIVITY}?end_date=9999-12-31", "end_date", "Nothing is known"),
    (f"{ACTIVITY}?start_date=2025-03-02&end_date=2025-03-01", "end_date", "before start_date"),
    (f"{ACTIVITY}?start_date=2014-12-31", "start_date", "Begin there or later"),
    (f"{ACTIVITY}?start_date=2015-01-01&end_date=2099-01-01", "end_date", "too long"),
    (f"{ACTIVITY}?start_date=2015-01-01&group_by=day", "group_by", "something longer"),
    (f"{ACTIVITY}?repository=engine", "repository", "owner/name"),
    ("/api/v1/contributors/ana/repositories?window=1d", "window", "all, 365d"),
    (f"/api/v1/contributors/{'x' * 101}/repositories", "login", "at most 100 characters"),
]


@pytest.mark.parametrize(("address", "field", "remedy"), BAD_QUERIES)
def test_bad_input_is_refused_with_the_field_and_the_remedy(
    api: ApiClient, address: str, field: str, remedy: str
) -> None:
    answer = api.get(address)
    assert answer.status_code == 400
    body = answer.get_json()
    assert body["error"] == "invalid_request"
    assert body["details"]["field"] == field
    assert remedy in body["message"]
    assert body["request_id"] == answer.headers["X-Request-ID"]


BAD_BODIES = [
    (b"", "application/json", 400, "body", "Send a JSON object with: repository"),
    (b"{", "application/json", 400, "body", "not JSON"),
    (b"[]", "application/json", 400, "body", "JSON object"),
    (b"null", "application/json", 400, "body", "JSON object"),
    (b"\xff\xfe", "application/json", 400, "body", "not JSON"),
    (b'"' + b"[" * 5000, "application/json", 400, "body", "not JSON"),
    (b"[" * 100_000, "application/json", 400, "body", "not JSON"),
    (b"{}", "application/json", 400, "body", "Send one of"),
    (b'{"repository": 5}', "application/json", 400, "repository", "string"),
    (b'{"repository": "engine"}', "application/json", 400, "repository", "owner/name"),
    (b'{"repository": "a/b", "x": 1}', "application/json", 400, "x", "Leave it out"),
    (b'{"repository": "' + b"a" * 400 + b'"}', "application/json", 400, "repository", "200"),
    (b'{"repository": "a/b\\ud800"}', "application/json", 400, "body", "not JSON"),
    (b"repository=a/b", "application/x-www-form-urlencoded", 415, None, "application/json"),
    (b'{"repository": "a/b"}', "text/plain", 415, None, "application/json"),
    (b" " * (1 << 20) + b"{}", "application/json", 413, None, "Send less"),
]


@pytest.mark.parametrize(("raw", "type_", "status", "field", "remedy"), BAD_BODIES)
def test_a_bad_body_is_refused_with_the_field_and_the_remedy(
    team: World, raw: bytes, type_: str, status: int, field: str | None, remedy: str
) -> None:
    client = team.client(team.key(Role.ADMIN))
    answer = client.call("POST", "/api/v1/repositories", data=raw, content_type=type_)
    assert answer.status_code == status, answer.text
    body = answer.get_json()
    assert body["details"].get("field") == field
    assert remedy in body["message"]


@pytest.mark.parametrize(
    ("method", "address", "status", "error"),
    [
        ("GET", "/api/v1", 404, "not_found"),
        ("GET", "/api/v1/leaderboards/global", 404, "not_found"),
        ("GET", "/api/v1/leaderboard/no/body", 404, "not_found"),
        ("GET", "/api/v1/repositories/no/body", 404, "not_found"),
        ("GET", "/api/v1/coverage/no/body", 404, "not_found"),
        ("GET", "/api/v1/contributors/nobody", 404, "not_found"),
        ("GET", "/api/v1/contributors/nobody/explain", 404, "not_found"),
        ("GET", f"{EXPLAIN}?repository=no/body", 404, "not_found"),
        ("GET", "/api/v1/jobs/none", 404, "not_found"),
        ("GET", "/api/v1/jobs/..%2f..", 404, "not_found"),
        ("GET", "/api/v1/jobs/__all__", 404, "not_found"),
        ("GET", f"{BOARD}?generation={'0' * 24}", 404, "not_found"),
        ("PUT", "/api/v1/repositories", 405, "method_not_allowed"),
        ("POST", BOARD, 405, "method_not_allowed"),
        ("BREW", BOARD, 405, "method_not_allowed"),
    ],
)
def test_what_does_not_exist_is_said_in_the_same_shape(
    api: ApiClient, method: str, address: str, status: int, error: str
) -> None:
    answer = api.call(method, address)
    assert answer.status_code == status
    assert answer.mimetype == "application/json"
    assert answer.get_json()["error"] == error
    assert set(answer.get_json()) == {"error", "message", "details", "request_id"}


def test_a_wrong_method_is_told_the_right_ones(api: ApiClient) -> None:
    assert "GET" in api.call("PATCH", BOARD).headers["Allow"]
    both = api.call("PUT", "/api/v1/repositories").headers["Allow"]
    assert "GET" in both
    assert "POST" in both


def failing(services: Services, error: Exception) -> ApiClient:
    class Broken:
        def get(self, *_paths: str) -> None:
            raise error

        def query(self, _query: object) -> None:
            raise error

    broken = replace(services, documents=Broken())  # type: ignore[arg-type]
    return ApiClient(app_over(lambda: broken))


def test_what_is_unexpected_shows_nothing_of_the_inside(team: World) -> None:
    client = failing(team.services, ValueError("secret of the inside"))
    with capture_logs() as logs:
        answer = client.get("/api/v1/config/scoring", headers={"X-Request-ID": "find-me"})
    assert answer.status_code == 500
    body = answer.get_json()
    assert body["error"] == "internal_error"
    assert body["request_id"] == "find-me"
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    (failed,) = [line for line in logs if line["event"] == "request_failed"]
    assert failed["exc_info"]
    assert "secret" in failed["reason"]


def test_contradicting_data_is_an_error_of_ours(team: World) -> None:
    answer = failing(team.services, IntegrityError("board_parts/x is not what was written")).get(
        "/api/v1/repositories/octo/engine"
    )
    assert answer.status_code == 500
    assert answer.get_json()["error"] == "integrity_error"


def test_a_passing_failure_says_when_to_come_back(team: World) -> None:
    answer = failing(team.services, RetryLater("The document store is busy. Try again.")).get(
        "/api/v1/repositories"
    )
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.get_json()["error"] == "temporarily_unavailable"


def test_every_problem_of_a_query_is_in_the_details(api: ApiClient) -> None:
    body = api.get(f"{BOARD}?page=0&page_size=x&sort=charm").get_json()
    assert [problem["field"] for problem in body["details"]["problems"]] == [
        "page",
        "page_size",
        "sort",
    ]


def test_markup_in_bad_input_stays_json(api: ApiClient) -> None:
    answer = api.get("/api/v1/jobs?state=%3Cscript%3Ealert(1)%3C/script%3E")
    assert answer.mimetype == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert json.loads(answer.data)["details"]["field"] == "state"
