"""Requests to GitHub: what is sent, repeated and followed, and what each answer means."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from infra.github.client import GitHubClient
from infra.github.credentials import Nobody, Token
from infra.github.transport import Waiting
from shared.breaker import FAILURES, PAUSE, Breaker
from shared.errors import AllowanceWaits, LeaderboardError, NotFound, Rejected, RetryLater
from shared.github import AccessRefused, BadCursor, Blocked
from shared.ports import Query
from tests.support.fast_folder import fast_folder
from tests.support.github_answers import rest_comment, rest_repository
from tests.support.github_wire import TOKEN, URL, Wire, reply
from tests.support.receiver import receiver

NAME = "octo/engine"


@pytest.fixture
def wire() -> Iterator[Wire]:
    with fast_folder() as folder:
        yield Wire(folder)


def reset_in(wire: Wire, minutes: int) -> str:
    return str(int((wire.clock() + timedelta(minutes=minutes)).timestamp()))


# --- what is sent -------------------------------------------------------------------------------


def test_a_request_says_who_asks_and_for_which_version(wire: Wire) -> None:
    wire.answers(reply(rest_repository()))
    wire.client.repository(NAME)
    headers = wire.last.headers
    assert str(wire.last.url) == f"{URL}/repos/octo/engine"
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["x-github-api-version"] == "2026-03-10"
    assert headers["accept"] == "application/vnd.github+json"
    assert headers["user-agent"] == "contributor-leaderboard"


@pytest.mark.parametrize("name", ["octo", "octo/..", "./engine", "a/b/c", "/", ""])
def test_what_is_no_name_is_never_asked_for(wire: Wire, name: str) -> None:
    with pytest.raises(Rejected):
        wire.client.repository(name)
    assert wire.asked == []


def test_names_cannot_leave_their_place_in_the_address(wire: Wire) -> None:
    wire.answers(reply(status=404))
    with pytest.raises(NotFound):
        wire.client.repository("octo/engine?x=1#y")
    assert wire.last.url.raw_path == b"/repos/octo/engine%3Fx%3D1%23y"


def test_a_token_is_sent_encrypted_or_to_this_machine_only(wire: Wire) -> None:
    with pytest.raises(Rejected, match="https"):
        wire.another(Token(TOKEN), "http://api.github.test")
    wire.another(Token(TOKEN), "http://127.0.0.1:8080")


# --- repeats ------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [reply(status=500), reply(status=503), reply(status=502),
                                     httpx.ReadTimeout(""), httpx.ConnectError("")])  # fmt: skip
def test_what_may_pass_is_asked_again_after_growing_waits(
    wire: Wire, failure: httpx.Response | Exception
) -> None:
    wire.answers(failure, failure, failure, reply(rest_repository()))
    assert wire.client.repository(NAME).id == 42
    assert wire.slept == [1, 2, 4]


def test_after_a_few_attempts_the_caller_is_told_to_come_back(wire: Wire) -> None:
    wire.answers(reply(status=500))
    with pytest.raises(RetryLater, match=r"octo/engine.*500"):
        wire.client.repository(NAME)
    assert len(wire.asked) == 4


def test_slow_failures_are_not_repeated_for_longer_than_half_a_minute(wire: Wire) -> None:
    def slow(request: httpx.Request) -> httpx.Response:
        wire.clock.advance(timedelta(seconds=15))
        raise httpx.ReadTimeout("", request=request)

    wire.answers(slow)
    with pytest.raises(RetryLater, match="ReadTimeout"):
        wire.client.repository(NAME)
    assert len(wire.asked) == 2


def test_a_service_that_fails_again_and_again_is_left_alone_and_then_probed(wire: Wire) -> None:
    wire.answers(reply(status=500))
    for _ in range(FAILURES):
        with pytest.raises(RetryLater):
            wire.client.repository(NAME)
    asked = len(wire.asked)
    with pytest.raises(RetryLater, match="left alone") as caught:
        wire.client.repository(NAME)
    assert len(wire.asked) == asked
    assert caught.value.not_before is not None
    wire.clock.advance(PAUSE)
    wire.answers(reply(rest_repository()))
    wire.client.repository(NAME)
    wire.client.repository(NAME)


@pytest.mark.parametrize("answer", [
    reply(status=404), reply(status=451), reply(status=401),
    reply(status=403, headers={"retry-after": "1"}), reply(status=429),
])  # fmt: skip
def test_limits_and_refusals_are_no_failures_of_the_service(
    wire: Wire, answer: httpx.Response
) -> None:
    wire.answers(answer)
    for _ in range(FAILURES + 1):
        with pytest.raises(LeaderboardError) as caught:
            wire.client.repository(NAME)
        assert "left alone" not in caught.value.message
        wire.clock.advance(timedelta(hours=1))
    wire.answers(reply(rest_repository()))
    wire.client.repository(NAME)


# --- what answers mean --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (reply(status=404), NotFound, r"octo/engine.*does not exist or is private"),
        (reply(status=451), Blocked, "legal"),
        (reply({"message": "Repository access blocked"}, 403), Blocked, "withholds"),
        (reply({"message": "Resource not accessible by integration"}, 403), AccessRefused, "read"),
        (reply({"message": "Bad credentials"}, 401), AccessRefused, "GITHUB_TOKEN"),
        (reply({"message": "Git Repository is empty."}, 409), NotFound, "nothing yet"),
        (reply({"message": "pagination is limited"}, 422), BadCursor, "that far"),
        (reply({"message": "Validation Failed"}, 422), Rejected, "422"),
        (reply({"message": "unsupported version"}, 410), Rejected, "410"),
        (httpx.Response(200, text="<html>"), RetryLater, "no JSON"),
        (reply({"id": 1}), RetryLater, "shape"),
        (reply(rest_repository(private=True)), NotFound, "private"),
    ],
)
def test_every_answer_has_a_meaning_of_its_own(
    wire: Wire, answer: httpx.Response, kind: type[LeaderboardError], words: str
) -> None:
    wire.answers(answer)
    with pytest.raises(LeaderboardError, match=words) as caught:
        wire.client.repository(NAME)
    assert type(caught.value) is kind
    assert len(wire.asked) == 1


def test_what_github_is_still_working_out_is_asked_for_soon_again(wire: Wire) -> None:
    wire.answers(reply(status=202))
    with pytest.raises(RetryLater) as caught:
        wire.client.repository(NAME)
    assert caught.value.not_before == wire.clock() + timedelta(seconds=10)


@pytest.mark.parametrize("status", [403, 429])
def test_a_used_up_allowance_stops_everybody_until_the_reset(wire: Wire, status: int) -> None:
    limits = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "0"}
    wire.answers(reply(status=status, headers=limits | {"x-ratelimit-reset": reset_in(wire, 20)}))
    other = wire.another(Token(TOKEN))
    renewal = wire.clock() + timedelta(minutes=20, seconds=1)
    for client in (wire.client, other, wire.client):
        with pytest.raises(AllowanceWaits) as caught:
            client.repository(NAME)
        assert caught.value.not_before == renewal
    assert len(wire.asked) == 1
    wire.clock.now = renewal
    wire.answers(reply(rest_repository()))
    other.repository(NAME)


@pytest.mark.parametrize("status", [403, 429])
def test_a_secondary_limit_is_obeyed_by_all_and_for_everything(wire: Wire, status: int) -> None:
    wire.answers(reply(status=status, headers={"retry-after": "90"}))
    with pytest.raises(AllowanceWaits) as caught:
        wire.client.repository(NAME)
    assert caught.value.not_before == wire.clock() + timedelta(seconds=91)
    with pytest.raises(AllowanceWaits):
        wire.another(Token(TOKEN)).states(["R_42"])
    assert len(wire.asked) == 1


@pytest.mark.parametrize("message", [
    "You have exceeded a secondary rate limit. Please wait.",
    "You have triggered an abuse detection mechanism.", "API rate limit exceeded",
])  # fmt: skip
def test_a_limit_that_names_no_end_is_waited_out_for_a_minute(wire: Wire, message: str) -> None:
    wire.answers(reply({"message": message}, 403))
    with pytest.raises(AllowanceWaits) as caught:
        wire.client.repository(NAME)
    assert caught.value.not_before == wire.clock() + timedelta(minutes=1)


def test_what_is_left_of_another_resource_is_not_mistaken_for_ones_own(wire: Wire) -> None:
    limits = {"x-ratelimit-limit": "30", "x-ratelimit-remaining": "0",
              "x-ratelimit-resource": "search", "x-ratelimit-reset": reset_in(wire, 1)}  # fmt: skip
    wire.answers(reply(rest_repository(), headers=limits))
    for _ in range(3):
        wire.client.repository(NAME)
    assert remaining(wire) == {"5000": 4997}


# --- redirects ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_moved_repository_is_found_where_it_is_now(wire: Wire, status: int) -> None:
    moved = reply(status=status, headers={"location": f"{URL}/repositories/42"})
    wire.answers(moved, reply(rest_repository(full_name="new/name")))
    assert wire.client.repository(NAME).name == "new/name"
    assert wire.last.url.path == "/repositories/42"


@pytest.mark.parametrize("query", ["", "?page=2&per_page=100"])
def test_a_page_of_a_moved_repository_is_the_page_that_was_asked_for(
    wire: Wire, query: str
) -> None:
    moved = reply(status=301, headers={"location": f"{URL}/repositories/42/comments{query}"})
    wire.answers(moved, reply([]))
    wire.client.commit_comments(NAME, 2)
    assert dict(wire.last.url.params) == {"page": "2", "per_page": "100"}
    assert wire.last.url.path == "/repositories/42/comments"


@pytest.mark.parametrize("location", [
    "https://elsewhere.test/repositories/42", "http://api.github.test/x", "//elsewhere.test/",
    "https://api.github.test:8443/",
])  # fmt: skip
def test_no_redirect_leads_to_another_host(wire: Wire, location: str) -> None:
    wire.answers(reply(status=301, headers={"location": location}))
    with pytest.raises(Rejected, match="another host"):
        wire.client.repository(NAME)
    assert len(wire.asked) == 1


def test_redirects_end_after_three(wire: Wire) -> None:
    wire.answers(reply(status=301, headers={"location": "/again"}))
    with pytest.raises(Rejected, match="too often"):
        wire.client.repository(NAME)
    assert len(wire.asked) == 4


# --- what did not change ------------------------------------------------------------------------


def remaining(wire: Wire) -> dict[str, int]:
    """What is left of the allowances, by what is granted."""
    found = wire.documents.query(Query("request_budgets")).documents
    return {str(d.fields["limit"]): int(str(d.fields["remaining"])) for d in found}


def test_what_did_not_change_is_not_sent_again_and_costs_nothing(wire: Wire) -> None:
    kept = reply(rest_repository(), headers={"etag": 'W/"1"'})
    wire.answers(kept, reply(status=304), kept)
    first = wire.client.repository(NAME)
    before = remaining(wire)
    assert wire.client.repository(NAME) == first
    assert wire.last.headers["if-none-match"] == 'W/"1"'
    assert remaining(wire) == before
    assert wire.client.repository(NAME) == first


def test_without_a_token_what_did_not_change_costs_too(wire: Wire) -> None:
    client = wire.another(Nobody())
    wire.answers(reply(rest_repository(), headers={"etag": '"1"'}), reply(status=304))
    client.repository(NAME)
    client.repository(NAME)
    assert remaining(wire) == {"60": 58}


def test_every_page_is_kept_by_itself(wire: Wire) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        number = request.url.params["page"]
        if request.headers.get("if-none-match") == f'"{number}"':
            return reply(status=304)
        return reply([rest_comment(int(number))], headers={"etag": f'"{number}"'})

    wire.answers(page)
    for _ in range(2):
        for number in (1, 2, 3):
            (found,) = wire.client.comments(NAME, "issue", None, number)
            assert found.id == number


# --- without a token ----------------------------------------------------------------------------


def test_without_a_token_only_existence_is_asked_within_sixty_requests(wire: Wire) -> None:
    client = wire.another(Nobody())
    assert not client.reads_contributions
    wire.answers(reply(rest_repository()))
    for _ in range(60):
        assert client.repository(NAME).id == 42
    assert "authorization" not in wire.last.headers
    with pytest.raises(AllowanceWaits, match="60"):
        client.repository(NAME)
    assert len(wire.asked) == 60


def test_without_a_token_one_is_told_what_it_would_add(wire: Wire) -> None:
    client = wire.another(Nobody())
    calls: list[Callable[[], object]] = [
        lambda: client.states(["R"]), lambda: client.history("R", wire.clock(), None),
        lambda: client.compare(NAME, "a", "b", 1), lambda: client.commits("R", ["a"]),
        lambda: client.pulls("R", None), lambda: client.reviews("R", 1, "c"),
        lambda: client.issues("R", None), lambda: client.comments(NAME, "issue", None, 1),
        lambda: client.commit_comments(NAME, 1), lambda: client.releases(NAME, 1),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(Rejected, match="GITHUB_TOKEN"):
            call()
    assert wire.asked == []


@pytest.fixture
def every_level() -> Iterator[None]:
    """Whatever level another test of this process has set."""
    kept = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    yield
    structlog.configure(wrapper_class=kept)


@pytest.mark.usefixtures("every_level")
def test_requests_are_logged_with_what_they_cost(wire: Wire) -> None:
    wire.answers(reply(rest_repository()))
    with capture_logs() as logged:
        wire.client.repository(NAME)
    (entry,) = [entry for entry in logged if entry["event"] == "github_request"]
    assert entry == {
        "event": "github_request", "log_level": "debug", "what": "repository octo/engine",
        "resource": "core", "status": 200, "cost": 1, "duration_ms": 0,
    }  # fmt: skip


# --- over a real connection ---------------------------------------------------------------------


def test_requests_go_to_the_address_that_is_set_and_through_no_proxy(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    breaker = Breaker(wire.documents, now=wire.clock)
    waiting = Waiting(wire.clock, lambda _: None, lambda: 0.0)
    with receiver() as there:
        client = GitHubClient(there.url, Token(TOKEN), wire.documents, breaker, waiting)
        with pytest.raises(RetryLater, match="no JSON"):
            client.states(["R_42"])
        (call,) = there.calls("graphql")
        assert call.headers["authorization"] == f"Bearer {TOKEN}"
        assert call.json["variables"] == {"repositories": ["R_42"]}
        there.answer("graphql", 0)
        with pytest.raises(RetryLater, match="no JSON"):
            client.states(["R_42"])
        assert len(there.calls("graphql")) == 3
        there.die()
        with pytest.raises(RetryLater, match="ConnectError"):
            client.states(["R_42"])
