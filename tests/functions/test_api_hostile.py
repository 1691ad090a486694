"""Hostile values through every parameter that the API describes: refused, and nothing stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest

from shared.auth import Role
from tests.functions.conftest import World
from tests.support.api_client import ApiClient
from tests.support.deployment import load
from tests.support.scenario import everything

TEXTS = (
    '"><script>alert(1)</script>',
    "' OR '1'='1' --",
    "1; DROP TABLE events",
    "../../etc/passwd",
    "..\\..\\windows",
    "{{7*7}}${7*7}",
    "%00",
    "\x00",
    "\u202eevil",
    "-1",
    "-99999999999999999999",
    "9" * 40,
    "1e999",
    "NaN",
    "x" * 5000,
)
RAW = ("%ff%fe", "%c0%af", "%ed%a0%80")
"""No UTF-8."""

VALUES: tuple[Any, ...] = (
    *TEXTS, -1, -(10**30), 10**30, 1e308, True, None, [], {}, [[[[[]]]]], {"a": {"b": {}}},
)  # fmt: skip

BODIES: tuple[bytes, ...] = (
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"\xff\xfe\x00",
    b'{"a": "\xed\xa0\x80"}',
    b"[" * 100_000,
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    b'{"x": NaN}',
    b" " * (1 << 20) + b"{}",
)

TEXT_IS_FINE = {"search", "actor", "resource_id"}
"""Any text may be looked for; what is found then is nothing."""

CHANGES_NOTHING = {
    # Empty or null leaves a budget's limits, flags and a what-if as they are.
    ("PUT", "/api/v1/config/budget"),
    ("PUT", "/api/v1/config/flags"),
    ("POST", "/api/v1/config/scoring/preview"),
}
STORES_TEXT = {("POST", "/api/v1/keys", "name")}
"""A key's name is text, so markup may stand in it; it is an answer's only in JSON."""

UNSTEADY = {"audit", "auth_failures", "keys"}
"""Refusals are on the trail, and a key notes its use."""


@pytest.fixture(scope="module")
def world(make_world: Callable[[], World]) -> World:
    return make_world()


@pytest.fixture(scope="module")
def admin(world: World) -> ApiClient:
    return world.client(world.key(Role.ADMIN))


@pytest.fixture
def stored(world: World) -> Iterator[None]:
    """What is stored is the same after the test, but for what ``UNSTEADY`` names."""
    before = _everything(world)
    yield
    assert _everything(world) == before


def _everything(world: World) -> Mapping[str, object]:
    found: dict[str, object] = {
        document.path: (document.fields, document.body)
        for collection in load()["collections"]
        if collection not in UNSTEADY
        for document in everything(world.services, collection)
    }
    return found | {"keys": len(list(everything(world.services, "keys")))}


def refused(admin: ApiClient, method: str, address: str, **options: Any) -> None:
    """The answer blames the question, in a sentence, and repeats no markup as markup."""
    answer = admin.call(method, address, **options)
    what = f"{method} {address[:120]} {str(options)[:120]} gave {answer.status_code}"
    assert 400 <= answer.status_code < 500, what
    assert answer.status_code not in (401, 403, 429), what
    assert answer.mimetype == "application/json", what
    assert len(answer.get_json()["message"]) > 10, what
    assert len(answer.data) < 10_000, what


def operations(admin: ApiClient) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, item in admin.description["paths"].items():
        for method, operation in item.items():
            if "/api/" in path and not path.endswith("openapi.json"):
                yield method.upper(), path, operation


_IN_PATHS = (
    "owner",
    "name",
    "login",
    "job_id",
    "letter_id",
    "run_id",
    "key_id",
    "account",
    "export_id",
)


def filled(path: str, **given: str) -> str:
    for name in _IN_PATHS:
        path = path.replace(f"{{{name}}}", given.get(name, "nothing"))
    assert "{" not in path, f"{path} has a parameter that this test does not know"
    return path


@pytest.mark.usefixtures("stored")
def test_in_the_query(admin: ApiClient) -> None:
    asked = 0
    for method, path, operation in operations(admin):
        body: dict[str, Any] = {"json": {"changes": {}}} if method in ("POST", "PUT") else {}
        for parameter in operation.get("parameters", ()):
            if parameter["in"] != "query":
                continue
            for value in (*map(quote, TEXTS), *RAW):
                if parameter["name"] in TEXT_IS_FINE:
                    found = admin.call(method, f"{filled(path)}?{parameter['name']}={value}")
                    assert found.status_code < 500
                    assert found.mimetype == "application/json"
                else:
                    address = f"{filled(path)}?{parameter['name']}={value}"
                    refused(admin, method, address, **body)
                asked += 1
    assert asked > 300


@pytest.mark.usefixtures("stored")
def test_in_the_path(admin: ApiClient) -> None:
    asked = 0
    for method, path, operation in operations(admin):
        for parameter in operation.get("parameters", ()):
            if parameter["in"] != "path":
                continue
            for value in (*(quote(text, safe="") for text in TEXTS), *RAW):
                refused(admin, method, filled(path, **{parameter["name"]: value}))
                asked += 1
    assert asked > 200


@pytest.mark.usefixtures("stored")
def test_in_the_body(admin: ApiClient) -> None:
    asked = 0
    schemas = admin.description["components"]["schemas"]
    for method, path, operation in operations(admin):
        if "requestBody" not in operation:
            continue
        address = filled(path)
        for raw in BODIES:
            refused(admin, method, address, data=raw, content_type="application/json")
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        for field in schemas[reference.rsplit("/", 1)[1]]["properties"]:
            for value in VALUES:
                neutral = value in (None, {}) and (method, path) in CHANGES_NOTHING
                if neutral or (method, path, field) in STORES_TEXT:
                    continue
                refused(admin, method, address, json={field: value})
                asked += 1
    assert asked > 100


def test_markup_in_a_keys_name_is_kept_as_text_and_shown_as_json(make_world: Any) -> None:
    world = make_world()
    admin = world.client(world.key(Role.ADMIN))
    for name in TEXTS:
        answer = admin.post("/api/v1/keys", {"name": name})
        assert answer.status_code in (201, 400)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    shown = admin.get("/api/v1/keys?limit=100")
    assert shown.mimetype == "application/json"
    names = {key["name"] for key in json.loads(shown.data)["data"]}
    assert TEXTS[0] in names
    assert not names & {"\x00", "\u202eevil", "x" * 5000}
