"""Registering, scraping and removing repositories: keys, duplicates, the audit trail."""

from __future__ import annotations

from dataclasses import replace

import pytest

from functions import pipeline
from shared import audit
from shared.auth import Role
from shared.models import RepositoryName
from tests.functions.conftest import World
from tests.support.fake_github import FakeGitHub, FakeRepository
from tests.support.lines import ENGINE, WHEELS

ADDRESS = "/api/v1/repositories"
ENGINE_ADDRESS = f"{ADDRESS}/octo/engine"

WRITES = [
    ("POST", ADDRESS, {"repository": ENGINE.name}),
    ("POST", f"{ENGINE_ADDRESS}/scrape", None),
    ("POST", f"{ENGINE_ADDRESS}/refresh", None),
    ("DELETE", ENGINE_ADDRESS, None),
]


def test_a_registered_repository_gets_its_board(fresh: World) -> None:
    api = fresh.client(fresh.key(Role.USER))
    answer = api.post(ADDRESS, {"repository": "https://github.com/octo/engine.git"})
    assert answer.status_code == 201
    assert answer.headers["Location"] == ENGINE_ADDRESS
    body = answer.get_json()
    assert body["meta"] == {"created": True}
    assert body["data"]["repository"]["status"] == "PENDING"
    assert body["data"]["job"]["state"] == "QUEUED"
    assert api.get("/api/v1/leaderboard/octo/engine").status_code == 404
    fresh.work()
    shown = api.data(ENGINE_ADDRESS)
    assert shown["repository"]["status"] == "COMPLETED"
    assert shown["repository"]["github_id"] == ENGINE.id
    assert shown["job"] is None
    assert api.data("/api/v1/leaderboard/octo/engine")
    assert api.data(f"/api/v1/jobs/{body['data']['job']['id']}")["state"] == "COMPLETED"


def test_registering_twice_finds_the_first(fresh: World) -> None:
    api = fresh.client(fresh.key(Role.USER))
    first = api.post(ADDRESS, {"repository": "octo/engine"}).get_json()
    again = api.post(ADDRESS, {"repository": "OCTO/Engine"})
    assert again.status_code == 200
    assert "Location" not in again.headers
    assert again.get_json()["meta"] == {"created": False}
    assert again.get_json()["data"] == first["data"]
    assert len(api.data(ADDRESS)) == 1
    assert len(api.data("/api/v1/jobs")) == 1


def test_requests_for_a_scrape_under_way_share_its_job(engine: World) -> None:
    api = engine.client(engine.key(Role.USER))
    first = api.post(f"{ENGINE_ADDRESS}/scrape")
    assert first.status_code == 202
    assert first.get_json()["meta"] == {"created": True}
    job = first.get_json()["data"]
    assert job["type"] == "full_scrape"
    assert first.headers["Location"] == first.get_json()["links"]["job"]
    assert api.data(first.headers["Location"])["id"] == job["id"]
    for way in ("scrape", "refresh", "scrape"):
        again = api.post(f"{ENGINE_ADDRESS}/{way}")
        assert again.status_code == 202
        assert again.get_json()["meta"] == {"created": False}
        assert again.get_json()["data"]["id"] == job["id"]
    engine.work()
    later = api.post(f"{ENGINE_ADDRESS}/refresh").get_json()["data"]
    assert later["id"] != job["id"]
    assert later["type"] == "incremental_scrape"


def test_a_scrape_of_what_nobody_did_anything_in_fails_with_the_remedy(fresh: World) -> None:
    api = fresh.client(fresh.key(Role.USER))
    job = api.post(ADDRESS, {"repository": "octo/empty"}).get_json()["data"]["job"]
    fresh.work()
    failed = api.data(f"/api/v1/jobs/{job['id']}")
    assert failed["state"] == "FAILED"
    assert "Check the spelling" in failed["error"]["message"]
    assert api.data(f"{ADDRESS}/octo/empty")["repository"]["status"] == "ERROR"


def test_a_removed_repository_is_gone_from_every_board(both: World) -> None:
    api = both.client(both.key(Role.ADMIN))
    answer = api.delete(ENGINE_ADDRESS)
    assert answer.status_code == 200
    assert answer.get_json()["data"]["name"] == "octo/engine"
    both.work()
    assert api.get(ENGINE_ADDRESS).status_code == 404
    assert api.get("/api/v1/leaderboard/octo/engine").status_code == 404
    assert api.delete(ENGINE_ADDRESS).status_code == 404
    everywhere = api.data("/api/v1/leaderboard/global?class=all")
    assert everywhere == [
        {**row, "movement": ours["movement"]}
        for row, ours in zip(
            api.data("/api/v1/leaderboard/octo/wheels?class=all"), everywhere, strict=True
        )
    ]


