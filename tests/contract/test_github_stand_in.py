"""The stand-in for GitHub answers as GitHub's published schemas say, and misbehaves on demand."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt, jwt
from graphql import (
    parse,
    validate,
)
from jsonschema import Draft4Validator

from infra.github import queries
from tests.support.github_bench import TOKEN, GitHubBench, github
from tests.support.github_graphql_all import everything, ids_of
from tests.support.github_schema import graphql_schema, openapi
from tests.support.github_story import ENGINE, NOW
from tests.support.github_times import read

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "/repos/{owner}/{repo}"
ASKED = [
    ("/repos/octo/engine", REPOSITORY, 200),
    ("/repositories/101", REPOSITORY, 200),
    ("/repos/octo/empty", REPOSITORY, 200),
    ("/repos/octo/quiet", REPOSITORY, 301),
    ("/repos/ana/wheels", REPOSITORY, 301),
    ("/repos/octo/secret", REPOSITORY, 404),
    ("/repos/octo/missing", REPOSITORY, 404),
    ("/repos/octo/banned", REPOSITORY, 451),
    ("/repos/octo/spam", REPOSITORY, 403),
    ("/repos/octo/engine/issues/comments", f"{REPOSITORY}/issues/comments", 200),
    ("/repos/octo/silent/issues/comments", f"{REPOSITORY}/issues/comments", 410),
    ("/repos/octo/engine/issues/comments?since=x", f"{REPOSITORY}/issues/comments", 422),
    ("/repos/octo/engine/pulls/comments", f"{REPOSITORY}/pulls/comments", 200),
    ("/repos/octo/engine/comments", f"{REPOSITORY}/comments", 200),
    ("/repos/octo/engine/releases", f"{REPOSITORY}/releases", 200),
    ("/repos/octo/engine/compare/change-1...main", f"{REPOSITORY}/compare/{{basehead}}", 200),
    ("/repos/octo/engine/compare/nowhere...main", f"{REPOSITORY}/compare/{{basehead}}", 404),
    ("/orgs/octo/repos", "/orgs/{org}/repos", 200),
    ("/orgs/ana/repos", "/orgs/{org}/repos", 404),
    ("/users/ana", "/users/{username}", 200),
    ("/users/dependabot[bot]", "/users/{username}", 200),
    ("/users/ghost-to-be", "/users/{username}", 404),
    ("/users/ana/social_accounts", "/users/{username}/social_accounts", 200),
    ("/rate_limit", "/rate_limit", 200),
]


@pytest.fixture(scope="module")
def started() -> Iterator[GitHubBench]:
    with github() as bench:
        yield bench


@pytest.fixture
def bench(started: GitHubBench) -> GitHubBench:
    """The stand-in with an hour's allowance, nothing wrong, and an empty log."""
    started.control("recover")
    started.control("options", at_zero=403, graphql_at_zero=200, most_nodes=None, pushes=[])
    started.advance(3_601)
    started.control("forget")
    return started


@pytest.fixture(scope="module")
def changing() -> Iterator[GitHubBench]:
    """One in which things happen."""
    with github() as bench:
        yield bench


@pytest.fixture
def client(bench: GitHubBench) -> Iterator[httpx.Client]:
    with _client(bench) as client:
        yield client


def _client(bench: GitHubBench, token: str = TOKEN, seconds: float = 5) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=bench.url, headers=headers, timeout=seconds, verify=False)


