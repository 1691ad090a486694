"""The live log in a browser, of the real server: during a scrape, over a restart, paused."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from shared import jobs, live_log
from shared.jobs import Progress, State
from shared.live_log import Level
from tests.browser.conftest import Visit
from tests.support.eventually import eventually
from tests.support.fast_folder import fast_folder
from tests.support.lines import ENGINE, WHEELS
from tests.support.live_server import LiveServer, live_server
from tests.support.scenario import LINES, ingest

STEPS = ["started", "crediting contributions", "publishing boards", "completed"]


@pytest.fixture(scope="module")
def server(browser: Browser) -> Iterator[LiveServer]:
    """A server that knows events of two repositories and has the first of them registered."""
    with fast_folder() as folder, live_server(folder / "data", ()) as running:
        ingest(running.services, folder / "files", {"events.json.gz": LINES})
        assert running.register(ENGINE.name).status_code in (201, 202)
        running.settle()
        yield running


def again(server: LiveServer, repository: str = ENGINE.name) -> str:
    """Ask for a scrape; the id of its job."""
    answer = server.client.post(f"/api/v1/repositories/{repository}/scrape", json={})
    assert answer.is_success, answer.text
    return str(answer.json()["data"]["id"])


def say(server: LiveServer, message: str, level: Level = Level.INFO) -> str:
    """Say something of a job that there was; its id."""
    (found,) = jobs.listed(server.services, {}, limit=1).documents
    server.services.documents.write(
        [live_log.line(server.services, jobs.read(found), level, message)]
    )
    return found.id


def state(page: Page) -> Locator:
    return page.locator(".live-state")


def lines(page: Page, job: str | None = None) -> Locator:
    of_job = "" if job is None else f"[data-job='{job}']"
    return page.get_by_role("log").locator(f"li{of_job}")


def messages(page: Page, job: str) -> list[str]:
    return lines(page, job).locator("bdi:last-child").all_inner_texts()


def test_a_scrape_is_followed_line_by_line_and_its_card_with_it(
    visit: Visit, server: LiveServer
) -> None:
    reader = visit(server.running.url)
    page = reader.page
    reader.go("/dashboard/pipeline")
    expect(state(page)).to_have_text("Live")
    job = server.register(WHEELS.name).json()["data"]["job"]["id"]
    expect(lines(page, job).filter(has_text="completed")).to_have_count(1, timeout=30_000)
    assert messages(page, job) == STEPS
    # The page was made before there was such a job.
    card = page.locator(f"#jobs-part [data-live-job='{job}']")
    expect(card).to_contain_text(WHEELS.name)
    expect(card.locator(".chip")).to_have_text("Completed")


def test_a_card_is_brought_up_to_date_by_the_log_alone(visit: Visit, server: LiveServer) -> None:
    reader = visit(server.running.url)
    page = reader.page
    (found,) = jobs.listed(server.services, {}, limit=1).documents
    before = jobs.read(found)
    job = before.model_copy(update={"id": f"1{server.services.new_id()}"[:23]})

    def stands(state: State, done: int, message: str) -> None:
        progress = Progress(done=done, total=5, message=message)
        moved = job.model_copy(update={"state": state, "progress": progress})
        server.services.documents.write([jobs.stored(moved)])

    stands(State.RUNNING, 2, "reading pull requests")
    # Otherwise the page would look again by itself.
    page.route("**/live.js*", lambda route: route.fulfill(body="", content_type="text/javascript"))
    reader.go("/dashboard/pipeline")
    card = page.locator(f"#jobs-part [data-live-job='{job.id}']")
    expect(card.get_by_role("progressbar")).to_have_attribute("value", "2")
    stands(State.RUNNING, 4, "reading reviews")
    expect(card.get_by_role("progressbar")).to_have_attribute("value", "4")
    expect(card).to_contain_text("reading reviews")
    stands(State.COMPLETED, 5, "completed")
    expect(card.locator(".chip")).to_have_text("Completed")


def test_a_running_job_has_a_page_that_follows_it_to_its_end(
    visit: Visit, server: LiveServer
) -> None:
    reader = visit(server.running.url)
    page = reader.page
    job = again(server)
    reader.go(f"/jobs/{job}")
    expect(page.locator(".chip")).to_have_text("Completed", timeout=30_000)
    expect(page.get_by_role("heading", name="Result")).to_be_visible()


def test_lines_are_chosen_by_level_and_job_and_errors_stand_out(
    visit: Visit, server: LiveServer
) -> None:
    job = say(server, "all is well")
    say(server, "this went wrong", Level.ERROR)
    reader = visit(server.running.url)
    page = reader.page
    reader.go("/dashboard/logs")
    expect(lines(page).filter(has_text="all is well")).to_have_count(1)
    wrong = lines(page).filter(has_text="this went wrong")
    expect(wrong).to_have_class("error")
    expect(wrong.locator("b")).to_have_text("error")
    page.get_by_label("Level").select_option("error")
    expect(lines(page).filter(has_text="all is well")).to_have_count(0)
    expect(wrong).to_have_count(1)
    page.get_by_label("Level").select_option("info")
    page.get_by_label("Job").fill(job)
    page.keyboard.press("Enter")
    expect(lines(page).first).to_be_visible()
    expect(lines(page)).to_have_count(lines(page, job).count())
    page.get_by_role("button", name="Clear").click()
    expect(lines(page)).to_have_count(0)
    expect(page.get_by_text("Nothing was said yet")).to_be_visible()


def test_a_pause_holds_lines_back_and_loses_none(visit: Visit, server: LiveServer) -> None:
    reader = visit(server.running.url)
    page = reader.page
    reader.go("/dashboard/logs")
    expect(state(page)).to_have_text("Live")
    pause = page.get_by_role("button", name="Pause")
    pause.focus()
    page.keyboard.press("Space")
    expect(state(page)).to_have_text("Paused")
    for number in range(3):
        say(server, f"held {number}")
    expect(state(page)).to_have_text("Paused, 3 new")
    expect(lines(page).filter(has_text="held")).to_have_count(0)
    page.get_by_role("button", name="Go on").click()
    expect(lines(page).filter(has_text="held")).to_have_count(3)
    expect(state(page)).to_have_text("Live")


def test_the_newest_line_stays_in_sight_until_one_scrolls_by_oneself(
    visit: Visit, server: LiveServer
) -> None:
    for number in range(40):
        say(server, f"many {number}")
    reader = visit(server.running.url)
    page = reader.page
    reader.go("/dashboard/logs")
    expect(lines(page).filter(has_text="many 39")).to_be_in_viewport()
    page.get_by_label("Scroll along").uncheck()
    log = page.get_by_role("log")
    log.focus()
    page.keyboard.press("Home")
    eventually(lambda: log.evaluate("log => log.scrollTop") == 0)
    say(server, "one more")
    expect(lines(page).filter(has_text="one more")).to_have_count(1)
    assert log.evaluate("log => log.scrollTop") == 0


def test_a_hidden_page_lets_go_and_takes_up_again_without_a_gap(
    visit: Visit, server: LiveServer
) -> None:
    reader = visit(server.running.url)
    page = reader.page
    reader.go("/dashboard/logs")
    expect(state(page)).to_have_text("Live")
    before = lines(page).count()
    _hide(page, True)
    expect(state(page)).to_have_text("Asleep while this page is hidden")
    say(server, "said in the meantime")
    _hide(page, False)
    expect(lines(page).filter(has_text="said in the meantime")).to_have_count(1)
    expect(lines(page)).to_have_count(before + 1)


def _hide(page: Page, hidden: bool) -> None:
    page.evaluate(
        "value => { Object.defineProperty(document, 'hidden', { value, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


def test_silence_is_taken_for_a_lost_connection_which_is_made_anew(
    visit: Visit, server: LiveServer
) -> None:
    reader = visit(server.running.url)
    page = reader.page
    page.clock.install()
    reader.go("/dashboard/logs")
    expect(state(page)).to_have_text("Live")
    page.clock.fast_forward(76_000)
    expect(state(page)).to_have_text(re.compile(r"^Connection lost, trying again in \d s$"))
    page.clock.fast_forward(2_000)
    expect(state(page)).to_have_text("Live")


def test_waits_grow_while_nobody_answers(visit: Visit, server: LiveServer) -> None:
    reader = visit(server.running.url)
    page = reader.page
    page.clock.install()
    page.route("**/dashboard/logs/stream*", lambda route: route.abort())
    with page.expect_console_message():
        reader.go("/dashboard/logs")
    waits = []
    for _ in range(4):
        expect(state(page)).to_have_text(re.compile("^Connection lost"))
        (wait,) = re.findall(r"\d+", state(page).inner_text())
        waits.append(int(wait))
        with page.expect_console_message():
            page.clock.fast_forward((waits[-1] + 1) * 1000)
    assert waits == sorted(waits)
    assert waits[-1] >= 6
    assert all("ERR_FAILED" in each for each in reader.complaints)
    reader.complaints.clear()


def test_after_a_restart_of_the_server_the_log_goes_on_without_a_gap_or_repetition(
    visit: Visit, server: LiveServer
) -> None:
    reader = visit(server.running.url)
    page = reader.page
    reader.go("/dashboard/logs")
    expect(state(page)).to_have_text("Live")
    first = say(server, "before the restart")
    expect(lines(page, first).filter(has_text="before the restart")).to_have_count(1)
    pid = server.running.server_pid
    os.kill(pid, signal.SIGKILL)
    expect(state(page)).to_have_text(re.compile("^Connection lost"))
    say(server, "while nobody served")
    expect(state(page)).to_have_text("Live", timeout=60_000)
    assert server.running.server_pid != pid
    expect(lines(page).filter(has_text="while nobody served")).to_have_count(1)
    expect(lines(page).filter(has_text="before the restart")).to_have_count(1)
    job = again(server)
    expect(lines(page, job).filter(has_text="completed")).to_have_count(1, timeout=30_000)
    assert messages(page, job)[0] == "started"
    # What Chromium says of a server that is away is the one complaint.
    assert all("ERR_" in said for said in reader.complaints)
    reader.complaints.clear()


def test_a_socket_brings_the_same_lines(visit: Visit, server: LiveServer) -> None:
    reader = visit(server.running.url)
    page = reader.page
    reader.go("/dashboard")
    say(server, "by socket")
    heard = page.evaluate(
        """() => new Promise((heard, failed) => {
          const socket = new WebSocket(`ws://${location.host}/dashboard/ws/logs`);
          socket.onerror = failed;
          socket.onmessage = ({ data }) => { if (data.includes("by socket")) heard(data); };
        })"""
    )
    assert json.loads(heard)["data"]["message"] == "by socket"
