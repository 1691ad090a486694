"""The API's description of itself."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.functions.conftest import World
from tests.support.api_client import ApiClient


def test_the_description_is_valid(api: ApiClient) -> None:
    assert api.description["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(api.description).validate()
    assert api.get("/api/v1/openapi.json").get_json() == api.description


def test_no_route_is_missing_from_it(team: World, api: ApiClient) -> None:
    described = {
        (method.upper(), path) for path, item in api.description["paths"].items() for method in item
    }
    routed = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in team.app.url_map.iter_rules()
        if not rule.endpoint.startswith(
            ("dashboard.", "operations.", "actions.", "readers.", "outside.", "live.")
        )
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == routed


def test_every_operation_has_its_own_id_and_says_what_it_does(api: ApiClient) -> None:
    operations = [
        operation for item in api.description["paths"].values() for operation in item.values()
    ]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    assert all(operation["summary"].endswith(".") for operation in operations)


def test_every_endpoint_describes_its_errors(api: ApiClient) -> None:
    paths = api.description["paths"]
    remove = paths["/api/v1/repositories/{owner}/{name}"]["delete"]
    assert set(remove["responses"]) == {
        "200",
        "400",
        "401",
        "403",
        "404",
        "413",
        "429",
        "500",
        "503",
    }
    assert remove["security"] == [{"ApiKey": []}]
    register = paths["/api/v1/repositories"]["post"]
    assert {"200", "201", "415"} <= set(register["responses"])
    board = paths["/api/v1/leaderboard/{owner}/{name}"]["get"]
    assert {p["name"] for p in board["parameters"]} == {
        *("owner", "name", "window", "start", "end", "page", "page_size", "sort", "order"),
        *("class", "search", "generation"),
    }
    for status in ("400", "404"):
        schema = board["responses"][status]["content"]["application/json"]["schema"]
        assert schema["$ref"].endswith("/ErrorBody")


def test_scores_are_described_as_numbers(api: ApiClient) -> None:
    schemas = api.description["components"]["schemas"]
    assert schemas["BoardRow"]["properties"]["score"]["type"] == "number"
    assert schemas["BoardRow"]["additionalProperties"] is False
    assert '"string"' not in str(schemas["RuleSet"]["properties"]["points"])


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids.add(given.get("id", ""))
        self.links += [given["href"]] if tag == "a" else []
        self.loads += [tag] if tag in {"script", "link", "img", "iframe"} else []
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_for_people_lists_every_endpoint_and_loads_nothing(api: ApiClient) -> None:
    answer = api.get("/docs")
    page = Page(answer.text)
    assert page.open == []
    assert page.loads == []
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    for path, item in api.description["paths"].items():
        assert path in answer.text
        for operation in item.values():
            assert operation["operationId"] in page.ids
    assert all(link[1:] in page.ids for link in page.links if link.startswith("#"))
    assert "/openapi.json" in page.links or "/api/v1/openapi.json" in page.links


@pytest.mark.parametrize("address", ["/openapi.json", "/docs"])
def test_the_description_needs_no_key(api: ApiClient, address: str) -> None:
    assert api.get(address).status_code == 200
