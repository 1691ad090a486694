"""Who may do what: every route with every kind of key, as one table says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from shared import keys
from shared.auth import Role
from shared.context import SYSTEM
from tests.functions.conftest import World
from tests.support.apps import app_over

PASSES, NO_KEY, NO_RIGHT = "passes", 401, 403

CALLERS = ("none", "readonly", "user", "admin", "revoked", "expired", "wrong scope")

Row = tuple[str | int, ...]

OPEN: Row = (PASSES,) * 7
"""Whoever asks, with whatever key."""
READ: Row = (NO_KEY, PASSES, PASSES, PASSES, NO_KEY, NO_KEY, NO_RIGHT)
"""Costs something: on Google Cloud it takes a key to read. On one machine it is open."""
WRITE: Row = (NO_KEY, NO_RIGHT, PASSES, PASSES, NO_KEY, NO_KEY, NO_RIGHT)
ADMIN: Row = (NO_KEY, NO_RIGHT, NO_RIGHT, PASSES, NO_KEY, NO_KEY, NO_RIGHT)
SIGNED: Row = (NO_RIGHT,) * 7
"""Keys count for nothing: the call itself is signed, and these are not."""
COSTS: Row = (NO_KEY, PASSES, PASSES, PASSES, NO_KEY, NO_KEY, NO_KEY)
"""A page of what costs: who may not see it is asked to sign in. On one machine it is open."""
FORM: Row = (NO_KEY,) * 7
"""A form takes a session, which no key in a header is."""

TABLE: Mapping[str, Row] = {
    "GET /": OPEN,
    "GET /api/v1/audit": ADMIN,
    "GET /api/v1/audit/integrity": ADMIN,
    "GET /api/v1/audit/reports/access": ADMIN,
    "GET /api/v1/audit/reports/changes": ADMIN,
    "GET /api/v1/audit/reports/costs": ADMIN,
    "GET /api/v1/audit/reports/security": ADMIN,
    "GET /api/v1/config/budget": READ,
    "PUT /api/v1/config/budget": ADMIN,
    "GET /api/v1/config/flags": READ,
    "PUT /api/v1/config/flags": ADMIN,
    "GET /api/v1/config/scoring": OPEN,
    "PUT /api/v1/config/scoring": ADMIN,
    "POST /api/v1/config/scoring/preview": READ,
    "POST /api/v1/config/scoring/rollback": ADMIN,
    "GET /api/v1/contributors/<login>": OPEN,
    "GET /api/v1/contributors/<login>/activity": READ,
    "POST /api/v1/contributors/<login>/enrich": WRITE,
    "GET /api/v1/contributors/<login>/explain": READ,
    "DELETE /api/v1/contributors/<login>/personal-data": ADMIN,
    "GET /api/v1/contributors/<login>/personal-data": ADMIN,
    "GET /api/v1/contributors/<login>/repositories": OPEN,
    "PUT /api/v1/contributors/<login>/visibility": ADMIN,
    "GET /api/v1/costs": READ,
    "GET /api/v1/costs/ledger": READ,
    "GET /api/v1/costs/monthly": READ,
    "GET /api/v1/costs/repositories/<owner>/<name>": READ,
    "GET /api/v1/coverage": OPEN,
    "GET /api/v1/coverage/<owner>/<name>": OPEN,
    "GET /api/v1/dead-letters": OPEN,
    "GET /api/v1/dead-letters/<letter_id>": OPEN,
    "POST /api/v1/dead-letters/<letter_id>/discard": ADMIN,
    "POST /api/v1/dead-letters/<letter_id>/retry": ADMIN,
    "GET /api/v1/exports": READ,
    "POST /api/v1/exports": READ,
    "GET /api/v1/exports/<export_id>": READ,
    "GET /api/v1/health/detailed": ADMIN,
    "GET /api/v1/health/live": OPEN,
    "GET /api/v1/health/ready": OPEN,
    "POST /api/v1/hooks/pipeline": SIGNED,
    "GET /api/v1/identities": ADMIN,
    "POST /api/v1/identities": ADMIN,
    "DELETE /api/v1/identities/<account>": ADMIN,
    "GET /api/v1/jobs": OPEN,
    "GET /api/v1/jobs/<job_id>": OPEN,
    "POST /api/v1/jobs/<job_id>/cancel": ADMIN,
    "POST /api/v1/jobs/<job_id>/retry": ADMIN,
    "GET /api/v1/keys": ADMIN,
    "POST /api/v1/keys": ADMIN,
    "GET /api/v1/keys/<key_id>": ADMIN,
    "DELETE /api/v1/keys/<key_id>": ADMIN,
    "GET /api/v1/keys/<key_id>/accounts": ADMIN,
    "DELETE /api/v1/keys/<key_id>/accounts/<account>": ADMIN,
    "PUT /api/v1/keys/<key_id>/accounts/<account>": ADMIN,
    "POST /api/v1/keys/<key_id>/rotate": ADMIN,
    "GET /api/v1/leaderboard/<owner>/<name>": OPEN,
    "GET /api/v1/leaderboard/<owner>/<name>/diff": OPEN,
    "GET /api/v1/leaderboard/compare": OPEN,
    "GET /api/v1/leaderboard/global": OPEN,
    "GET /api/v1/leaderboard/global/diff": OPEN,
    "GET /api/v1/openapi.json": OPEN,
    "GET /api/v1/pipeline/runs": OPEN,
    "POST /api/v1/pipeline/runs": ADMIN,
    "GET /api/v1/pipeline/runs/<run_id>": OPEN,
    "GET /api/v1/removals": ADMIN,
    "DELETE /api/v1/removals/<account>": ADMIN,
    "GET /api/v1/repositories": OPEN,
    "POST /api/v1/repositories": WRITE,
    "GET /api/v1/repositories/<owner>/<name>": OPEN,
    "DELETE /api/v1/repositories/<owner>/<name>": ADMIN,
    "POST /api/v1/repositories/<owner>/<name>/disable": ADMIN,
    "POST /api/v1/repositories/<owner>/<name>/enable": ADMIN,
    "POST /api/v1/repositories/<owner>/<name>/refresh": WRITE,
    "POST /api/v1/repositories/<owner>/<name>/scrape": WRITE,
    "GET /badges/contributors/<login>/<what>.svg": OPEN,
    "GET /badges/repositories/<owner>/<name>/<what>.svg": OPEN,
    "GET /cards/contributors/<login>.svg": OPEN,
    "GET /cards/leaderboard.svg": OPEN,
    "GET /cards/repositories/<owner>/<name>.svg": OPEN,
    "GET /contributors/<login>": OPEN,
    "GET /costs": COSTS,
    "GET /costs/ledger": COSTS,
    "GET /coverage": OPEN,
    "GET /dashboard": OPEN,
    "GET /dashboard/errors": OPEN,
    "POST /dashboard/letters/<letter_id>/discard": FORM,
    "POST /dashboard/letters/<letter_id>/retry": FORM,
    "GET /dashboard/logs": OPEN,
    "GET /dashboard/logs/stream": OPEN,
    "GET /dashboard/pipeline": OPEN,
    "POST /dashboard/pipeline/runs": FORM,
    "POST /dashboard/repositories": FORM,
    "GET /dashboard/static/<filename>": OPEN,
    "GET /dashboard/stats": OPEN,
    "GET /dashboard/ws/logs": OPEN,
    "GET /docs": OPEN,
    "GET /embed/leaderboard": OPEN,
    "GET /embed/repositories/<owner>/<name>": OPEN,
    "GET /exports": OPEN,
    "POST /exports": FORM,
    "GET /exports/<export_id>": FORM,
    "GET /feeds/leaderboard.<form>": OPEN,
    "GET /feeds/repositories/<owner>/<name>.<form>": OPEN,
    "GET /health/live": OPEN,
    "GET /health/ready": OPEN,
    "GET /jobs/<job_id>": OPEN,
    "POST /jobs/<job_id>/cancel": FORM,
    "POST /jobs/<job_id>/retry": FORM,
    "GET /leaderboard": OPEN,
    "GET /compare": OPEN,
    "GET /what-if": OPEN,
    "GET /metrics": READ,
    "GET /openapi.json": OPEN,
    "GET /pictures/leaderboard.png": OPEN,
    "GET /pictures/repositories/<owner>/<name>.png": OPEN,
    "GET /reports/weekly": OPEN,
    "GET /reports/weekly/letter": OPEN,
    "GET /repositories/<owner>/<name>": OPEN,
    "POST /repositories/<owner>/<name>/pause": FORM,
    "POST /repositories/<owner>/<name>/resume": FORM,
    "GET /settings": OPEN,
    "POST /settings/budget": FORM,
    "POST /settings/flags": FORM,
    "POST /settings/rules": FORM,
    "POST /settings/keys": FORM,
    "POST /settings/keys/<key_id>/revoke": FORM,
    "POST /settings/keys/<key_id>/rotate": FORM,
    "GET /sign-in": OPEN,
    "POST /sign-in": FORM,
    "GET /sign-in/github": OPEN,
    "GET /sign-in/github/back": OPEN,
    "POST /sign-out": FORM,
}

OPEN_AT_HOME = ("POST /exports", "GET /exports/<export_id>")
"""What takes a session on Google Cloud and nothing on one machine."""

ASKED: Mapping[str, Mapping[str, Any]] = {
    # Where the right is looked at after the question.
    "POST /api/v1/config/scoring/preview": {"json": {"changes": {}}},
    "POST /api/v1/exports": {"json": {"type": "global", "format": "csv"}},
}

NARROW: Mapping[Row, tuple[Role, list[str]]] = {
    READ: (Role.USER, ["write:repository"]),
    COSTS: (Role.USER, ["write:repository"]),
    WRITE: (Role.ADMIN, ["read:leaderboard"]),
    ADMIN: (Role.ADMIN, ["read:leaderboard", "write:repository"]),
}
"""Keys of a role that would do, without the scope."""


_CONVERTER = re.compile(r"<[^<>:]+:")


def routes(app: Flask) -> set[str]:
    return {
        f"{method} {_CONVERTER.sub('<', rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


@dataclass(frozen=True)
class Place:
    """The API as on Google Cloud and as on one machine, and keys of every kind."""

    cloud: FlaskClient
    here: FlaskClient
    keys: Mapping[str, str | None]
    narrow: Mapping[Row, str]
    app: Flask

    def text(self, caller: str, row: Row) -> str | None:
        return (
            self.narrow.get(row, self.keys["readonly"])
            if caller == "wrong scope"
            else (self.keys[caller])
        )


@pytest.fixture(scope="module")
def place(make_world: Callable[[], World]) -> Place:
    world = make_world()
    settings = world.services.settings.model_copy(
        update={
            "backend": "gcp",
            "webhook_secret": "sixteen letters and more",
            "rate_limit_anonymous": 0,
            "rate_limit_key": 0,
            "rate_limit_burst": 0,
        }
    )
    here = settings.model_copy(update={"backend": "local"})
    cloud = app_over(lambda: replace(world.services, settings=settings))
    services = world.services
    revoked = keys.create(services, SYSTEM, "revoked", Role.ADMIN)
    keys.revoke(services, SYSTEM, revoked.key.id)
    ends = world.clock() + timedelta(seconds=1)
    expired = keys.create(services, SYSTEM, "expired", Role.ADMIN, expires_at=ends)
    world.clock.advance(timedelta(seconds=1))
    return Place(
        cloud.test_client(),
        app_over(lambda: replace(services, settings=here)).test_client(),
        {
            "none": None,
            **{role.value: world.key(role) for role in Role},
            "revoked": revoked.text,
            "expired": expired.text,
        },
        {
            row: keys.create(services, SYSTEM, "narrow", role, scopes).text
            for row, (role, scopes) in NARROW.items()
        },
        cloud,
    )


def test_every_route_is_in_the_table(place: Place) -> None:
    assert routes(place.app) == TABLE.keys()


def ask(client: FlaskClient, route: str, key: str | None) -> str | int:
    """What becomes of a request for something that is not there."""
    method, rule = route.split(" ")
    headers = {} if key is None else {"X-API-Key": key}
    address = re.sub(r"<[^<>]+>", "nothing", rule.replace("<form>", "atom"))
    with client.open(address, method=method, headers=headers, **ASKED.get(route, {})) as answer:
        assert answer.status_code not in (405, 429, 500), answer.data
        if answer.status_code in (NO_KEY, NO_RIGHT):
            if rule.startswith("/api/"):
                assert set(answer.get_json()) == {"error", "message", "details", "request_id"}
            return answer.status_code
    return PASSES


@pytest.mark.parametrize("route", TABLE)
def test_each_kind_of_key_may_do_what_the_table_says(place: Place, route: str) -> None:
    row = TABLE[route]
    texts = [place.text(caller, row) for caller in CALLERS]
    assert tuple(ask(place.cloud, route, text) for text in texts) == row
    at_home = OPEN if row in (READ, COSTS) or route in OPEN_AT_HOME else row
    assert tuple(ask(place.here, route, text) for text in texts) == at_home
