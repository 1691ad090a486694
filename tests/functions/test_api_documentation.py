"""The examples of docs/api.md, run on the sample: every address answers, as it is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.cli.sample import sample_names, sample_sources
from infra.clock import utc_now
from infra.ingest import ingest_file
from shared import repositories
from shared.context import SYSTEM
from tests.functions.conftest import World
from tests.support.api_client import ApiClient

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
_EXAMPLE = re.compile(
    r"^curl 'localhost:8080(\S+)'\n```\n(?:```json\n(.*?)\n```)?", re.MULTILINE | re.DOTALL
)
EXAMPLES = _EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def sample(make_world: Callable[[], World]) -> ApiClient:
    world = make_world()
    for source in sample_sources():
        assert source.path is not None
        ingest_file(world.services.warehouse, source.path, now=utc_now())
    for name in sample_names():
        repositories.register(world.services, name, SYSTEM)
    world.work()
    return world.client()


def test_every_curl_of_the_page_is_an_example_that_is_run() -> None:
    assert len(EXAMPLES) == PAGE.read_text(encoding="utf-8").count("curl ") >= 7


@pytest.mark.parametrize(("address", "shown"), EXAMPLES, ids=[e[0] for e in EXAMPLES])
def test_an_example_answers_what_the_page_shows(
    sample: ApiClient, address: str, shown: str
) -> None:
    answer = sample.get(address)
    assert answer.status_code == 200, answer.text
    if shown:
        assert _holds(answer.get_json(), json.loads(shown)), answer.text


def _holds(whole: Any, part: Any) -> bool:
    """True if what is shown is there: some keys of objects, the first entries of lists."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and _holds(whole[key], value) for key, value in part.items()
        )
    if isinstance(part, list):
        return len(whole) >= len(part) and all(map(_holds, whole, part))
    return bool(whole == part)