def test_repositories_are_listed_by_name_in_pages(fresh: World) -> None:
    api = fresh.client(fresh.key(Role.USER))
    for name in ("octo/wheels", "acme/zebra", "octo/engine"):
        api.post(ADDRESS, {"repository": name})
    seen: list[str] = []
    address: str | None = f"{ADDRESS}?limit=2"
    while address is not None:
        answer = api.get(address).get_json()
        seen += [repository["name"] for repository in answer["data"]]
        address = answer["links"]["next"]
    assert seen == ["acme/zebra", "octo/engine", "octo/wheels"]
    assert len(api.data(f"{ADDRESS}?status=PENDING")) == 3
    assert api.data(f"{ADDRESS}?status=ERROR") == []


def test_jobs_are_listed_newest_first_and_found_by_what_they_are(engine: World) -> None:
    engine.client(engine.key(Role.USER)).post(f"{ENGINE_ADDRESS}/refresh")
    api = engine.client()
    jobs = api.data("/api/v1/jobs")
    assert [job["created_at"] for job in jobs] == sorted(
        (job["created_at"] for job in jobs), reverse=True
    )
    assert {job["type"] for job in api.data("/api/v1/jobs?repository=OCTO/engine")} == {
        "full_scrape",
        "incremental_scrape",
    }
    assert len(api.data("/api/v1/jobs?state=QUEUED")) == 1
    assert len(api.data("/api/v1/jobs?type=full_scrape&state=COMPLETED")) == 1
    assert len(api.get("/api/v1/jobs?limit=1").get_json()["data"]) == 1


@pytest.mark.parametrize(("method", "address", "body"), WRITES)
def test_nothing_is_written_without_a_key(
    fresh: World, method: str, address: str, body: object
) -> None:
    answer = fresh.client().call(method, address, json=body)
    assert answer.status_code == 401
    assert answer.get_json()["error"] == "unauthenticated"
    assert "X-API-Key" in answer.headers["WWW-Authenticate"]
    assert fresh.client().data(ADDRESS) == []


@pytest.mark.parametrize("wrong", ["guess", "lb_00000000_" + "A" * 43, "lb_", "ü" * 60])
def test_an_unknown_key_is_refused_and_on_record(fresh: World, wrong: str) -> None:
    answer = fresh.client(wrong).post(
        ADDRESS, {"repository": ENGINE.name}, headers={"X-Request-ID": "r-1"}
    )
    assert answer.status_code == 401
    assert wrong not in answer.text
    (refused,) = [entry for entry in fresh.audited() if entry["action"] == "auth.refused"]
    assert refused["actor_id"] == "anonymous"
    assert refused["request_id"] == "r-1"
    assert refused["ip_address"] == "127.0.0.1"
    assert wrong not in str(refused)


@pytest.mark.parametrize(("method", "address", "body"), WRITES)
def test_a_key_for_reading_writes_nothing(
    fresh: World, method: str, address: str, body: object
) -> None:
    key = fresh.key(Role.READONLY)
    answer = fresh.client(key).call(method, address, json=body)
    assert answer.status_code == 403
    assert answer.get_json()["error"] == "forbidden"
    assert "scope" in answer.get_json()["message"]
    (entry,) = [entry for entry in fresh.audited() if entry["action"] == "auth.forbidden"]
    assert entry["actor_id"] == f"key:{key.split('_')[1]}"


def test_only_an_admin_removes(engine: World) -> None:
    assert engine.client(engine.key(Role.USER)).delete(ENGINE_ADDRESS).status_code == 403
    assert engine.client(engine.key(Role.ADMIN)).delete(ENGINE_ADDRESS).status_code == 200


def test_a_wrong_key_does_not_keep_anybody_from_reading(team: World) -> None:
    assert team.client("guess").get("/api/v1/leaderboard/global").status_code == 200


def test_every_change_is_on_the_audit_trail_with_who_and_from_where(fresh: World) -> None:
    key = fresh.key(Role.ADMIN)
    api = fresh.client(key)
    sent = {"User-Agent": "curl/8 " + "x" * 400, "X-Request-ID": "change-7"}
    api.post(ADDRESS, {"repository": ENGINE.name}, headers=sent)
    fresh.work()
    api.post(f"{ENGINE_ADDRESS}/scrape", headers=sent)
    fresh.work()
    api.delete(ENGINE_ADDRESS, headers=sent)
    entries = [entry for entry in fresh.audited() if entry["category"] == "repository"]
    assert [entry["action"] for entry in entries] == [
        "repository.registered",
        "repository.scrape_requested",
        "repository.removed",
    ]
    for entry in entries:
        assert entry["actor_id"] == f"key:{key.split('_')[1]}"
        assert entry["actor_type"] == "admin"
        assert entry["resource_id"] == "octo/engine"
        assert entry["ip_address"] == "127.0.0.1"
        assert str(entry["user_agent"]).startswith("curl/8 ")
        assert len(str(entry["user_agent"])) == 300
        assert entry["request_id"] == "change-7"
        assert set(entry) == set(audit.AuditRecord.model_fields)
        assert key not in str(entry)
    assert RepositoryName.parse(ENGINE.name).key in str(entries[-1]["old_value"])


# --- where GitHub is asked ------------------------------------------------------------------------


