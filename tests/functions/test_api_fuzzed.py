"""The whole API against its own description: Schemathesis with all checks, by every kind of key.

``SCHEMATHESIS_EXAMPLES`` is how many requests are invented for each operation: a hundred times the
usual number takes an hour.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.auth import Role
from tests.functions.conftest import TEAM, World
from tests.support.api_fuzzing import BESIDE_OTHERS, Findings, fuzzed, without_sockets
from tests.support.apps import app_over
from tests.support.lines import ENGINE, WHEELS

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "5"))
pytestmark = pytest.mark.usefixtures("quiet")

THOROUGH = {"examples": 0, "coverage": 0, "fuzzing": EXAMPLES, "stateful": EXAMPLES}
QUICK = {"examples": 0, "fuzzing": EXAMPLES}


@pytest.fixture
def run(
    make_world: Callable[[], World], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Role | None, str, dict[str, int]], Findings]:
    """Schemathesis over an API of its own, which may be changed by it."""
    without_sockets(monkeypatch)

    def _run(role: Role | None, backend: str, phases: dict[str, int]) -> Findings:
        world = make_world()
        world.ingest("team.json.gz", TEAM)
        world.register(ENGINE, WHEELS)
        unlimited = dict.fromkeys(("anonymous", "key", "burst"), 0)
        settings = world.services.settings.model_copy(
            update={
                "backend": backend,
                "webhook_secret": "sixteen letters and more",
                **{f"rate_limit_{name}": most for name, most in unlimited.items()},
            }
        )
        app = app_over(lambda: replace(world.services, settings=settings))
        headers = {} if role is None else {"X-API-Key": world.key(role)}
        found = fuzzed(app, headers, phases)
        described = app.test_client().get("/openapi.json").get_json()["paths"]
        assert found.operations == {
            f"{method.upper()} {path}" for path, item in described.items() for method in item
        }
        return found

    return _run


Run = Callable[[Role | None, str, dict[str, int]], Findings]


def test_an_admin_finds_nothing_that_is_not_as_described(run: Run) -> None:
    found = run(Role.ADMIN, "gcp", THOROUGH)
    assert not found.failures, str(found)
    assert found.answers[200] > 200
    assert found.answers[400] > 1000
    assert max(found.answers) < 500


@pytest.mark.parametrize("role", [Role.USER, Role.READONLY, None])
def test_whoever_may_do_less_finds_nothing_either(run: Run, role: Role | None) -> None:
    found = run(role, "gcp", QUICK)
    assert not found.failures, str(found)
    assert found.answers[200] >= 20
    assert found.answers[401 if role is None else 403] > 20


def test_nor_does_anybody_on_one_machine(run: Run) -> None:
    found = run(None, "local", QUICK)
    assert not found.failures, str(found)
    assert found.answers[401] > 20


def test_what_is_beyond_a_description_is_explained() -> None:
    assert all(len(reason) > 10 for reason in BESIDE_OTHERS.values())
