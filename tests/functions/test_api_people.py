"""People's rights through the API and the command line."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from shared import people
from shared.auth import Role
from tests.functions.conftest import World
from tests.support.api_client import ApiClient
from tests.support.lines import ANA, BEN, CLEO, ENGINE, WHEELS


@pytest.fixture(scope="module")
def world(make_world: Callable[[], World]) -> World:
    """The team's boards, for the tests of this file alone."""
    from tests.functions.conftest import TEAM

    made = make_world()
    made.ingest("team.json.gz", TEAM)
    made.register(ENGINE, WHEELS)
    return made


@pytest.fixture(scope="module")
def admin(world: World) -> ApiClient:
    return world.client(world.key(Role.ADMIN))


ADDRESSES = (
    ("GET", "/api/v1/contributors/ana/personal-data"),
    ("DELETE", "/api/v1/contributors/ana/personal-data"),
    ("PUT", "/api/v1/contributors/ana/visibility"),
    ("GET", "/api/v1/removals"),
    ("DELETE", "/api/v1/removals/11"),
    ("GET", "/api/v1/identities"),
    ("POST", "/api/v1/identities"),
    ("DELETE", "/api/v1/identities/11"),
)


@pytest.mark.parametrize(("method", "address"), ADDRESSES)
def test_only_admins_may_ask(world: World, method: str, address: str) -> None:
    assert world.client().call(method, address).status_code == 401
    assert world.client(world.key(Role.USER)).call(method, address).status_code == 403


def test_what_is_stored_about_somebody_comes_as_json_in_stretches(
    world: World, admin: ApiClient
) -> None:
    address = "/api/v1/contributors/Ana/personal-data"
    whole = admin.data(address)
    assert whole["accounts"] == [ANA.id]
    assert {row["repo_id"] for row in whole["facts"]["events"]} == {ENGINE.id, WHEELS.id}
    assert {row["source"] for row in whole["facts"]["events"]} == {"archive"}
    assert {place["board"] for place in whole["documents"]["boards"]} > {"boards/global~all"}
    assert not whole["more"]
    pieces, skipped = [], 0
    while True:
        piece = admin.data(f"{address}?limit=2&skipped={skipped}")
        pieces += piece["facts"]["events"]
        skipped += 2
        if not piece["more"]:
            break
    assert pieces[: len(whole["facts"]["events"])] == whole["facts"]["events"]
    exported = [entry for entry in world.audited() if entry["action"] == "person.exported"]
    assert len(exported) == 1 + skipped // 2
    assert ANA.login not in str(exported)
    assert admin.get("/api/v1/contributors/nobody-here/personal-data").status_code == 404
    assert admin.get(f"{address}?limit=0").status_code == 400


def test_accounts_are_merged_and_parted_again(world: World, admin: ApiClient) -> None:
    body = {"person": "ana", "accounts": [f"id:{CLEO.id}"], "reason": "both are hers"}
    before = admin.data("/api/v1/leaderboard/global")
    answer = admin.post("/api/v1/identities", body)
    assert answer.status_code == 202
    assert answer.get_json()["data"]["job"]["type"] == "apply_people"
    world.work()
    (merge,) = admin.data("/api/v1/identities")
    assert (merge["account"], merge["person"], merge["reason"]) == (
        CLEO.id, ANA.id, "both are hers",
    )  # fmt: skip
    assert CLEO.id not in {row["github_id"] for row in admin.data("/api/v1/leaderboard/global")}
    assert admin.post("/api/v1/identities", body).get_json()["data"]["job"] is None
    chain = {"person": "ben", "accounts": ["ana"], "reason": "no"}
    assert admin.post("/api/v1/identities", {**chain, "reason": "why"}).status_code == 409
    assert admin.post("/api/v1/identities", chain).status_code == 400
    assert admin.delete(f"/api/v1/identities/{CLEO.id}").status_code == 202
    world.work()
    after = admin.data("/api/v1/leaderboard/global")
    assert [(r["github_id"], r["score"]) for r in after] == [
        (r["github_id"], r["score"]) for r in before
    ]
    assert admin.delete(f"/api/v1/identities/{CLEO.id}").status_code == 404
    assert admin.delete("/api/v1/identities/x").status_code == 400


def test_somebody_is_hidden_and_shown_again(world: World, admin: ApiClient) -> None:
    address = "/api/v1/contributors/ben/visibility"
    assert admin.put(address, {"visibility": "secret"}).status_code == 400
    assert admin.put(address, {"visibility": "public"}).status_code == 404
    assert admin.put(address, {"visibility": "anonymous"}).status_code == 202
    world.work()
    (wish,) = admin.data("/api/v1/removals")
    assert (wish["mode"], wish["done_at"] is None) == ("anonymous", False)
    assert world.client().get("/api/v1/contributors/ben").status_code == 404
    shown = world.client().data(f"/api/v1/contributors/{wish['shown_login']}")
    assert shown["identity"]["profile_url"] == shown["identity"]["avatar_url"] == ""
    assert BEN.login not in str(shown)
    explained = world.client().get(f"/api/v1/contributors/{wish['shown_login']}/explain")
    assert explained.status_code == 200
    assert explained.get_json()["meta"]["agrees"]
    assert "github.com" not in str(explained.get_json()["data"])
    page = world.app.test_client().get(f"/contributors/{wish['shown_login']}")
    assert page.status_code == 200
    assert "https://github.com/anonymous" not in page.text
    hidden = f"/api/v1/contributors/{wish['shown_login']}/visibility"
    assert admin.put(hidden, {"visibility": "public"}).status_code == 202
    world.work()
    assert world.client().get("/api/v1/contributors/ben").status_code == 200


def test_somebody_is_removed_and_no_answer_or_log_names_them(
    world: World, admin: ApiClient
) -> None:
    gone = "/api/v1/contributors/guest-07/personal-data"
    kept = world.client().get("/api/v1/leaderboard/global").get_json()["meta"]["generation"]
    unknown = world.client().get("/api/v1/contributors/guest-77").get_json()
    with capture_logs() as logged:
        assert admin.delete(f"{gone}?mode=away").status_code == 400
        assert admin.delete(gone).status_code == 202
        world.work()
        answer = world.client().get("/api/v1/contributors/guest-07")
        # Nothing tells somebody removed from somebody who never was.
        assert answer.status_code == 404
        assert answer.get_json()["message"] == unknown["message"].replace("77", "07")
        assert admin.get(gone).status_code == 404
        whole = "/api/v1/leaderboard/global?page_size=100"
        for address in (
            *(whole, f"{whole}&class=all", f"{whole}&generation={kept}", "/api/v1/jobs"),
            *("/api/v1/leaderboard/octo/engine?page_size=100", "/api/v1/repositories"),
        ):
            assert "guest-07" not in world.client().get(address).text
        for address in ("/leaderboard", "/dashboard"):
            assert "guest-07" not in world.app.test_client().get(address).text
    assert "guest-07" not in str(logged)
    assert "807" not in str([e.get("path") for e in logged])
    pinned = (
        world.client().get(f"/api/v1/leaderboard/global?page_size=100&generation={kept}").get_json()
    )
    assert pinned["meta"]["redacted"]
    assert "guest-07" not in str(world.audited())
    (wish,) = (w for w in admin.data("/api/v1/removals") if w["mode"] == "removed")
    assert wish["done_at"] is not None
    assert admin.delete(f"/api/v1/removals/{wish['account']}").status_code == 200
    assert admin.delete(f"/api/v1/removals/{wish['account']}").status_code == 404
    assert people.current(world.services).removed == frozenset()