@pytest.fixture
def asked(fresh: World) -> FakeGitHub:
    """GitHub has the repository of the tests."""
    github = FakeGitHub([FakeRepository(ENGINE.id, ENGINE.name)])
    fresh.services = replace(fresh.services, github=github)
    kept = fresh.app.extensions["leaderboard"]
    fresh.app.extensions["leaderboard"] = replace(kept, services=lambda: fresh.services)
    return github


def test_what_github_tells_of_a_repository_is_shown(fresh: World, asked: FakeGitHub) -> None:
    api = fresh.client(fresh.key(Role.USER))
    shown = api.post(ADDRESS, {"repository": ENGINE.name}).get_json()["data"]["repository"]
    told = {name: shown[name] for name in ("github_id", "description", "stars", "forks")}
    assert told == {
        "github_id": ENGINE.id, "description": "about octo/engine", "stars": 5, "forks": 2,
    }  # fmt: skip
    assert shown["language"] == "Python"
    assert shown["checked_at"] == shown["registered_at"]


def test_what_github_does_not_show_is_refused_with_the_reason(
    fresh: World, asked: FakeGitHub
) -> None:
    api = fresh.client(fresh.key(Role.USER))
    missing = api.post(ADDRESS, {"repository": "octo/nothing"})
    assert missing.status_code == 404
    assert missing.get_json()["error"] == "not_found"
    assert "missing or private" in missing.get_json()["message"]
    asked.repositories[0].blocked = True
    blocked = api.post(ADDRESS, {"repository": ENGINE.name})
    assert blocked.status_code == 404
    assert blocked.get_json()["error"] == "blocked_by_github"
    assert api.data(ADDRESS) == []


def test_a_list_and_an_organization_are_registered_at_once(fresh: World, asked: FakeGitHub) -> None:
    asked.repositories.append(FakeRepository(7, "octo/copy", fork=True))
    asked.repositories.append(FakeRepository(WHEELS.id, WHEELS.name))
    api = fresh.client(fresh.key(Role.USER))
    some = api.post(ADDRESS, {"repositories": [ENGINE.name, "octo/nothing"]})
    assert some.status_code == 201
    data = some.get_json()["data"]
    assert [each["name"] for each in data["registered"]] == [ENGINE.name]
    assert data["refused"][0]["error"] == "not_found"
    everything = api.post(ADDRESS, {"organization": "octo"}).get_json()
    assert [each["name"] for each in everything["data"]["registered"]] == [WHEELS.name]
    assert everything["data"]["existing"] == [ENGINE.name]
    assert everything["meta"] == {
        "registered": 1, "existing": 1, "refused": 0, "forks": 1, "archived": 0, "left_out": 0,
        "complete": True,
    }  # fmt: skip
    again = api.post(ADDRESS, {"organization": "octo", "include_forks": True})
    assert again.status_code == 201
    assert api.post(ADDRESS, {"organization": "octo"}).status_code == 200
    registered = [e for e in fresh.audited() if e["action"] == "repository.registered"]
    assert [e["resource_id"] for e in registered] == [ENGINE.name, WHEELS.name, "octo/copy"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"organization": "octo"}, 409),
        ({"organization": "octo/engine"}, 400),
        ({"organization": "octo", "repository": "octo/engine"}, 400),
        ({"repository": "octo/engine", "include_forks": True}, 400),
        ({"repositories": []}, 400),
        ({"repositories": ["octo/engine"] * 101}, 400),
        ({}, 400),
    ],
)
def test_what_cannot_be_registered_at_once_is_refused(
    fresh: World, body: object, status: int
) -> None:
    answer = fresh.client(fresh.key(Role.USER)).post(ADDRESS, body)
    assert answer.status_code == status
    assert len(answer.get_json()["message"]) > 20
    assert fresh.client().data(ADDRESS) == []


def test_a_name_that_a_repository_had_leads_to_its_present_one(
    fresh: World, asked: FakeGitHub
) -> None:
    api = fresh.client(fresh.key(Role.USER))
    api.post(ADDRESS, {"repository": ENGINE.name})
    fresh.work()
    asked.rename(asked.repositories[0], "Acme/Motor")
    pipeline.refresh(fresh.services)
    fresh.work()
    moved = api.get(ENGINE_ADDRESS)
    assert moved.status_code == 308
    assert moved.headers["Location"] == f"{ADDRESS}/acme/motor"
    assert moved.get_json()["links"]["self"] == f"{ADDRESS}/acme/motor"
    there = api.get(moved.headers["Location"])
    assert there.status_code == 200
    assert there.get_json()["data"] == moved.get_json()["data"]
    assert there.get_json()["data"]["repository"]["name"] == "Acme/Motor"
    for name in ("octo/engine", "acme/motor"):
        assert api.post(f"{ADDRESS}/{name}/refresh").status_code == 202
        jobs = api.data(f"/api/v1/jobs?repository={name}")
        assert {job["type"] for job in jobs} == {"incremental_scrape", "full_scrape"}
    page = fresh.app.test_client().get("/repositories/octo/engine?window=30d")
    assert page.status_code == 308
    assert page.headers["Location"].endswith("/repositories/acme/motor?window=30d")
