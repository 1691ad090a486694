"""Flags and scoring rules through the API, what they change, and that nothing is restarted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from infra.services import build
from shared import (
    enrichment,
    enrichment_rounds,
    flag_config,
    global_requests,
    job_places,
    repositories,
    rule_sets,
    staleness,
)
from shared.auth import Role
from shared.boards import GLOBAL
from shared.context import SYSTEM, Caller, Services
from shared.errors import Conflict
from shared.flags import ENRICHMENT, SEEN_WITHIN, WEBSOCKET, Rules
from shared.jobs import JobType, Stage
from shared.settings import Settings
from tests.functions.conftest import World
from tests.support.api_client import ApiClient
from tests.support.apps import app_over
from tests.support.fake_profiles import Profiles
from tests.support.lines import ENGINE
from tests.support.scenario import head, name_of

FLAGS = "/api/v1/config/flags"
SCORING = "/api/v1/config/scoring"


@pytest.fixture
def bare(make_world: Callable[[], World]) -> World:
    """Nothing ingested."""
    return make_world()


def admin_of(world: World) -> ApiClient:
    return world.client(world.key(Role.ADMIN))


def put(client: ApiClient, **rules: Any) -> Any:
    answer = client.put(FLAGS, {"flags": rules})
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def set_flags(services: Services, **rules: Any) -> None:
    flag_config.change(services, SYSTEM, Rules.model_validate(rules))


def test_flags_are_shown_with_why_they_are_what_they_are(bare: World) -> None:
    admin = admin_of(bare)
    shown = admin.data(FLAGS)
    assert {name: flag["source"] for name, flag in shown.items()} == dict.fromkeys(
        Rules.model_fields, "default"
    )
    body = put(admin, enable_enrichment={"value": False}, max_concurrent_scrapes={"value": 7})
    assert body["data"]["max_concurrent_scrapes"]["value"] == 7
    assert body["data"]["enable_enrichment"]["source"] == "stored"
    explicit = bare.services.settings.model_copy(update={"max_concurrent_scrapes": 2})
    services = replace(bare.services, settings=explicit)
    told = ApiClient(app_over(lambda: services)).data(FLAGS)["max_concurrent_scrapes"]
    assert (told["value"], told["source"], told["rule"]["value"]) == (2, "environment", 7)


def test_every_change_is_a_version_with_who_when_old_and_new(bare: World) -> None:
    admin = admin_of(bare)
    put(admin, enable_enrichment={"value": False})
    bare.clock.advance(timedelta(hours=1))
    body = put(admin, enable_enrichment={"value": True, "percent": 10})
    again = put(admin, enable_enrichment={"value": True, "percent": 10})
    assert (body["meta"]["version"], again["meta"]["version"]) == (2, 2)
    newest, first = body["meta"]["history"]
    assert first["flags"] == {"enable_enrichment": {"value": False, "keys": {}}}
    assert newest["changed_by"].startswith("key:")
    assert newest["changed_at"] > first["changed_at"]
    old = admin.get(f"{FLAGS}?version=1").get_json()
    assert old["data"]["enable_enrichment"]["rule"] == {"value": False, "keys": {}}
    assert admin.get(f"{FLAGS}?version=9").status_code == 404
    changes = [e for e in bare.audited() if e["action"] == "config.changed"]
    assert [(e["resource_id"], e["old_value"]) for e in changes] == [
        ("1", {}),
        ("2", {"enable_enrichment": {"value": False, "keys": {}}}),
    ]


def test_what_is_for_a_share_is_said_so_and_not_by_who_asks(bare: World) -> None:
    shown = put(admin_of(bare), enable_enrichment={"value": False, "percent": 25})["data"]
    for client in (admin_of(bare), bare.client(bare.key(Role.READONLY)), bare.client()):
        told = client.data(FLAGS)["enable_enrichment"]
        assert told == shown["enable_enrichment"]
        assert (told["value"], told["percent"], told["subject"]) == (False, 25, "account")
    assert shown["max_concurrent_scrapes"]["percent"] is None
    assert shown["max_concurrent_scrapes"]["subject"] is None


def test_where_keys_are_the_subject_each_is_told_what_holds_for_it(bare: World) -> None:
    put(admin_of(bare), enable_websocket_logs={"value": False, "percent": 50})
    told = [
        bare.client(bare.key(Role.READONLY)).data(FLAGS)["enable_websocket_logs"] for _ in range(20)
    ]
    assert {each["value"] for each in told} == {True, False}
    assert {each["percent"] for each in told} == {None}


def test_a_share_of_keys_gets_the_websocket_and_others_do_not(bare: World) -> None:
    set_flags(bare.services, enable_websocket_logs={"value": False, "percent": 50})
    callers = [Caller(actor=f"key:{number:08x}", actor_type="user") for number in range(40)]
    on = [flag_config.is_on(bare.services, WEBSOCKET, caller=caller) for caller in callers]
    assert 10 <= sum(on) <= 30


def test_a_change_made_from_an_older_version_is_refused(bare: World) -> None:
    admin = admin_of(bare)
    put(admin, enable_enrichment={"value": False})
    answer = admin.put(FLAGS, {"flags": {}, "version": 0})
    assert answer.status_code == 409
    assert answer.get_json()["details"] == {"version": 1}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"enable_enrichment": {"value": 3}}, "true or false"),
        ({"max_concurrent_scrapes": {"value": 0}}, "whole number, 1 or more"),
        ({"max_concurrent_scrapes": {"value": 3, "percent": 5}}, "everybody"),
        ({"dark_mode": {"value": True}}, "Leave it out"),
    ],
)
def test_what_cannot_be_is_refused_and_not_stored(bare: World, flags: Any, said: str) -> None:
    admin = admin_of(bare)
    answer = admin.put(FLAGS, {"flags": flags})
    assert answer.status_code == 400
    assert said in answer.get_json()["message"]
    assert flag_config.current(bare.services).version == 0


def test_a_change_on_one_instance_is_seen_by_the_other_within_a_minute(bare: World) -> None:
    other = build(bare.services.settings, bare.clock)
    assert flag_config.is_on(other, ENRICHMENT)
    put(admin_of(bare), enable_enrichment={"value": False})
    assert not flag_config.is_on(bare.services, ENRICHMENT)
    assert flag_config.is_on(other, ENRICHMENT)
    assert timedelta(minutes=1) >= SEEN_WITHIN
    bare.clock.advance(SEEN_WITHIN)
    assert not flag_config.is_on(other, ENRICHMENT)


# --- what each of them does -----------------------------------------------------------------------


def test_without_enrichment_nobody_is_asked_about(engine: World) -> None:
    services = replace(engine.services, github=Profiles().port)
    client = ApiClient(app_over(lambda: services), engine.key(Role.USER))
    set_flags(services, enable_enrichment={"value": False})
    answer = client.post("/api/v1/contributors/ana/enrich")
    assert answer.status_code == 409
    assert "enable_enrichment" in answer.get_json()["message"]
    assert enrichment_rounds.ask_slice(services, None, 0).asked == 0
    set_flags(services)
    assert client.post("/api/v1/contributors/ana/enrich").status_code == 202
    assert enrichment_rounds.ask_slice(services, None, 0).asked > 0


def test_enrichment_can_be_for_one_key_only(engine: World) -> None:
    services = replace(engine.services, github=Profiles().port)
    favoured, other = engine.key(Role.USER), engine.key(Role.USER)
    rule = {"value": False, "keys": {favoured.split("_")[1]: True}}
    set_flags(services, enable_enrichment=rule)
    app = app_over(lambda: services)
    for text, status in ((other, 409), (favoured, 202)):
        answer = ApiClient(app, text).post("/api/v1/contributors/ana/enrich")
        assert answer.status_code == status


def test_enrichment_can_be_for_a_share_of_contributors(bare: World) -> None:
    services = replace(bare.services, github=Profiles().port)
    set_flags(services, enable_enrichment={"value": False, "percent": 50})
    refused = set()
    for account in range(100, 140):
        try:
            enrichment.request(services, account, f"login-{account}", SYSTEM)
        except Conflict:
            refused.add(account)
    assert 10 <= len(refused) <= 30
    assert all(enrichment.is_enabled(services, a) for a in set(range(100, 140)) - refused)


def test_without_incremental_scrapes_every_scrape_is_a_full_one(engine: World) -> None:
    admin = admin_of(engine)

    def asked() -> str:
        answer = admin.post("/api/v1/repositories/octo/engine/refresh")
        engine.work()
        found: str = answer.get_json()["data"]["type"]
        return found

    assert asked() == JobType.INCREMENTAL_SCRAPE
    put(admin, enable_incremental_scrape={"value": False})
    assert asked() == JobType.FULL_SCRAPE
    engine.clock.advance(timedelta(days=2))
    assert [j.type for j in staleness.refresh_stale(engine.services, 5)] == [JobType.FULL_SCRAPE]


@pytest.mark.parametrize(("stored", "explicit", "most"), [(None, None, 3), (1, None, 1), (1, 2, 2)])
def test_so_many_scrapes_have_a_place_at_once(
    bare: World, stored: int | None, explicit: int | None, most: int
) -> None:
    services = bare.services
    if explicit is not None:
        settings = Settings(
            **services.settings.model_dump(exclude_unset=True),
            max_concurrent_scrapes=explicit,
        )
        services = replace(services, settings=settings)
    if stored is not None:
        set_flags(services, max_concurrent_scrapes={"value": stored})
    taken = 0
    for name in ("a/a", "b/b", "c/c", "d/d"):
        job = repositories.register(services, name_of(replace(ENGINE, name=name)), SYSTEM).job
        assert job is not None
        scraping = job.model_copy(update={"stage": Stage.SCRAPE})
        taken += services.documents.transact(
            lambda transaction, scraping=scraping: job_places.take(services, transaction, scraping)  # type: ignore[misc]
        )
    assert taken == most


# --- scoring --------------------------------------------------------------------------------------


def other_rules(client: ApiClient, **points: int) -> Any:
    rules = client.data(SCORING)["rules"]
    return {**rules, "points": {**rules["points"], **points}}


def test_other_rules_are_a_version_and_the_boards_follow(both: World) -> None:
    admin = admin_of(both)
    before = head(both.services, GLOBAL, "all")
    answer = admin.put(SCORING, {"rules": other_rules(admin, COMMIT=1), "version": 1})
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    assert (body["data"]["version"], body["meta"]["stored"]) == (2, 2)
    assert [each["version"] for each in body["meta"]["history"]] == [2, 1]
    both.work()
    after = head(both.services, GLOBAL, "all")
    assert before
    assert after
    assert (before.rules, after.rules) == (1, 2)
    assert before.generation != after.generation
    repository = admin.get("/api/v1/leaderboard/octo/engine").get_json()
    assert repository["meta"]["rule_version"] == 2

    back = admin.post(f"{SCORING}/rollback", {"version": 1}).get_json()
    assert (back["data"]["version"], back["meta"]["history"][0]["restores"]) == (3, 1)
    both.work()
    restored = head(both.services, GLOBAL, "all")
    assert restored
    assert restored.receipt.board == before.receipt.board
    changes = [e for e in both.audited() if e["action"] == "config.changed"]
    assert [e["resource_id"] for e in changes] == ["2", "3"]


def test_rules_that_say_the_same_or_were_overtaken_change_nothing(bare: World) -> None:
    admin = admin_of(bare)
    same = admin.put(SCORING, {"rules": other_rules(admin)})
    assert same.get_json()["data"]["version"] == 1
    admin.put(SCORING, {"rules": other_rules(admin, COMMIT=1)})
    late = admin.put(SCORING, {"rules": other_rules(admin, COMMIT=2), "version": 1})
    assert late.status_code == 409
    assert admin.post(f"{SCORING}/rollback", {"version": 7}).status_code == 404
    assert admin.data(f"{SCORING}?version=1")["rules"]["points"]["COMMIT"] == 10
    wrong = other_rules(admin, COMMIT=-1)
    assert admin.put(SCORING, {"rules": wrong}).status_code == 400
    assert rule_sets.current(bare.services).version == 2


def test_the_flag_puts_a_rule_set_in_place_of_the_one_in_force(engine: World) -> None:
    admin = admin_of(engine)
    admin.put(SCORING, {"rules": other_rules(admin, COMMIT=1)})
    admin.post(f"{SCORING}/rollback", {"version": 1})
    engine.work()
    missing = admin.put(FLAGS, {"flags": {"new_scoring_algorithm": {"value": 9}}})
    assert missing.status_code == 404
    put(admin, new_scoring_algorithm={"value": 2})
    engine.work()
    tried = head(engine.services, GLOBAL, "all")
    assert tried
    assert tried.rules == 2
    scoring = admin.get(SCORING).get_json()
    assert (scoring["data"]["version"], scoring["meta"]["stored"]) == (2, 3)
    put(admin)
    engine.work()
    ended = head(engine.services, GLOBAL, "all")
    assert ended
    # Version 3 says what version 1 said, so it is the same generation.
    assert ended.rules == 1


def test_a_rule_set_that_begins_at_a_time_is_taken_up_by_the_schedule(engine: World) -> None:
    admin = admin_of(engine)
    admin.put(SCORING, {"rules": other_rules(admin, COMMIT=1)})
    admin.post(f"{SCORING}/rollback", {"version": 1})
    starts_at = (engine.clock() + timedelta(days=1)).isoformat()
    put(admin, new_scoring_algorithm={"value": 2, "starts_at": starts_at})
    engine.work()
    assert rule_sets.current(engine.services).version == 3
    assert not global_requests.outdated(engine.services)
    engine.clock.advance(timedelta(days=1))
    assert global_requests.request_global_if_changed(engine.services) is not None
    engine.work()
    shown = head(engine.services, GLOBAL, "all")
    assert shown
    assert shown.rules == 2
