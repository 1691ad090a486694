"""One profile: asked for, read, put off, lost, forgotten, read again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from shared import enrichment, enrichment_steps
from shared.context import SYSTEM
from shared.enrichment import EnrichmentState, is_due
from shared.errors import Conflict, NotFound, Rejected, RetryLater
from shared.github import Profile
from shared.lookups import LookedUp
from shared.mails import mail_digest, mail_secret
from shared.models import iso
from tests.support.enrichment_world import ANA, BY_KEY, Profiling
from tests.support.fake_profiles import full, profile
from tests.support.job_world import Killed, World
from tests.support.scenario import everything

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LEASE = timedelta(seconds=331)


@pytest.fixture
def profiling(world: World) -> Profiling:
    made = Profiling(world)
    made.github.known["ana"] = full(ANA, "ana")
    return made


def test_a_profile_is_read_once_and_noted_with_sources_and_times(profiling: Profiling) -> None:
    asked = profiling.ask()
    assert asked.state is EnrichmentState.PENDING
    assert (profiling.last().queue, profiling.last().function) == ("low", "enrich_contributor")
    assert profiling.deliver()
    done = profiling.now()
    assert (done.state, done.error, done.due_at) == (EnrichmentState.COMPLETED, None, None)
    assert done.enriched_at == done.fields["bio"].at == iso(profiling.world.clock())
    secret = mail_secret(profiling.services)
    assert done.fields["mail"].value == mail_digest(secret, "ana@example.org")
    assert [link.provider for link in done.social] == ["twitter", "linkedin", "mastodon"]
    for retry in (0, 1):
        assert profiling.deliver(retry=retry)
    assert profiling.github.asked == ["ana"]


def test_whoever_asks_while_one_is_under_way_gets_the_same(profiling: Profiling) -> None:
    first = enrichment.request(profiling.services, ANA, "ana", BY_KEY)
    again = enrichment.request(profiling.services, ANA, "ana", BY_KEY)
    assert (first.created, again.created) == (True, False)
    assert first.enrichment == again.enrichment
    assert len(profiling.queue.tasks) == 1
    profiling.deliver()
    assert enrichment.request(profiling.services, ANA, "ana", BY_KEY).created
    assert len({task.name for task in profiling.queue.tasks}) == 2


def test_without_access_to_github_asking_says_what_to_set(world: World) -> None:
    with pytest.raises(Conflict, match="GITHUB_TOKEN"):
        enrichment.request(world.services, ANA, "ana", BY_KEY)
    assert list(everything(world.services, "contributors")) == []


def test_access_that_was_taken_away_meanwhile_fails_and_says_so(profiling: Profiling) -> None:
    profiling.ask()
    profiling.services = replace(profiling.services, github=None)
    assert profiling.deliver()
    failed = profiling.now()
    assert failed.state is EnrichmentState.FAILED
    assert failed.error is not None
    assert "not asked" in failed.error.message


def test_a_deleted_account_is_done_with_a_note_and_nothing_of_it_is_kept(
    profiling: Profiling,
) -> None:
    profiling.ask()
    profiling.deliver()
    del profiling.github.known["ana"]
    profiling.ask()
    profiling.deliver()
    gone = profiling.now()
    assert gone.state is EnrichmentState.COMPLETED
    assert gone.note == enrichment_steps.GONE
    assert (gone.fields, gone.social, gone.error) == ({}, (), None)
    assert profiling.pass_by(DAY) == 0
    assert not is_due(profiling.services, gone, "ana")


def test_a_login_that_a_stranger_took_over_fails_and_nothing_of_the_stranger_is_kept(
    profiling: Profiling,
) -> None:
    profiling.github.known["ana"] = profile(99, "ana", name="A stranger", mail="x@example.org")
    profiling.ask()
    profiling.deliver()
    failed = profiling.now()
    assert failed.state is EnrichmentState.FAILED
    assert failed.error is not None
    assert failed.error.code == "login_taken_over"
    assert "another account" in failed.error.message
    assert (failed.fields, failed.social) == ({}, ())
    stored = json.dumps([dict(d.fields) for d in everything(profiling.services, "contributors")])
    assert "stranger" not in stored
    assert not re.search(r"\b99\b", stored)
    # Seen under the new name, it is read at once.
    assert not is_due(profiling.services, failed, "ANA")
    assert is_due(profiling.services, failed, "ana-new")
    profiling.github.known["ana-new"] = full(ANA, "ana-new")
    profiling.ask("ana-new")
    profiling.deliver()
    assert profiling.now().state is EnrichmentState.COMPLETED
    assert profiling.now().login == "ana-new"


def test_what_was_known_stays_while_a_later_reading_fails(profiling: Profiling) -> None:
    profiling.ask()
    profiling.deliver()
    before = profiling.now()
    profiling.github.known["ana"] = Rejected("GitHub never answers this.")
    profiling.ask()
    profiling.deliver()
    after = profiling.now()
    assert after.state is EnrichmentState.FAILED
    assert (after.fields, after.enriched_at) == (before.fields, before.enriched_at)


# --- later --------------------------------------------------------------------------------------


def test_what_github_puts_off_waits_until_then_however_often(profiling: Profiling) -> None:
    profiling.ask()
    for _ in range(9):
        renewal = profiling.world.clock() + timedelta(hours=1)
        profiling.github.known["ana"] = RetryLater("Used up.", not_before=renewal)
        assert profiling.deliver()
        waiting = profiling.now()
        assert (waiting.state, waiting.attempts) == (EnrichmentState.PENDING, 0)
        assert profiling.last().not_before == renewal
        assert profiling.last().queue == "low"
        assert waiting.waits_until == iso(renewal)
        profiling.pass_by(timedelta(hours=1))
    profiling.github.known["ana"] = full(ANA, "ana")
    profiling.deliver()
    assert profiling.now().state is EnrichmentState.COMPLETED
    assert len(profiling.github.asked) == 10


def test_no_task_is_put_off_further_than_the_platform_can(profiling: Profiling) -> None:
    much_later = profiling.world.clock() + 365 * DAY
    profiling.github.known["ana"] = RetryLater("Not this year.", not_before=much_later)
    profiling.ask()
    profiling.deliver()
    waits_until = profiling.last().not_before
    assert waits_until is not None
    assert waits_until - profiling.world.clock() < 30 * DAY


def test_a_passing_failure_is_tried_again_after_60_120_240_seconds_and_then_fails(
    profiling: Profiling,
) -> None:
    profiling.github.known["ana"] = RetryLater("No answer.")
    profiling.ask()
    waits = []
    for _ in range(3):
        profiling.deliver()
        task = profiling.last()
        assert task.not_before is not None
        waits.append((task.not_before - profiling.world.clock()).total_seconds())
        profiling.world.clock.now = task.not_before
    assert waits == [60, 120, 240]
    profiling.deliver()
    failed = profiling.now()
    assert failed.state is EnrichmentState.FAILED
    assert failed.error is not None
    assert failed.error.message == "No answer."
    # The next daily round tries again: whoever was away yesterday is not left out for a month.
    assert not is_due(profiling.services, failed, "ana")
    profiling.world.clock.advance(timedelta(hours=23))
    assert is_due(profiling.services, failed, "ana")


def test_a_profile_is_read_again_after_the_set_age(profiling: Profiling) -> None:
    assert is_due(profiling.services, None, "ana")
    profiling.ask()
    assert not is_due(profiling.services, profiling.now(), "renamed")
    profiling.deliver()
    profiling.world.clock.advance(30 * DAY - MINUTE)
    assert not is_due(profiling.services, profiling.now(), "ana")
    profiling.world.clock.advance(MINUTE)
    assert is_due(profiling.services, profiling.now(), "ana")


# --- lost -----------------------------------------------------------------------------------------


def test_a_lost_worker_is_noticed_after_its_lease_and_not_before(profiling: Profiling) -> None:
    profiling.ask()
    profiling.github.known["ana"] = Killed()
    with pytest.raises(Killed):
        profiling.deliver()
    assert profiling.now().state is EnrichmentState.RUNNING
    assert profiling.deliver()
    assert profiling.pass_by(LEASE - timedelta(seconds=2)) == 0
    assert profiling.pass_by(timedelta(seconds=2)) == 1
    profiling.github.known["ana"] = full(ANA, "ana")
    profiling.deliver()
    assert profiling.now().state is EnrichmentState.COMPLETED
    assert profiling.github.asked == ["ana", "ana"]


def test_a_profile_that_kills_its_worker_every_time_fails_after_the_last_attempt(
    profiling: Profiling,
) -> None:
    profiling.ask()
    profiling.github.known["ana"] = Killed()
    for _ in range(4):
        assert profiling.now().state is EnrichmentState.PENDING
        with pytest.raises(Killed):
            profiling.deliver()
        assert profiling.pass_by(LEASE) == 1
    assert profiling.now().state is EnrichmentState.FAILED
    assert profiling.pass_by(DAY) == 0


def test_a_late_worker_does_not_overwrite_what_its_successor_noted(profiling: Profiling) -> None:
    profiling.ask()

    class Slow:
        reads_contributions = True

        def profile(self, _login: str) -> Profile:
            profiling.pass_by(LEASE)
            assert profiling.deliver()
            return profile(ANA, "ana", name="Too late")

    slow = replace(profiling.services, github=Slow())  # type: ignore[arg-type]
    assert profiling.run(profiling.last(), slow, "slow") is None
    assert profiling.now().fields["name"].value == "Ana <b>Núñez</b>"


def test_a_task_in_a_long_queue_is_waited_for_and_a_lost_one_replaced(
    profiling: Profiling,
) -> None:
    profiling.ask()
    assert profiling.pass_by(11 * MINUTE) == 1
    assert len(profiling.queue.tasks) == 1
    assert profiling.pass_by(12 * timedelta(hours=1)) == 0
    assert profiling.pass_by(DAY) == 1
    assert len(profiling.queue.tasks) == 2
    stale, fresh = profiling.queue.tasks
    assert stale.name != fresh.name
    profiling.deliver()
    for task in (stale, fresh):
        assert profiling.run(task, profiling.services, "late") is None
    assert profiling.github.asked == ["ana"]


# --- forgotten ----------------------------------------------------------------------------------


def test_who_is_forgotten_leaves_nothing_behind_but_what_names_nobody(
    profiling: Profiling,
) -> None:
    with capture_logs() as logged:
        profiling.ask(caller=BY_KEY)
        profiling.deliver()
        profiling.ask(caller=BY_KEY)
    exported = enrichment.export(profiling.services, ANA)
    assert isinstance(exported, dict)
    assert exported["login"] == "ana"
    assert exported["fields"]["location"]["value"] == "Lima"  # type: ignore[index, call-overload]
    enrichment.forget(profiling.services, ANA)
    enrichment.forget(profiling.services, ANA)
    assert enrichment.export(profiling.services, ANA) is None
    profiling.deliver()
    assert enrichment.get(profiling.services, ANA) is None
    audited = [dict(d.fields) for d in everything(profiling.services, "audit")]
    assert [entry["action"] for entry in audited] == ["enrichment.requested"] * 2
    tasks = [f"{task.name} {dict(task.body)}" for task in profiling.queue.tasks]
    left = json.dumps([audited, logged, tasks], default=str)
    assert '"ana"' not in left
    assert "Lima" not in left
    assert '"11"' not in left
    assert ": 11" not in left


def test_who_is_forgotten_while_it_runs_is_not_written_again(profiling: Profiling) -> None:
    profiling.ask()

    class Meanwhile:
        reads_contributions = True

        def profile(self, login: str) -> Profile:
            enrichment.forget(profiling.services, ANA)
            return full(ANA, login)

    profiling.services = replace(profiling.services, github=Meanwhile())  # type: ignore[arg-type]
    assert profiling.deliver()
    assert list(everything(profiling.services, "contributors")) == []


# --- other sources --------------------------------------------------------------------------------


class Lookup:
    """A source that tells what a test says."""

    name = "elsewhere"

    def __init__(self) -> None:
        self.tells: Mapping[LookedUp, str] | Exception = {"fediverse": " ana@example.org\u202e"}
        self.seen: list[Profile] = []

    def look_up(self, of: Profile) -> Mapping[LookedUp, str]:
        self.seen.append(of)
        if isinstance(self.tells, Exception):
            raise self.tells
        return self.tells


def test_another_source_is_noted_as_such_and_sees_no_mail(profiling: Profiling) -> None:
    lookup = Lookup()
    profiling.services = replace(profiling.services, lookups=(lookup,))
    profiling.ask()
    profiling.deliver()
    noted = profiling.now().fields["fediverse"]
    assert (noted.value, noted.source) == ("ana@example.org", "elsewhere")
    assert [seen.mail for seen in lookup.seen] == [None]
    first = noted.at
    for failure in (RetryLater("No answer."), Rejected("No."), NotFound("Nobody.")):
        lookup.tells = failure
        profiling.world.clock.advance(DAY)
        profiling.ask()
        profiling.deliver()
        assert profiling.now().state is EnrichmentState.COMPLETED
        assert profiling.now().fields["fediverse"].at == first
        assert profiling.now().fields["name"].at > first
    lookup.tells = {}
    profiling.ask()
    profiling.deliver()
    assert "fediverse" not in profiling.now().fields


def test_the_daily_round_is_not_on_the_audit_trail(profiling: Profiling) -> None:
    profiling.ask(caller=SYSTEM)
    assert list(everything(profiling.services, "audit")) == []
