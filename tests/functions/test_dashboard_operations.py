"""The pages for those who run the leaderboard, as a reader's browser gets them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from shared import auth
from shared.board_reading import BoardReader
from shared.budget import Budget
from shared.context import Services
from shared.errors import RetryLater
from shared.jobs import State
from shared.ports import DocumentPage, Query
from tests.support.counted_documents import CountedDocuments
from tests.support.dashboard_world import Balanced, client_over
from tests.support.operations_world import HOSTILE_WORDS, running
from tests.support.scenario import open_services

BOUNDS = {
    "/dashboard": 25,
    "/dashboard/pipeline": 18,
    "/costs": 24,
    "/costs?period=month": 47,
    "/costs/ledger": 20,
    "/coverage": 19,
    "/settings": 20,
    "/sign-in": 1,
    "/dashboard/stats": 25,
    "/dashboard/errors": 20,
}
"""The most documents that each page reads, however much there is. A session reads two more."""

PAGES = tuple(address for address in BOUNDS if not address.endswith(("stats", "errors")))


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Services:
    return running(tmp_path_factory.mktemp("operations"))


@pytest.fixture(scope="module")
def key(services: Services) -> str:
    made = auth.create_first_key(services)
    assert made is not None
    return made


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return client_over(services)


@pytest.fixture
def admin(services: Services, key: str) -> FlaskClient:
    found = client_over(services)
    assert found.post("/sign-in", data={"key": key}).status_code == 303
    return found


@pytest.fixture
def empty(tmp_path: Path) -> FlaskClient:
    return client_over(open_services(tmp_path))


def check(page: Balanced, policy: str) -> None:
    assert "unsafe" not in policy
    assert page.inline == []
    assert all(source.startswith("/dashboard/static/") for source in page.sources)
    assert len(set(page.ids)) == len(page.ids)


@pytest.mark.parametrize("address", PAGES)
def test_a_page_is_well_formed_for_everybody(
    client: FlaskClient, admin: FlaskClient, empty: FlaskClient, address: str
) -> None:
    for who in (client, admin, empty):
        answer = who.get(address)
        assert answer.status_code == 200
        check(Balanced(answer.text), answer.headers["Content-Security-Policy"])
        assert len(answer.data) < 60_000
    assert 'method="post"' in admin.get(address).text
    assert "csrf" not in client.get(address).text


@pytest.mark.parametrize("address", PAGES)
def test_hostile_words_are_text(admin: FlaskClient, address: str) -> None:
    text = admin.get(address).text
    assert "<script>alert" not in text
    assert HOSTILE_WORDS not in text


def test_what_an_error_says_is_shown_as_it_is(admin: FlaskClient) -> None:
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in admin.get("/dashboard/pipeline").text


@pytest.mark.parametrize("address", BOUNDS)
def test_a_page_reads_few_documents(services: Services, address: str) -> None:
    counted = CountedDocuments(services.documents)
    cold = replace(
        services,
        documents=counted,
        boards=BoardReader(counted, now=services.now),
        budget=Budget(counted, services.settings, services.now),
    )
    assert client_over(cold).get(address).status_code == 200
    assert counted.done.reads <= BOUNDS[address]
    assert counted.done.writes == 0


def test_a_session_reads_two_documents_more(services: Services, key: str) -> None:
    counted = CountedDocuments(services.documents)
    client = client_over(replace(services, documents=counted))
    client.post("/sign-in", data={"key": key})
    before = counted.done.reads
    client.get("/sign-in")
    assert counted.done.reads - before <= 2


def test_the_budget_is_told_in_gauges_and_words(client: FlaskClient) -> None:
    for address in ("/dashboard", "/costs"):
        text = client.get(address).text
        assert "2.35 USD</b> of 6.50 USD" in text
        assert "0.79 USD reserved" in text
        assert "Forecast <b>" in text
        assert '<title id="gauge-1-title">Today: 36.05 % of the limit spent</title>' in text


def test_freshness_counts_what_was_not_scraped_lately(client: FlaskClient) -> None:
    text = client.get("/dashboard").text
    assert "Of 3 repositories, 2 were not scraped in the last 24 hours." in text


def test_costs_have_a_trend_with_a_table_beside(client: FlaskClient) -> None:
    text = client.get("/costs?period=month").text
    assert text.count('role="img"') == 4
    assert text.count("<summary>As a table</summary>") == 2
    assert len(re.findall(r'<rect class="value', text)) == 30
    assert "octo/wheels" in text
    assert "extract_events" in text
    assert client.get("/costs?period=year").status_code == 400


def test_the_ledger_goes_on(client: FlaskClient) -> None:
    first = client.get("/costs/ledger").text
    (older,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = client.get(older.replace("&amp;", "&"))
    assert second.status_code == 200
    assert "Back to the first" in second.text
    assert client.get("/costs/ledger?after=nonsense").status_code == 400


def test_jobs_are_shown_by_state(client: FlaskClient) -> None:
    everything = client.get("/dashboard/pipeline").text
    assert "reading pull requests" in everything
    for state in State:
        text = client.get(f"/dashboard/pipeline?state={state.value}").text
        assert len(re.findall(r'<li id="job-', text)) == (
            2 if state in {"FAILED", "COMPLETED"} else 1
        )
    assert client.get("/dashboard/pipeline?state=ASLEEP").status_code == 400


def test_a_bad_place_in_a_list_spoils_that_list_only(client: FlaskClient) -> None:
    answer = client.get("/dashboard/pipeline?after=nonsense")
    assert answer.status_code == 200
    assert "This could not be read just now" in answer.text
    assert "Dead letters" in answer.text


def test_the_pipeline_tells_queues_runs_letters_and_schedules(client: FlaskClient) -> None:
    text = client.get("/dashboard/pipeline").text
    assert "Queue high" in text
    assert "2 of 3 repositories scraped, 1 failed" in text
    assert "Preflight failed" in text
    assert "undeliverable_event" in text
    assert "Nightly pipeline" in text
    assert 'data-refresh="3"' in text


def test_forms_are_shown_to_admins_only(client: FlaskClient, admin: FlaskClient) -> None:
    for address, words in (
        ("/dashboard/pipeline", ("Start a run", "Cancel", "Retry", "Discard", "Register")),
        ("/settings", ("Set the limits", "Audit trail")),
    ):
        assert all(word in admin.get(address).text for word in words)
        assert 'method="post"' not in client.get(address).text
    assert "127.0.0.1" in admin.get("/settings").text
    assert "127.0.0.1" not in client.get("/settings").text


def test_coverage_shows_each_window_and_repository(client: FlaskClient) -> None:
    text = client.get("/coverage").text
    assert text.count('class="window"') == 5
    assert "of this window was captured" in text
    assert 'class="hole"' in text
    assert "octo/brakes" in text


def test_settings_tell_the_rules_and_the_limits(client: FlaskClient) -> None:
    text = client.get("/settings").text
    assert "Lines added and lines deleted earn 500 points at most together" in text
    assert "<dd>6.5</dd>" in text
    assert "The audit trail is shown to admins." in text


# --- empty and failing ------------------------------------------------------------------------


def test_empty_pages_say_what_is_not_there_yet(empty: FlaskClient) -> None:
    assert "Nothing is registered yet" in empty.get("/dashboard").text
    pipeline = empty.get("/dashboard/pipeline").text
    assert "No job has run yet." in pipeline
    assert "nothing has failed for good" in pipeline
    assert "No run yet" in pipeline
    assert "Nothing is metered here" in empty.get("/costs").text
    assert "No run has been charged yet" in empty.get("/costs/ledger").text
    coverage = empty.get("/coverage").text
    assert "Nothing was captured yet" in coverage
    assert "No repository is registered" in coverage


def test_the_first_page_lets_somebody_register_a_repository(tmp_path: Path) -> None:
    services = open_services(tmp_path)
    client = client_over(services)
    assert "Register a repository here" not in client.get("/dashboard").text
    client.post("/sign-in", data={"key": auth.create_first_key(services)})
    page = client.get("/dashboard").text
    assert "Register a repository here" in page
    form = {"csrf": token(page), "repository": "https://github.com/octo/engine"}
    answer = client.post("/dashboard/repositories", data=form)
    assert answer.headers["Location"] == "/dashboard/pipeline?done=registered"
    assert "octo/engine" in client.get("/dashboard").text
    wrong = client.post("/dashboard/repositories", data={**form, "repository": "<b>"})
    assert wrong.status_code == 400
    assert "is not a repository name" in wrong.text


def token(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


@dataclass
class Broken:
    """Documents of which one collection cannot be queried, and tasks that cannot be counted."""

    inner: Any
    collection: str

    def query(self, query: Query) -> DocumentPage:
        if query.collection == self.collection:
            raise RetryLater("The store is busy.")
        found: DocumentPage = self.inner.query(query)
        return found

    def depths(self) -> Mapping[str, int]:
        raise RetryLater("The queues are away.")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.mark.parametrize(
    ("collection", "address", "stands"),
    [
        ("jobs", "/dashboard/pipeline", "Nightly pipeline"),
        ("dead_letters", "/dashboard/pipeline", "reading pull requests"),
        ("pipelines", "/dashboard/pipeline", "reading pull requests"),
        ("jobs", "/dashboard", "Top of the board"),
        ("repositories", "/dashboard", "reading pull requests"),
        ("charges", "/costs", "By statement"),
        ("repositories", "/coverage", "365 days"),
        ("budget_configs", "/settings", "Scoring rules"),
    ],
)
def test_a_part_that_cannot_be_read_leaves_the_others(
    services: Services, collection: str, address: str, stands: str
) -> None:
    documents: Any = Broken(services.documents, collection)
    answer = client_over(replace(services, documents=documents)).get(address)
    Balanced(answer.text)
    assert answer.status_code == 200
    assert "The store is busy." in answer.text
    assert stands in answer.text


def test_queues_that_cannot_be_counted_are_said_to_be(services: Services) -> None:
    tasks: Any = Broken(services.tasks, "")
    client = client_over(replace(services, tasks=tasks))
    assert "The queues are away." in client.get("/dashboard/pipeline").text
    assert client.get("/dashboard/stats").get_json()["queues"] is None


# --- who may see what is spent --------------------------------------------------------------


def test_elsewhere_than_here_costs_take_a_key(services: Services, key: str) -> None:
    settings = services.settings.model_copy(update={"backend": "gcp"})
    client = client_over(replace(services, settings=settings))
    assert client.get("/costs").status_code == 401
    assert client.get("/costs/ledger").status_code == 401
    dashboard = client.get("/dashboard")
    assert "What is spent here is shown to those who sign in." in dashboard.text
    assert "USD" not in dashboard.text
    assert "Limits are shown to those who sign in." in client.get("/settings").text
    assert client.get("/dashboard/stats").get_json()["budget"] is None
    with_key = client.get("/dashboard/stats", headers={"X-API-Key": key}).get_json()
    assert with_key["budget"]["day"]["spent_usd"] == 2.34375
    client.post("/sign-in", data={"key": key}, base_url="https://localhost")
    signed_in = client.get("/costs", base_url="https://localhost")
    assert "2.35 USD" in signed_in.text


# --- for programs ---------------------------------------------------------------------------


def test_stats_are_told_as_json(client: FlaskClient) -> None:
    found = client.get("/dashboard/stats").get_json()
    assert found["totals"]["contributors"] == 11
    assert found["totals"]["captured_percent"] == "2.76"
    assert found["jobs_today"]["more"] is True
    assert sum(found["jobs_today"]["by_state"].values()) == 5
    assert found["budget"]["month"]["limit_usd"] == 50
    assert found["freshness"]["longest_ago"][0]["at"] is None
    assert set(found["queues"]) == {"high", "default", "low", "bulk"}


def test_errors_are_told_as_json(client: FlaskClient) -> None:
    found = client.get("/dashboard/errors").get_json()
    assert [job["repository"] for job in found["failed_jobs"]] == ["octo/horn", "octo/brakes"]
    assert found["failed_jobs"][1]["error"]["code"] == "not_found"
    assert len(found["dead_letters"]) == 3
    assert found["more_dead_letters"] is False
