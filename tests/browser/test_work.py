"""What those who run the leaderboard do about its work, in their browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from functions.dashboard import responses
from shared import jobs, repositories
from shared.jobs import Progress, State
from shared.models import RepositoryName, iso
from shared.ports import Write
from tests.browser.conftest import Visit
from tests.support.browser_world import Site, listening, served
from tests.support.operations_world import with_money, with_work
from tests.support.scenario import open_services


@pytest.fixture
def works(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A leaderboard with work and money, for one test to change."""
    services = with_work(
        with_money(open_services(tmp_path_factory.mktemp("works"), retry_seconds=()), days=3)
    )
    with served(services) as found:
        yield found


def jobs_in(page: Page, state: str) -> int:
    return page.locator("#jobs-part .chip", has_text=re.compile(f"^{state}$")).count()


def test_the_first_page_leads_from_nothing_to_a_job_by_keyboard_alone(
    visit: Visit, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with served(open_services(tmp_path_factory.mktemp("first"))) as site:
        reader = visit(site.url)
        page = reader.page
        reader.go("/dashboard")
        expect(page.get_by_role("heading", level=1)).to_have_text("Nothing is registered yet")
        page.get_by_role("main").get_by_role("link", name="Sign in").focus()
        page.keyboard.press("Enter")
        page.get_by_label("API key").focus()
        page.keyboard.type("lb_00000000_wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("This key is not known")
        expect(page.get_by_label("API key")).to_have_attribute("aria-invalid", "true")
        # Chromium tells of the refusal's status by itself.
        assert all("status of 401" in said for said in reader.complaints)
        reader.complaints.clear()
        page.get_by_label("API key").focus()
        page.keyboard.type(site.key)
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_be_visible()
        page.get_by_label("Repository on GitHub").focus()
        page.keyboard.type("https://github.com/octo/engine")
        page.keyboard.press("Enter")
        page.wait_for_url("**/dashboard/pipeline?done=registered")
        expect(page.locator("#jobs-part li")).to_contain_text("octo/engine")
        assert site.key not in page.content() + str(page.context.storage_state()["origins"])
        reader.leave()


def test_an_admin_retries_cancels_and_discards(visit: Visit, works: Site) -> None:
    reader = visit(works.url, works.key)
    page = reader.page
    reader.go("/dashboard/pipeline")
    failed, cancelled = jobs_in(page, "Failed"), jobs_in(page, "Cancelled")
    assert (failed, cancelled) == (2, 1)
    page.get_by_role("button", name="Retry the full scrape of octo/brakes").first.click()
    page.wait_for_url("**/dashboard/pipeline?done=retried")
    assert jobs_in(page, "Failed") == failed - 1
    running = page.locator("#jobs-part li", has_text="reading pull requests")
    running.get_by_role("button", name=re.compile("Cancel")).click()
    page.wait_for_url("**/dashboard/pipeline?done=cancelled")
    assert jobs_in(page, "Cancelled") == cancelled + 1
    letters = page.locator("#letters-part li")
    before = letters.count()
    letters.get_by_role("button", name=re.compile("Discard")).first.click()
    page.wait_for_url("**/dashboard/pipeline?done=discarded")
    expect(letters).to_have_count(before - 1)


def test_a_list_of_jobs_follows_what_happens_and_the_keyboard_stays(
    visit: Visit, works: Site
) -> None:
    reader = visit(works.url, works.key)
    page = reader.page
    page.clock.install()
    reader.go("/dashboard/pipeline")
    (found,) = jobs.listed(works.services, {"state": State.RUNNING.value}, limit=1).documents
    row = page.locator(f"#job-{found.id}")
    row.get_by_role("button", name=re.compile("Cancel")).focus()
    moved = jobs.read(found).model_copy(
        update={"progress": Progress(done=4, total=5, message="reading reviews")}
    )
    works.services.documents.write([jobs.stored(moved)])
    page.clock.fast_forward(3_000)
    expect(row).to_contain_text("reading reviews")
    expect(row.get_by_role("progressbar")).to_have_attribute("value", "4")
    expect(row.get_by_role("button", name=re.compile("Cancel"))).to_be_focused()


@pytest.mark.parametrize("has_ended", [False, True], ids=["goes on", "ended meanwhile"])
def test_a_newer_job_does_not_get_the_keyboard_of_an_older_one(
    visit: Visit, works: Site, has_ended: bool
) -> None:
    reader = visit(works.url, works.key)
    page = reader.page
    page.clock.install()
    reader.go("/dashboard/pipeline")
    (found,) = jobs.listed(works.services, {"state": State.RUNNING.value}, limit=1).documents
    running = jobs.read(found)
    row = page.locator(f"#job-{found.id}")
    row.get_by_role("button", name=re.compile("Cancel")).focus()
    newer = running.model_copy(
        update={"id": "newer", "created_at": iso(works.services.now() + timedelta(hours=1))}
    )
    ended = running.model_copy(update={"state": State.FAILED, "finished_at": newer.created_at})
    works.services.documents.write([jobs.stored(newer), *([jobs.stored(ended)] * has_ended)])
    page.clock.fast_forward(3_000)
    expect(page.locator("#jobs-part li").first).to_have_id("job-newer")
    if has_ended:
        # What was to cancel must not retry under the same finger.
        expect(row.get_by_role("button", name=re.compile("Retry"))).to_be_visible()
        expect(row.get_by_role("link")).to_be_focused()
    else:
        expect(row.get_by_role("button", name=re.compile("Cancel"))).to_be_focused()


def test_nor_does_a_newer_dead_letter(visit: Visit, works: Site) -> None:
    reader = visit(works.url, works.key)
    page = reader.page
    page.clock.install()
    reader.go("/dashboard/pipeline")
    row = page.locator("#letter-message-17")
    row.get_by_role("button", name=re.compile("Retry")).focus()
    (older,) = works.services.documents.get("dead_letters/message-17")
    assert older is not None
    later = {"message_id": "18", "failed_at": iso(works.services.now() + timedelta(hours=1))}
    works.services.documents.write([Write("dead_letters/message-18", {**older.fields, **later})])
    page.clock.fast_forward(3_000)
    expect(page.locator("#letters-part li").first).to_have_id("letter-message-18")
    expect(row.get_by_role("button", name=re.compile("Retry"))).to_be_focused()


def test_what_was_opened_and_typed_in_a_row_stays_in_that_row(visit: Visit) -> None:
    rows = ["older"]
    app = Flask("rows", static_folder=responses.STATIC)

    @app.get("/")
    def page_of_rows() -> str:
        items = (
            f"<li id={row}><details><summary>More</summary><form action=/{row}>"
            f"<input name=note value=unchanged></form></details></li>"
            for row in rows
        )
        return (
            "<!doctype html><link rel=icon href=data:,>"
            "<script src=/static/live.js defer></script>"
            f"<main id=main data-refresh=3><ul>{''.join(items)}</ul></main>"
        )

    with listening(app) as there:
        reader = visit(there)
        page = reader.page
        page.clock.install()
        reader.go("/")
        page.locator("#older summary").click()
        page.locator("#older input").fill("mine")
        rows.insert(0, "newer")
        page.clock.fast_forward(3_000)
        expect(page.locator("li").first).to_have_id("newer")
        assert page.locator("#older details").get_attribute("open") is not None
        assert page.locator("#newer details").get_attribute("open") is None
        expect(page.locator("#older input")).to_be_focused()
        expect(page.locator("#older input")).to_have_value("mine")
        expect(page.locator("#newer input")).to_have_value("unchanged")
        reader.leave()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_repository_is_paused_and_resumed_by_keyboard_alone(
    visit: Visit, works: Site, scripts: bool
) -> None:
    reader = visit(works.url, works.key, java_script_enabled=scripts)
    page = reader.page
    reader.go("/coverage")
    for verb, done in (("Pause", "is paused"), ("Resume", "goes on")):
        page.get_by_role("button", name=f"{verb} octo/brakes").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text(done)
        assert page.url.startswith(f"{works.url}/coverage")
        paused = repositories.get(works.services, RepositoryName("octo", "brakes")).paused
        assert paused is (verb == "Pause")
    reader.go("/repositories/octo/brakes")
    page.get_by_role("button", name="Pause octo/brakes").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("until an admin resumes it")).to_be_visible()


def test_limits_of_the_budget_are_set_and_refused_in_words(visit: Visit, works: Site) -> None:
    reader = visit(works.url, works.key)
    page = reader.page
    reader.go("/settings")
    field = page.locator("#limit-daily_usd")
    assert field.input_value() == "6.5"
    field.fill("7.25")
    page.get_by_role("button", name="Set the limits").click()
    page.wait_for_url("**/settings?done=budget")
    expect(field).to_have_value("7.25")
    assert works.services.budget.limits().daily_usd == Decimal("7.25")
    reader.go("/costs")
    expect(page.locator(".gauges").first).to_contain_text("7.25 USD")


def test_somebody_signs_out_and_the_forms_are_gone(visit: Visit, works: Site) -> None:
    reader = visit(works.url, works.key)
    page = reader.page
    reader.go("/dashboard/pipeline")
    expect(page.get_by_role("button", name="Start a run")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/dashboard?done=signed-out")
    reader.go("/dashboard/pipeline")
    expect(page.get_by_role("button")).to_have_count(2)  # those of the live log
    assert page.context.cookies() == []


def test_costs_and_the_ledger_are_paged_and_chosen(visit: Visit) -> None:
    reader = visit()
    page = reader.page
    reader.go("/costs")
    page.get_by_role("link", name="30 days").click()
    expect(page).to_have_url(re.compile("period=month"))
    page.get_by_text("As a table").first.click()
    expect(page.locator("details[open] tbody tr")).to_have_count(30)
    reader.go("/costs/ledger")
    first = page.locator("main tbody tr").first.inner_text()
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Back to the first")).to_be_visible()
    assert page.locator("main tbody tr").first.inner_text() != first


def test_a_widget_that_cannot_be_read_says_so_beside_the_others(visit: Visit, works: Site) -> None:
    class Away:
        def depths(self) -> dict[str, int]:
            from shared.errors import RetryLater

            raise RetryLater("The queues are away.")

    broken = replace(works.services, tasks=Away())  # type: ignore[arg-type]
    with served(broken, key=works.key) as site:
        reader = visit(site.url)
        reader.go("/dashboard/pipeline")
        expect(reader.page.locator("#queues-part")).to_contain_text("The queues are away.")
        expect(reader.page.locator("#jobs-part")).to_contain_text("reading pull requests")
        reader.leave()
