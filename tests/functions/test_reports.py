"""The weekly report as page, letter and message, and what else is told outside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from functions.maintenance import sweep
from functions.reports import send
from shared import breaker, job_steps, jobs, notices, personal_data, removals, weekly_report
from shared.board_reading import Selection
from shared.boards import GLOBAL
from shared.context import SYSTEM, Services
from shared.errors import Rejected, RetryLater
from shared.jobs import Job, JobType, Stage
from shared.models import iso
from shared.ports import Fields, Query, Write
from shared.webhooks import DELIVERY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signature
from tests.support.dashboard_world import HOSTILE, LATER, Balanced, client_over, filled, scrape
from tests.support.job_world import Killed
from tests.support.lines import BEN, day, push
from tests.support.manual_clock import ManualClock
from tests.support.receiver import Receiver, receiver
from tests.support.scenario import ingest, open_services

SECRET = "sixteen letters.."


@pytest.fixture
def listening() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def settings(listening: Receiver) -> dict[str, str]:
    return {
        "notify_webhook_url": f"{listening.url}/generic",
        "notify_webhook_secret": SECRET,
        "slack_webhook_url": f"{listening.url}/slack",
        "public_url": "https://boards.example/",
    }


@pytest.fixture
def services(tmp_path: Path, clock: ManualClock, listening: Receiver) -> Services:
    return open_services(tmp_path / "data", clock, retry_seconds=(), **settings(listening))


def failed_job(services: Services, message: str = "no such luck") -> Job:
    job = jobs.new(
        services,
        SYSTEM,
        JobType.FULL_SCRAPE,
        Stage.SCRAPE,
        "high",
        repository=("octo/engine", "octo~engine"),
    )
    services.documents.write([jobs.stored(job)])

    def fails(_: Job) -> Any:
        raise Rejected(message)

    assert job_steps.run(services, job.id, 0, "once", fails) is not None
    return job


def told(listening: Receiver, target: str) -> list[Any]:
    return [call for call in listening.received if call.function == target]


def test_a_failed_job_is_told_once_to_both_addresses(
    services: Services, listening: Receiver
) -> None:
    job = failed_job(services)
    sweep(services)
    sweep(services)
    (generic,) = told(listening, "generic")
    (slack,) = told(listening, "slack")
    assert generic.json["event"] == "job_failed"
    assert generic.json["title"] == "A job failed: full scrape of octo/engine"
    assert generic.json["text"] == "no such luck"
    assert generic.json["url"] == f"https://boards.example/jobs/{job.id}"
    assert generic.json["details"]["job_id"] == job.id
    timestamp = generic.headers[TIMESTAMP_HEADER.lower()]
    signed = generic.headers[SIGNATURE_HEADER.lower()]
    assert signed == signature(SECRET, timestamp, generic.body)
    assert generic.headers[DELIVERY_HEADER.lower()] == f"job-{job.id}-0"
    assert slack.json == {
        "text": "*A job failed: full scrape of octo/engine*\nno such luck\n"
        f"<https://boards.example/jobs/{job.id}|Show>"
    }
    assert SIGNATURE_HEADER.lower() not in slack.headers


def test_a_message_can_call_nobody_in_slack(services: Services, listening: Receiver) -> None:
    failed_job(services, "<!channel> & <https://evil.example|click>")
    sweep(services)
    (slack,) = told(listening, "slack")
    assert "&lt;!channel&gt; &amp; &lt;https://evil.example|click&gt;" in slack.json["text"]


def test_what_cannot_be_sent_now_is_sent_later_and_what_is_refused_is_given_up(
    services: Services, listening: Receiver, clock: ManualClock
) -> None:
    listening.answer("generic", 503)
    listening.answer("slack", 404)
    failed_job(services)
    assert notices.sweep(services) == 0
    assert notices.sweep(services) == 0
    assert len(told(listening, "generic")) == 1
    clock.advance(timedelta(minutes=1))
    assert notices.sweep(services) == 1
    assert len(told(listening, "generic")) == 2
    assert len(told(listening, "slack")) == 1
    clock.advance(timedelta(days=1))
    assert notices.sweep(services) == 0


def test_a_target_that_never_answers_is_given_up_and_nothing_is_kept_of_it(
    services: Services, listening: Receiver, clock: ManualClock
) -> None:
    listening.answer("generic", *[503] * notices.ATTEMPTS)
    job = failed_job(services)
    for _ in range(notices.ATTEMPTS + 4):
        notices.sweep(services)
        clock.advance(timedelta(hours=2))
    assert len(told(listening, "generic")) == notices.ATTEMPTS
    (left,) = services.documents.get(f"notices/job-{job.id}-0~generic")
    assert left is not None
    assert (left.fields["sent"], left.fields["text"]) == (False, "")
    clock.advance(notices.KEPT)
    notices.sweep(services)
    assert services.documents.get(f"notices/job-{job.id}-0~generic") == (None,)


def test_a_notice_waits_for_a_target_that_is_left_alone_without_losing_an_attempt(
    services: Services, listening: Receiver, clock: ManualClock
) -> None:
    listening.answer("generic", *[503] * breaker.FAILURES)
    for _ in range(breaker.FAILURES):
        with pytest.raises(RetryLater):
            services.breaker.guard(
                "notices-generic",
                lambda: services.outward.post(f"{listening.url}/generic", b"", {}),
            )
    job = failed_job(services)
    notices.sweep(services)
    (waiting,) = services.documents.get(f"notices/job-{job.id}-0~generic")
    assert waiting is not None
    assert waiting.fields["attempts"] == 0
    assert waiting.fields["due_at"] == iso(clock() + breaker.PAUSE)
    clock.advance(breaker.PAUSE)
    assert notices.sweep(services) == 1
    assert len(told(listening, "generic")) == breaker.FAILURES + 1


def test_a_sweep_that_is_killed_while_it_sends_leaves_that_to_a_later_one(
    services: Services, listening: Receiver, clock: ManualClock
) -> None:
    class Dying:
        def post(self, *_: object) -> None:
            raise Killed

    failed_job(services)
    with pytest.raises(Killed):
        notices.sweep(replace(services, outward=Dying()))
    clock.advance(timedelta(minutes=1))
    assert notices.sweep(services) == 2
    assert len(told(listening, "generic")) == len(told(listening, "slack")) == 1


def test_two_sweeps_at_once_send_a_notice_once(services: Services, listening: Receiver) -> None:
    job = failed_job(services)
    (document,) = services.documents.get(f"notices/job-{job.id}-0~generic")
    assert document is not None
    notice = notices._read(document)
    assert notices._send(services, notice)
    assert not notices._send(services, notice)
    assert len(told(listening, "generic")) == 1


def test_only_what_is_wanted_is_told(
    tmp_path: Path, clock: ManualClock, listening: Receiver
) -> None:
    quiet = open_services(
        tmp_path / "quiet", clock, retry_seconds=(), notify_events=(), **settings(listening)
    )
    alone = open_services(tmp_path / "alone", clock, retry_seconds=())
    for made in (quiet, alone):
        failed_job(made)
        sweep(made)
    assert listening.received == []


def test_a_budget_that_is_nearly_spent_is_told_once_a_period(
    tmp_path: Path, clock: ManualClock, listening: Receiver
) -> None:
    made = open_services(
        tmp_path,
        clock,
        price_per_tib_usd=Decimal(5),
        budget_daily_usd=Decimal(5),
        **settings(listening),
    )
    name = iso(clock())[:10]
    spent: Fields = {"name": name, "spent": 4_100_000, "reserved": 0}
    made.documents.write([Write(f"budget_days/{name}", spent)])
    for _ in range(3):
        notices.sweep(made)
        clock.advance(timedelta(minutes=5))
    (generic,) = told(listening, "generic")
    assert generic.json["event"] == "budget_warning"
    assert generic.json["title"] == f"82 % of the budget of {name} is spent"
    assert generic.json["text"].startswith("4.10 USD of 5.00 USD.")


# --- the weekly report ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Services:
    return filled(tmp_path_factory.mktemp("published"))


def at_the_time_of(services: Services, clock: ManualClock, listening: Receiver) -> Services:
    chosen = services.settings.model_copy(update=settings(listening))
    return replace(services, settings=chosen, now=clock)


@pytest.fixture
def boards(published: Services, clock: ManualClock, listening: Receiver) -> Services:
    """Boards of which nothing was reported yet. Nothing else of them is to be changed."""
    for collection in ("reports", "notices"):
        found = published.documents.query(Query(collection, limit=500)).documents
        published.documents.write([Write(document.path, None) for document in found])
    return at_the_time_of(published, clock, listening)


def test_the_report_is_sent_once_a_week_and_compared_with_the_one_before(
    clock: ManualClock, listening: Receiver, tmp_path: Path
) -> None:
    boards = at_the_time_of(filled(tmp_path), clock, listening)
    send(boards)
    send(boards)
    notices.sweep(boards)
    (first,) = told(listening, "generic")
    assert first.json["event"] == "weekly_movers"
    assert first.json["details"]["movers"] == []
    assert first.json["details"]["top"][0]["username"] == "zoe"
    clock.advance(timedelta(days=7))
    risen = [push(300, day(14), HOSTILE[0], push_id=300, distinct_size=500)]
    ingest(boards, tmp_path / "more", {"three.json.gz": [*LATER, *risen]})
    scrape(boards)
    # Another process: this one may know the old board for two seconds more.
    boards = at_the_time_of(open_services(tmp_path / "data"), clock, listening)
    send(boards)
    notices.sweep(boards)
    second = told(listening, "generic")[-1]
    mover = second.json["details"]["movers"][0]
    assert (mover["username"], mover["rank"]) == (HOSTILE[0].login, 1)
    assert mover["before"] > 1
    assert HOSTILE[0].login in second.json["text"]
    assert "&lt;script&gt;" in told(listening, "slack")[-1].json["text"]
    page = client_over(boards).get("/reports/weekly")
    assert page.status_code == 200
    Balanced(page.text)


def test_the_letter_needs_nothing_from_anywhere(boards: Services) -> None:
    answer = client_over(boards).get("/reports/weekly/letter")
    assert answer.status_code == 200
    page = Balanced(answer.text)
    assert page.sources == []
    assert set(page.inline) == {"style"}
    assert not re.search(r"<(img|script|link|style)\b", answer.text)
    assert all(link.startswith("https://boards.example/") for link in page.links)
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "zoe" in answer.text


def test_the_letter_goes_along_with_the_message_and_not_to_slack(
    boards: Services, listening: Receiver
) -> None:
    send(boards)
    notices.sweep(boards)
    (generic,) = told(listening, "generic")
    Balanced(generic.json["details"]["html"].strip())
    assert "html" not in told(listening, "slack")[0].json


def test_without_a_board_there_is_no_report_and_no_failure(
    services: Services, listening: Receiver
) -> None:
    send(services)
    notices.sweep(services)
    assert listening.received == []
    assert "No report yet" in client_over(services).get("/reports/weekly").text
    assert client_over(services).get("/reports/weekly/letter").status_code == 404


def test_what_is_kept_for_comparison_names_nobody_and_forgets(boards: Services) -> None:
    send(boards)
    (kept,) = weekly_report._kept(boards)
    assert b"zoe" not in (kept.body or b"")
    assert 950 in weekly_report._ranks(kept)
    weekly_report.forget(boards, 950)
    (after,) = weekly_report._kept(boards)
    ranks = weekly_report._ranks(after)
    assert 950 not in ranks
    assert len(ranks) == len(weekly_report._ranks(kept)) - 1


def test_a_report_that_waits_is_withdrawn_when_somebody_in_it_is_removed(
    boards: Services, listening: Receiver
) -> None:
    send(boards)
    zoe, nobody = [950], [99_999]
    notice, rank = (personal_data.HOLDINGS[name] for name in ("notices", "reports"))
    assert notice.export(boards, nobody) == rank.export(boards, nobody) == []
    assert len(notice.export(boards, zoe)) == 2
    assert rank.export(boards, zoe) != []
    for held in (notice, rank):
        assert held.remove is not None
        held.remove(boards, nobody)
        assert held.export(boards, zoe) != []
        held.remove(boards, zoe)
        assert held.export(boards, zoe) == []
    notices.sweep(boards)
    assert listening.received == []


def test_whoever_wants_to_be_gone_is_in_no_report_though_boards_show_them_still(
    clock: ManualClock, listening: Receiver, tmp_path: Path
) -> None:
    boards = at_the_time_of(filled(tmp_path), clock, listening)
    removals.remove(boards, 950, SYSTEM)
    removals.hide(boards, BEN.id, SYSTEM)
    assert "zoe" in [row.username for row in boards.boards.read(GLOBAL, "7d", Selection()).rows]
    made = weekly_report.build(boards)
    names = {row.username for row in made.top}
    assert names & {"zoe", BEN.login} == set()
    assert any(name.startswith("anonymous-") for name in names)
    assert "zoe" not in client_over(boards).get("/reports/weekly").text
    send(boards)
    for account in (950, BEN.id):
        assert weekly_report.export(boards, account) == []
        assert personal_data.HOLDINGS["notices"].export(boards, [account]) == []
    notices.sweep(boards)
    assert "zoe" not in told(listening, "generic")[0].body.decode()


def test_a_report_made_before_somebodys_wish_is_not_sent_after_it(
    clock: ManualClock, listening: Receiver, tmp_path: Path
) -> None:
    boards = at_the_time_of(filled(tmp_path), clock, listening)
    made = weekly_report.build(boards)
    removals.remove(boards, 950, SYSTEM)
    with pytest.raises(RetryLater):
        weekly_report.send(boards, made, "")
    assert notices.waiting(boards, weekly_report.EVENT) == []
    assert weekly_report._kept(boards) == ()


def test_no_more_weeks_are_kept_than_are_of_use(boards: Services, clock: ManualClock) -> None:
    for _ in range(10):
        send(boards)
        clock.advance(timedelta(days=7))
    weeks = [str(document.fields["week"]) for document in weekly_report._kept(boards)]
    assert len(weeks) == 8
    assert weeks == sorted(weeks, reverse=True)