def _ask(client: httpx.Client, text: str, **variables: Any) -> dict[str, Any]:
    answer = client.post("/graphql", json={"query": text, "variables": variables})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def _valid(body: Any, operation: str, status: int, method: str = "get") -> None:
    description = _description()
    responses = description["paths"][operation][method]["responses"]
    answer = responses.get(str(status)) or {"$ref": "#/components/responses/not_found"}
    if "$ref" in answer:
        answer = description["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    schema = answer["content"]["application/json"]["schema"]
    whole = {**schema, "components": description["components"]}
    Draft4Validator(whole, format_checker=Draft4Validator.FORMAT_CHECKER).validate(body)


@cache
def _description() -> Any:
    return _nulls(openapi())


def _nulls(schema: Any) -> Any:
    """OpenAPI's ``nullable`` in the words of JSON Schema."""
    if isinstance(schema, list):
        return [_nulls(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    rest = {key: _nulls(each) for key, each in schema.items() if key != "nullable"}
    return {"anyOf": [{"type": "null"}, rest]} if schema.get("nullable") is True else rest


# --- shapes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "operation", "status"), ASKED, ids=[a[0] for a in ASKED])
def test_what_rest_answers_is_valid(
    client: httpx.Client, path: str, operation: str, status: int
) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    _valid(answer.json(), operation, status)


@pytest.mark.parametrize("kind", sorted(ids_of()))
def test_every_field_of_the_schema_is_answered(client: httpx.Client, kind: str) -> None:
    told = _ask(client, everything(kind), id=ids_of()[kind])
    assert "errors" not in told
    assert told["data"]["node"]["__typename"] == kind


@pytest.mark.parametrize("operation", [*queries.OPERATIONS, "commits of 100"])
def test_what_the_client_asks_fits_the_published_schema(operation: str) -> None:
    text = queries.commits(100) if operation == "commits of 100" else queries.text(operation)
    assert validate(graphql_schema(), parse(text)) == []


def test_an_invalid_query_is_refused_as_a_whole(client: httpx.Client) -> None:
    told = _ask(client, "{ repository(owner: 1) { nonsense } }")
    assert "data" not in told
    assert told["errors"]


# --- names and people ---------------------------------------------------------------------------


def test_a_name_taken_by_another_leads_to_the_other(client: httpx.Client) -> None:
    assert client.get("/repos/octo/motor").json()["id"] == 102


def test_a_moved_repository_is_found_by_its_id(client: httpx.Client, bench: GitHubBench) -> None:
    moved = client.get("/repos/ana/wheels/releases?per_page=1")
    assert moved.headers["Location"] == f"{bench.url}/repositories/103/releases?per_page=1"
    assert client.get(moved.headers["Location"]).json()[0]["tag_name"] == "v0.1"


def test_bots_have_one_login_in_rest_and_another_in_graphql(client: httpx.Client) -> None:
    text = """query($number: Int!) { repository(owner: "octo", name: "engine") {
        pullRequest(number: $number) { author { __typename login ... on Bot { databaseId } }
        commits(first: 1) { nodes { commit { author { user { login } } } } } } } }"""
    for number, login, app in ((4, "dependabot[bot]", "dependabot"), (9, "Copilot", None)):
        pull = _ask(client, text, number=number)["data"]["repository"]["pullRequest"]
        assert pull["author"]["__typename"] == "Bot"
        assert pull["author"]["login"] == (app or "copilot-swe-agent")
        (of_git,) = pull["commits"]["nodes"]
        assert of_git["commit"]["author"]["user"]["login"] == login
        profile = client.get(f"/users/{login}").json()
        assert (profile["id"], profile["type"]) == (pull["author"]["databaseId"], "Bot")


def test_authors_of_a_commit_are_those_of_its_trailers_too(client: httpx.Client) -> None:
    text = """{ repository(owner: "octo", name: "engine") { defaultBranchRef { target {
        ... on Commit {
        history(first: 20, since: "2025-11-07T00:00:00Z", until: "2025-11-08T00:00:00Z") {
        nodes { authors(first: 5) { nodes { email user { login } } } } } } } } } }"""
    target = _ask(client, text)["data"]["repository"]["defaultBranchRef"]["target"]
    authors = [
        [(each["user"] or {}).get("login") for each in node["authors"]["nodes"]]
        for node in target["history"]["nodes"]
    ]
    assert sorted(authors, key=len) == [["ana", "claude"], ["ana", "ben", None]]


def test_what_a_deleted_account_wrote_has_no_author(client: httpx.Client) -> None:
    text = '{ repository(owner: "octo", name: "engine") { issue(number: 2) { author { login } } } }'
    assert _ask(client, text)["data"]["repository"]["issue"]["author"] is None


# --- lists --------------------------------------------------------------------------------------

_PULLS = """query($after: String, $first: Int = 5) { repository(owner: "octo", name: "engine") {
    pullRequests(first: $first, after: $after, orderBy: {field: UPDATED_AT, direction: DESC}) {
    pageInfo { endCursor hasNextPage } nodes { number updatedAt } } } }"""


def _pulls(client: httpx.Client, **variables: Any) -> Any:
    return _ask(client, _PULLS, **variables)["data"]["repository"]["pullRequests"]


def test_pages_of_a_list_are_the_list(client: httpx.Client) -> None:
    found, page = list[Any](), _pulls(client)
    while True:
        found += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            break
        page = _pulls(client, after=page["pageInfo"]["endCursor"])
    assert sorted(node["number"] for node in found) == [1, 3, 4, 5, 6, 8, 9, 10, 12, 13]
    times = [node["updatedAt"] for node in found]
    assert times == sorted(times, reverse=True)


def test_a_cursor_holds_its_place_while_the_list_changes(changing: GitHubBench) -> None:
    bench = changing
    with _client(bench) as client:
        first = _pulls(client)
        cursor = first["pageInfo"]["endCursor"]
        before = _pulls(client, after=cursor)["nodes"]
        bench.tell("comment", "octo/engine", before[0]["number"], "ana", "2026-03-30T00:00:00Z")
        assert _pulls(client, after=cursor)["nodes"][: len(before) - 1] == before[1:]
        history = """query($after: String) { repository(owner: "octo", name: "engine") {
            defaultBranchRef { target { ... on Commit { history(first: 3, after: $after) {
            pageInfo { endCursor } nodes { oid } } } } } } }"""

        def commits(after: str | None) -> Any:
            told = _ask(client, history, after=after)["data"]["repository"]
            return told["defaultBranchRef"]["target"]["history"]

        page = commits(None)
        following = commits(page["pageInfo"]["endCursor"])
        shas = bench.tell("push", "octo/engine", "ana", "2026-03-30T01:00:00Z", [{"by": "ana"}])
        assert commits(page["pageInfo"]["endCursor"]) == following
        assert commits(None)["nodes"][0]["oid"] == shas[0]


@pytest.mark.parametrize(
    ("variables", "kind"),
    [
        ({"after": "bm8="}, "INVALID_CURSOR_ARGUMENTS"),
        ({"after": "?"}, "INVALID_CURSOR_ARGUMENTS"),
        ({"first": 101}, "EXCESSIVE_PAGINATION"),
        ({"first": None}, "MISSING_PAGINATION_BOUNDARIES"),
    ],
)
def test_a_bad_page_is_an_error_of_githubs(
    client: httpx.Client, variables: dict[str, Any], kind: str
) -> None:
    told = _ask(client, _PULLS, **variables)
    (error,) = {error["type"] for error in told["errors"]}
    assert error == kind


def test_ids_that_lead_nowhere_are_null_among_the_others(client: httpx.Client) -> None:
    ids = ["R_kgBl", "R_nonsense", ids_of()["User"]]
    told = _ask(client, "query($ids: [ID!]!) { nodes(ids: $ids) { __typename } }", ids=ids)
    assert told["data"]["nodes"] == [{"__typename": "Repository"}, None, {"__typename": "User"}]
    assert told["errors"][0]["type"] == "NOT_FOUND"
    assert told["errors"][0]["path"] == ["nodes", 1]


def test_comments_come_in_pages_by_the_time_of_their_change(client: httpx.Client) -> None:
    query = {
        "sort": "updated",
        "direction": "asc",
        "per_page": "4",
        "since": "2025-02-03T11:00:00Z",
    }
    answer = client.get("/repos/octo/engine/pulls/comments", params=query)
    found = answer.json()
    while "next" in answer.links:
        answer = client.get(answer.links["next"]["url"])
        found += answer.json()
    times = [comment["updated_at"] for comment in found]
    assert len(times) == 14
    assert times == sorted(times)


def test_drafts_are_shown_only_to_who_may_push(client: httpx.Client, bench: GitHubBench) -> None:
    def tags() -> list[str]:
        return [each["tag_name"] for each in client.get("/repos/octo/engine/releases").json()]

    assert tags() == ["v1.1", "v1.0"]
    bench.control("options", pushes=["octo/engine"])
    assert tags() == ["v1.1", "v2.0", "v1.0"]


def test_a_force_push_makes_the_branches_diverge(changing: GitHubBench) -> None:
    bench = changing
    with _client(bench) as client:
        name = "octo/engine"
        old = bench.history.at(name).head
        bench.tell("push", name, "ana", "2026-03-30T01:00:00Z", [{"by": "ana"}, {"by": "ben"}])
        ahead = client.get(f"/repos/{name}/compare/{old}...main").json()
        assert (ahead["status"], ahead["ahead_by"]) == ("ahead", 2)
        assert [each["author"]["login"] for each in ahead["commits"]] == ["ana", "ben"]
        gone = bench.history.at(name).head
        again: dict[str, Any] = {"commits": [{"by": "cleo"}], "drop": 1}
        bench.tell("force_push", name, "cleo", "2026-03-30T02:00:00Z", **again)
        assert client.get(f"/repos/{name}/compare/{gone}...main").json()["status"] == "diverged"
        bench.tell("collect_garbage", name)
        assert client.get(f"/repos/{name}/compare/{gone}...main").status_code == 404


# --- allowances ---------------------------------------------------------------------------------


def test_at_zero_nothing_is_answered_before_the_reset(
    client: httpx.Client, bench: GitHubBench
) -> None:
    bench.control("leave", resource="core", remaining=1)
    last = client.get("/users/ana")
    assert (last.status_code, last.headers["x-ratelimit-remaining"]) == (200, "0")
    refused = client.get("/users/ana")
    assert refused.status_code == 403
    assert refused.headers["x-ratelimit-resource"] == "core"
    bench.control("options", at_zero=429)
    assert client.get("/users/ana").status_code == 429
    assert [each["refused"] for each in bench.requests()] == [None, "primary", "primary"]
    assert _ask(client, "{ rateLimit { remaining } }")["data"]
    bench.advance(3_600)
    assert client.get("/users/ana").headers["x-ratelimit-remaining"] == "4999"


def test_graphql_is_paid_in_points(client: httpx.Client, bench: GitHubBench) -> None:
    text = """query Full { rateLimit { cost nodeCount used }
        repository(owner: "octo", name: "engine") { pullRequests(first: 100) {
        nodes { reviews(first: 50) { totalCount }
        assignees(first: 5) { totalCount } } } } }"""
    told = _ask(client, text)["data"]["rateLimit"]
    assert told == {"cost": 2, "nodeCount": 5_600, "used": 2}
    bench.control("leave", resource="graphql", remaining=1)
    refused = _ask(client, text)
    assert refused["errors"][0]["type"] == "RATE_LIMIT"
    bench.control("options", graphql_at_zero=403)
    assert client.post("/graphql", json={"query": text}).status_code == 403
    asked = bench.requests()
    assert [each["cost"] for each in asked] == [2, 0, 0]
    assert {each["operation"] for each in asked} == {"Full"}
    assert TOKEN not in str(asked)


def test_what_has_not_changed_is_free(client: httpx.Client, bench: GitHubBench) -> None:
    first = client.get("/users/ana")
    again = client.get("/users/ana", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["x-ratelimit-remaining"] == first.headers["x-ratelimit-remaining"]
    assert [each["cost"] for each in bench.requests()] == [1, 0]


def test_without_a_token_there_are_sixty_requests_and_no_graphql(bench: GitHubBench) -> None:
    with httpx.Client(base_url=bench.url, verify=False) as client:
        assert client.get("/users/ana").headers["x-ratelimit-limit"] == "60"
        assert client.post("/graphql", json={"query": "{ id }"}).status_code == 401
    with _client(bench, "stolen") as client:
        assert client.get("/users/ana").status_code == 401


def test_an_installation_token_needs_the_apps_signature() -> None:
    key, other = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in "ab")
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with github(public_key=public.decode(), app="5", installations=[7]) as bench:
        now = int(read(NOW).timestamp())

        def made(signer: rsa.RSAPrivateKey, id_: int = 7, **claims: Any) -> httpx.Response:
            pem = signer.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
            told = {"iss": "5", "iat": now - 30, "exp": now + 540, **claims}
            signed: Any = crypt.RSASigner.from_string(pem)  # type: ignore[no-untyped-call]
            token: bytes = jwt.encode(signed, told)  # type: ignore[no-untyped-call]
            with _client(bench, token.decode()) as client:
                return client.post(f"/app/installations/{id_}/access_tokens")

        answer = made(key)
        assert answer.status_code == 201
        path = "/app/installations/{installation_id}/access_tokens"
        _valid(answer.json(), path, 201, "post")
        wrong = [
            made(other),
            made(key, exp=now - 1),
            made(key, exp=now + 3_600),
            made(key, iss="6"),
            made(key, iat=now + 300),
        ]
        assert {each.status_code for each in wrong} == {401}
        assert made(key, id_=8).status_code == 404
        with _client(bench, answer.json()["token"]) as client:
            assert client.get("/users/ana").status_code == 200
            bench.advance(3_600)
            assert client.get("/users/ana").status_code == 401


# --- what goes wrong ----------------------------------------------------------------------------


def test_a_secondary_limit_lasts_until_its_time(client: httpx.Client, bench: GitHubBench) -> None:
    until = bench.advance(60)
    bench.advance(-60)
    bench.control("secondary", until=until, retry_after=60)
    refused = client.get("/users/ana")
    assert (refused.status_code, refused.headers["Retry-After"]) == (403, "60")
    assert "secondary rate limit" in refused.json()["message"]
    assert int(refused.headers["x-ratelimit-remaining"]) > 0
    bench.advance(60)
    assert client.get("/users/ana").status_code == 200
    bench.control("secondary", until="2030-01-01T00:00:00Z")
    assert "Retry-After" not in client.get("/users/ana").headers


def test_a_query_of_too_many_nodes_ends_in_502(client: httpx.Client, bench: GitHubBench) -> None:
    bench.control("options", most_nodes=4)
    answer = client.post("/graphql", json={"query": _PULLS})
    assert answer.status_code == 502
    assert _pulls(client, first=4)["nodes"]


def test_a_fault_meets_the_requests_it_is_for(client: httpx.Client, bench: GitHubBench) -> None:
    bench.fault(path="/users", status=500, after=1)
    bench.fault(operation="Named", status=202, body={})
    statuses = [client.get(f"/users/{name}").status_code for name in ("ana", "ben", "ana")]
    assert statuses == [200, 500, 200]
    assert client.post("/graphql", json={"query": "query Named { id }"}).status_code == 202
    assert _ask(client, "query Named { id }")["data"]


def test_answers_are_cut_dropped_and_held(bench: GitHubBench) -> None:
    with _client(bench, seconds=0.2) as client:
        bench.fault(cut=True)
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/users/ana")
        bench.fault(drop=True)
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/users/ana")
        bench.fault(hold=30)
        with pytest.raises(httpx.ReadTimeout):
            client.get("/users/ana")
        bench.control("recover")
        assert client.get("/users/ana").status_code == 200


def test_the_process_ends_with_its_bench() -> None:
    with github() as bench:
        port = bench.port
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/rate_limit", verify=False)


def test_the_history_is_the_same_on_both_sides(client: httpx.Client, bench: GitHubBench) -> None:
    sha = client.get("/repos/octo/engine/compare/change-1...main").json()["commits"][-1]["sha"]
    assert sha == bench.history.repositories[ENGINE].head
