"""GraphQL: what the client makes of GitHub's answers, and of what GitHub keeps back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from structlog.testing import capture_logs

from infra.github import queries
from shared.errors import AllowanceWaits, LeaderboardError, NotFound, Rejected, RetryLater
from shared.github import AccessRefused, Actor, BadCursor, Blocked, Close, CommitAuthor, Review
from shared.ports import Query
from shared.request_budget import working_for
from tests.support import github_answers as nodes
from tests.support.fast_folder import fast_folder
from tests.support.github_wire import Wire, data, errors, rate, reply

AT = datetime(2025, 3, 1, 10, tzinfo=UTC)
ANN = Actor(7, "ann", "User")


@pytest.fixture
def wire() -> Iterator[Wire]:
    with fast_folder() as folder:
        yield Wire(folder)


def history(*found: nodes.Node | None, cursor: str | None = None) -> httpx.Response:
    target = {"history": nodes.connection(*found, cursor=cursor)}
    return data(node=nodes.repository(defaultBranchRef={"target": target}))


def pulls(*found: nodes.Node | None, cursor: str | None = None) -> httpx.Response:
    return data(node=nodes.repository(pullRequests=nodes.connection(*found, cursor=cursor)))


def issues(*found: nodes.Node | None) -> httpx.Response:
    return data(node=nodes.repository(issues=nodes.connection(*found)))


# --- shapes -------------------------------------------------------------------------------------


def test_states_come_in_the_order_asked_and_what_is_gone_or_private_is_none(wire: Wire) -> None:
    wire.answers(data(nodes=[None, nodes.state(), nodes.state(isPrivate=True), {}]))
    gone, state, private, other = wire.client.states(["R_1", "R_42", "R_3", "I_4"])
    assert (gone, private, other) == (None, None, None)
    assert state is not None
    assert (state.repository.id, state.repository.node_id) == (42, "R_42")
    assert (state.repository.name, state.repository.language) == ("octo/engine", "Python")
    assert (state.head, state.commit_comments) == ("a" * 40, 3)
    assert (state.pulls_changed_at, state.issues_changed_at) == (AT, None)
    assert state.released_at == AT + timedelta(days=1)
    assert wire.variables()["repositories"] == ["R_1", "R_42", "R_3", "I_4"]
    assert wire.client.states([]) == ()


def test_an_empty_repository_has_no_head_and_no_history(wire: Wire) -> None:
    empty = nodes.state(defaultBranchRef=None, primaryLanguage=None, latestRelease=None,
                        releases={"nodes": []})  # fmt: skip
    wire.answers(data(nodes=[empty]), data(node=nodes.repository(defaultBranchRef=None)))
    (state,) = wire.client.states(["R_42"])
    assert state is not None
    assert (state.head, state.released_at, state.repository.default_branch) == (None, None, None)
    assert wire.client.history("R_42", AT, None).items == ()


def test_commits_name_gits_author_first_then_those_of_trailers(wire: Wire) -> None:
    authors = [
        {"name": "Ann", "email": "ann@example.org", "user": nodes.user()},
        {"name": "Who", "email": None, "user": None},
    ]
    wire.answers(history(nodes.commit(authors={"nodes": authors}), cursor="next"))
    page = wire.client.history("R_42", AT, "here")
    (commit,) = page.items
    assert commit.authors == (
        CommitAuthor(ANN, "Ann", "ann@example.org"), CommitAuthor(None, "Who", ""),
    )  # fmt: skip
    assert (commit.committed_at, commit.parents) == (AT, 1)
    assert (commit.additions, commit.deletions, page.cursor) == (10, 4, "next")
    assert wire.variables() == {
        "repository": "R_42", "first": 100, "after": "here", "since": "2025-03-01T10:00:00Z",
    }  # fmt: skip


def test_commits_of_bots_are_theirs_by_the_address_that_github_gives_them(wire: Wire) -> None:
    mail = "49699333+dependabot[bot]@users.noreply.github.com"
    forged = "7+ann@users.noreply.github.com"
    authors = [{"name": "x", "email": each, "user": None} for each in (mail, forged)]
    wire.answers(history(nodes.commit(authors={"nodes": authors})))
    (commit,) = wire.client.history("R_42", AT, None).items
    accounts = [author.account for author in commit.authors]
    assert accounts == [Actor(49699333, "dependabot[bot]", "Bot"), None]


def test_commits_by_sha_are_asked_for_at_once_and_missing_ones_left_out(wire: Wire) -> None:
    found = {"commit0": nodes.commit("a" * 40), "commit1": None, "commit2": {}}
    wire.answers(data(node=nodes.repository(**found)))
    commits = wire.client.commits("R_42", ["a" * 40, "b" * 40, "c" * 40])
    assert [commit.sha for commit in commits] == ["a" * 40]
    assert wire.variables() == {
        "repository": "R_42", "sha0": "a" * 40, "sha1": "b" * 40, "sha2": "c" * 40,
    }  # fmt: skip
    assert wire.client.commits("R_42", []) == ()
    with pytest.raises(Rejected, match="100"):
        wire.client.commits("R_42", ["a"] * 101)
    assert len(wire.asked) == 1


def test_pull_requests_bring_their_merger_lines_assignees_and_reviews(wire: Wire) -> None:
    given = [nodes.review(), nodes.review("9000000002", submittedAt=None, state="PENDING")]
    merged = nodes.pull(
        3, mergedAt="2025-03-02T10:00:00Z", mergedBy=nodes.user(9, "cy"), author=None,
        assignees={"nodes": [nodes.user()]}, reviews=nodes.connection(*given, cursor="more"),
    )  # fmt: skip
    wire.answers(pulls(merged, nodes.pull(1)))
    pull, open_one = wire.client.pulls("R_42", None).items
    assert (pull.number, pull.author, pull.merged_by) == (3, None, Actor(9, "cy", "User"))
    assert (pull.merged_at, pull.additions, pull.deletions) == (AT + timedelta(days=1), 10, 4)
    assert pull.assignees == (ANN,)
    assert pull.reviews == (Review(9000000001, Actor(8, "bo", "User"), "APPROVED", AT),)
    assert pull.more_reviews == "more"
    assert (open_one.merged_at, open_one.more_reviews, open_one.author) == (None, None, ANN)


def test_further_reviews_of_a_pull_request_are_read_on(wire: Wire) -> None:
    found = nodes.connection(nodes.review("5", author=None), cursor="on")
    wire.answers(data(node=nodes.repository(pullRequest={"reviews": found})))
    page = wire.client.reviews("R_42", 3, "more")
    assert (page.items[0].id, page.items[0].author, page.cursor) == (5, None, "on")
    assert (wire.variables()["number"], wire.variables()["after"]) == (3, "more")


def test_issues_bring_every_closing_with_who_closed(wire: Wire) -> None:
    closings = [{"createdAt": nodes.TIME, "actor": nodes.user(8, "bo")},
                {"createdAt": "2025-03-02T10:00:00Z", "actor": None}]  # fmt: skip
    wire.answers(issues(nodes.issue(timelineItems={"nodes": closings})))
    (issue,) = wire.client.issues("R_42", None).items
    assert issue.closes == (Close(Actor(8, "bo", "User"), AT), Close(None, AT + timedelta(days=1)))


@pytest.mark.parametrize(
    ("node", "found"),
    [
        (nodes.user(1, "dependabot", "Bot"), Actor(1, "dependabot[bot]", "Bot")),
        (nodes.user(1, "dependabot[bot]", "Bot"), Actor(1, "dependabot[bot]", "Bot")),
        (nodes.user(2, "octo", "Organization"), Actor(2, "octo", "Organization")),
        (nodes.user(3, "imported", "Mannequin"), Actor(3, "imported", "Mannequin")),
        ({"__typename": "EnterpriseUserAccount", "login": "em", "user": {"databaseId": 4}},
         Actor(4, "em", "EnterpriseUserAccount")),
        ({"__typename": "EnterpriseUserAccount", "login": "em", "user": None}, None),
        (None, None),
    ],
)  # fmt: skip
def test_accounts_of_every_type_are_named_as_the_archive_names_them(
    wire: Wire, node: nodes.Node | None, found: Actor | None
) -> None:
    wire.answers(issues(nodes.issue(author=node)))
    assert wire.client.issues("R_42", None).items[0].author == found


# --- what GitHub keeps back ---------------------------------------------------------------------


def test_items_that_github_keeps_back_are_skipped_and_counted(wire: Wire) -> None:
    given = pulls(nodes.pull(1), None, nodes.pull(3))
    body = json.loads(given.content) | {"errors": [{"type": "FORBIDDEN", "message": "no"}]}
    wire.answers(reply(body))
    with capture_logs() as logged:
        assert [pull.number for pull in wire.client.pulls("R_42", None).items] == [1, 3]
    skipped = [entry for entry in logged if entry["event"] == "github_items_skipped"]
    assert [(entry["skipped"], entry["of"]) for entry in skipped] == [(1, 3)]


def test_one_repository_that_is_gone_does_not_hide_the_others(wire: Wire) -> None:
    wire.answers(errors("NOT_FOUND", given={"rateLimit": rate(), "nodes": [None, nodes.state()]}))
    gone, there = wire.client.states(["R_1", "R_42"])
    assert gone is None
    assert there is not None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (errors("NOT_FOUND", given={"node": None}), NotFound),
        (data(node=None), NotFound),
        (data(node={}), NotFound),
        (data(node={"isPrivate": True}), NotFound),
        (errors("FORBIDDEN", given={"node": None}), AccessRefused),
        (errors("INSUFFICIENT_SCOPES"), AccessRefused),
        (errors("FORBIDDEN", message="Repository access blocked"), Blocked),
        (errors("INVALID_CURSOR_ARGUMENTS", message="`x` does not appear to be a valid cursor."),
         BadCursor),
        (errors("", message="`x` does not appear to be a valid cursor."), BadCursor),
        (errors("undefinedField", message="Field 'x' doesn't exist"), Rejected),
        (errors("", message="hm"), RetryLater),
        (reply({"data": None}), RetryLater),
        (reply([]), RetryLater),
        (httpx.Response(200, text="<html>"), RetryLater),
    ],
)  # fmt: skip
def test_errors_are_told_apart(
    wire: Wire, answer: httpx.Response, kind: type[LeaderboardError]
) -> None:
    wire.answers(answer)
    with pytest.raises(LeaderboardError) as caught:
        wire.client.pulls("R_42", "x")
    assert type(caught.value) is kind
    assert len(wire.asked) == 1


def test_a_bad_cursor_is_told_although_github_sends_data_with_it(wire: Wire) -> None:
    given = {"node": nodes.repository(pullRequests=None)}
    wire.answers(errors("INVALID_CURSOR_ARGUMENTS", given=given))
    with pytest.raises(BadCursor):
        wire.client.pulls("R_42", "x")


@pytest.mark.parametrize("type_", ["RATE_LIMITED", "RATE_LIMIT"])
def test_a_limit_that_is_told_in_an_answer_stops_everybody(wire: Wire, type_: str) -> None:
    reset = wire.clock() + timedelta(minutes=9)
    limited = errors(type_)
    limited.headers.update({
        "x-ratelimit-limit": "5000", "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": str(int(reset.timestamp())),
    })  # fmt: skip
    wire.answers(limited)
    for _ in range(2):
        with pytest.raises(AllowanceWaits) as caught:
            wire.client.pulls("R_42", None)
        assert caught.value.not_before == reset + timedelta(seconds=1)
    assert len(wire.asked) == 1


def test_queries_are_paid_by_the_points_that_they_cost(wire: Wire) -> None:
    wire.answers(reply({"data": {"rateLimit": rate(cost=3), "nodes": [nodes.state()]}}))
    with working_for("default"):
        wire.client.states(["R_42"])
    (document,) = wire.documents.query(Query("request_budgets")).documents
    assert document.fields["remaining"] == 4997


# --- pages that are too large -------------------------------------------------------------------


def fits(most: int, failure: httpx.Response) -> tuple[list[int], object]:
    """GitHub that finishes pages of at most so many items, and the sizes it was asked for."""
    sizes: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)["variables"]
        sizes.append(asked["first"])
        if asked["first"] > most:
            return failure
        return pulls(nodes.pull(len(sizes)), cursor=f"after-{len(sizes)}")

    return sizes, answer


@pytest.mark.parametrize("failure", [
    httpx.Response(502), httpx.Response(504), errors("RESOURCE_LIMITS_EXCEEDED"),
    errors("", message="Something went wrong while executing your query. This may be the result "
                       "of a timeout, or it could be a GitHub bug."),
])  # fmt: skip
def test_pages_shrink_until_github_finishes_them_and_stay_small_for_that_list(
    wire: Wire, failure: httpx.Response
) -> None:
    sizes, answer = fits(6, failure)
    wire.answers(answer)  # type: ignore[arg-type]
    first = wire.client.pulls("R_42", None)
    wire.client.pulls("R_42", first.cursor)
    assert sizes == [50, 25, 12, 6, 6]
    assert wire.slept == []
    wire.client.pulls("R_43", "elsewhere")
    assert sizes[5] == 50


def test_a_new_walk_begins_with_large_pages_again(wire: Wire) -> None:
    sizes, answer = fits(25, httpx.Response(502))
    wire.answers(answer)  # type: ignore[arg-type]
    wire.client.pulls("R_42", None)
    wire.client.pulls("R_42", None)
    assert sizes == [50, 25, 50, 25]


def test_timeouts_shrink_pages_too(wire: Wire) -> None:
    wire.answers(httpx.ReadTimeout(""), pulls(nodes.pull(1)))
    wire.client.pulls("R_42", None)
    assert wire.variables()["first"] == 25


def test_a_single_item_that_github_cannot_finish_is_repeated_then_left_for_later(
    wire: Wire,
) -> None:
    wire.answers(httpx.Response(502))
    with pytest.raises(RetryLater, match="502"):
        wire.client.pulls("R_42", None)
    sizes = [wire.variables(number)["first"] for number in range(len(wire.asked))]
    assert sizes == [50, 25, 12, 6, 3, 1, 1, 1, 1]


def test_shrinking_ends_before_its_step_does(wire: Wire) -> None:
    def slow(_: httpx.Request) -> httpx.Response:
        wire.clock.advance(timedelta(seconds=31))
        return httpx.Response(504)

    wire.answers(slow)
    with pytest.raises(RetryLater, match="too long"):
        wire.client.issues("R_42", None)
    assert len(wire.asked) == 3


def test_questions_about_many_are_halved_too(wire: Wire) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)["variables"]
        if len(asked.get("repositories", [])) > 2 or "sha2" in asked:
            return httpx.Response(502)
        if "repositories" in asked:
            return data(nodes=[nodes.state(id=each) for each in asked["repositories"]])
        found = {f"commit{n}": nodes.commit(asked[f"sha{n}"]) for n in range(len(asked) - 1)}
        return data(node=nodes.repository(**found))

    wire.answers(answer)
    states = wire.client.states([f"R_{n}" for n in range(7)])
    assert [state and state.repository.node_id for state in states] == [f"R_{n}" for n in range(7)]
    shas = [str(n) * 40 for n in range(5)]
    assert [commit.sha for commit in wire.client.commits("R_42", shas)] == shas
    assert wire.slept == []


# --- the texts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", queries.OPERATIONS)
def test_every_operation_asks_what_it_costs_and_defines_the_fragments_it_uses(
    operation: str,
) -> None:
    text = queries.text(operation)
    assert text.startswith(f"query {operation}(")
    assert "rateLimit {" in text
    for fragment in ("ActorFields", "CommitFields", "ReviewFields"):
        assert (f"...{fragment}" in text) == (f"fragment {fragment} on" in text)


def test_commits_are_asked_for_by_an_alias_each() -> None:
    text = queries.commits(3)
    assert "$sha0: GitObjectID!, $sha1: GitObjectID!, $sha2: GitObjectID!" in text
    assert "commit2: object(oid: $sha2)" in text
    assert text.count("fragment CommitFields") == 1
