"""Reading a repository's lists from GitHub: what is new, a bounded slice at a time.

A *round* begins with one question, whether anything changed; if so, the lists that may have
something new are walked (``shared/github_streams.py``). After every request what it brought and
where the walk stands are stored together (``shared/github_pages.py``), so a step that is killed at
any moment repeats one request at most.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from shared import github_pages, github_streams, job_steps, registration, scraping, sync_state
from shared.context import Services
from shared.errors import AllowanceWaits, BudgetWaits, NotFound, RetryLater
from shared.github import BadCursor, GitHub, RemoteState
from shared.github_events import Telling
from shared.github_streams import Source
from shared.jobs import Job, JobType, Stage
from shared.mails import mail_secret
from shared.metrics import EVENTS
from shared.models import iso, parse_time
from shared.ports import Json, Transaction
from shared.repository_records import Repository, read, stored, told
from shared.sync_state import Round, Seen, Stream, SyncState

log = structlog.get_logger()

REQUESTS = 20
"""Requests of one step at most, and so pages that it puts into one unit."""

TIME = timedelta(seconds=60)
"""A step makes no further request after this. The last one may take half a minute more."""

_RESTARTS = 3

Outcome = tuple[Stage | None, dict[str, Json]]


def sync(services: Services, job: Job) -> Outcome:
    """The step of stage SYNC. The next is another slice of it, or SCRAPE.

    Raises NotFound for a repository that is gone from GitHub or was removed here, Blocked,
    AllowanceWaits and RetryLater where GitHub does not answer.
    """
    repository = scraping.begin(services, job)
    github = services.github
    if github is None:
        return Stage.SCRAPE, {}
    try:
        repository = registration.confirmed(services, repository)
    except RetryLater as error:
        if not github.reads_contributions:
            return Stage.SCRAPE, {}  # the archive is read without knowing
        raise _waiting(error) from error
    if not github.reads_contributions:
        return Stage.SCRAPE, {}
    return _Step(services, github, job, repository).run()


class _Step:
    """A slice of a round, for the repository of a job."""

    def __init__(
        self, services: Services, github: GitHub, job: Job, repository: Repository
    ) -> None:
        self._services = services
        self._github = github
        self._job = job
        self._repository = repository
        self._secret = mail_secret(services)
        self._requests = 0

    def run(self) -> Outcome:
        key = self._repository.key
        state = self._settled(_known(self._services, self._repository))
        ends_at = self._services.now() + TIME
        job_steps.report(self._services, self._job, 0, 1, "reading from GitHub")
        try:
            while state is None or state.finished != self._job.id:
                if self._requests == REQUESTS or self._services.now() >= ends_at:
                    break
                state = self._forward(state)
        except RetryLater as error:
            if state is None or not self._requests:
                raise _waiting(error) from error
            # What was done is progress: the next slice is the one that waits.
            log.info("github_slice_cut_short", reason=error.message)
        if state is not None:
            state = github_pages.flush(self._services, key, state)
        ended = state is not None and state.finished == self._job.id
        before = self._job.result.get("github_requests", 0)
        count = self._requests + (before if isinstance(before, int) else 0)
        return (Stage.SCRAPE if ended else Stage.SYNC), {"github_requests": count}

    def _settled(self, state: SyncState | None) -> SyncState | None:
        """What a killed step left half done is done first."""
        if state is None:
            return None
        key = self._repository.key
        return github_pages.discard(
            self._services, key, github_pages.flush(self._services, key, state)
        )

    def _forward(self, state: SyncState | None) -> SyncState:
        """A round begun, a request of one made, or a round ended."""
        wants_full = self._job.type is JobType.FULL_SCRAPE
        round_ = None if state is None else state.round
        if state is None or round_ is None:
            return self._begin(state)
        if wants_full and round_.job != self._job.id:
            return self._begin(state)
        stream = github_streams.walking(state)
        return self._end(state, round_) if stream is None else self._take(state, round_, stream)

    def _begin(self, state: SyncState | None) -> SyncState:
        """Ask what the repository looks like, and note which lists are to be walked."""
        began = self._services.now()
        node_id = str(self._repository.node_id)
        (remote,) = self._github.states([node_id])
        self._requests += 1
        if remote is None:
            raise NotFound(gone(self._repository.name), details={"repository": node_id})
        full = state is None or self._job.type is JobType.FULL_SCRAPE
        round_ = Round(
            job=self._job.id,
            began_at=iso(began),
            since=iso(self._history_start(began)),
            full=full,
            seen=looks(remote),
        )
        before = state
        if state is None:
            state = SyncState(
                repo_id=remote.repository.id, node_id=node_id, number=self._repository.number
            )
        state = state.model_copy(update={"name": remote.repository.name})
        opened = github_streams.opened(state, round_)
        quiet = github_streams.walking(opened) is None and not _has_gone(opened)
        after = _finished(opened, round_) if quiet else opened
        self._note(remote, iso(began))
        return github_pages.store(self._services, self._repository.key, before, after)

    def _take(self, state: SyncState, round_: Round, stream: Stream) -> SyncState:
        """Make the next request of a walk, and store what it brought."""
        key, reading = self._repository.key, state.readings[stream]
        source = Source(self._github, state.node_id, self._telling(state, round_))
        try:
            taken = github_streams.take(source, stream, round_, reading)
        except BadCursor as error:
            self._requests += 1
            return self._restart(state, round_, stream, error)
        self._requests += 1
        after = state.model_copy(update={"readings": {**state.readings, stream: taken.reading}})
        kept = github_pages.keep(self._services, key, state, after, taken.rows)
        self._services.telemetry.measure(EVENTS, len(taken.rows), source="github")
        return kept

    def _restart(
        self, state: SyncState, round_: Round, stream: Stream, error: BadCursor
    ) -> SyncState:
        """Walk a list anew whose cursor GitHub refuses; a few times, then later again."""
        often = round_.restarts >= _RESTARTS
        restarts = 0 if often else round_.restarts + 1
        reading = github_streams.restarted(state.readings[stream])
        after = state.model_copy(
            update={
                "round": round_.model_copy(update={"restarts": restarts}),
                "readings": {**state.readings, stream: reading},
            }
        )
        log.warning("github_cursor_refused", stream=stream.value, restarts=restarts)
        stored_ = github_pages.store(self._services, self._repository.key, state, after)
        if often:
            self._requests = 0  # nothing was gained
            raise RetryLater("GitHub refuses its own cursors again and again.") from error
        return stored_

    def _end(self, state: SyncState, round_: Round) -> SyncState:
        """Put everything into the warehouse, take out what is gone, and note what was seen."""
        services, key = self._services, self._repository.key
        flushed = github_pages.flush(services, key, state)
        compacted = github_pages.compact(services, key, flushed)
        cleared = github_pages.discard(services, key, compacted)
        log.info("github_round_ended", full=round_.full, units=cleared.units)
        return github_pages.store(services, key, cleared, _finished(cleared, round_))

    def _telling(self, state: SyncState, round_: Round) -> Telling:
        """Clocks of workers differ: nothing of a round is observed before what it replaces."""
        gone = [reading.anew.observed for reading in state.readings.values() if reading.anew]
        now = max(iso(self._services.now()), round_.began_at, *gone)
        return Telling(state.repo_id, state.name, parse_time(now), self._secret)

    def _history_start(self, now: datetime) -> datetime:
        start = now - timedelta(days=self._services.settings.history_days)
        never = self._repository.never_rescrape_before
        return start if never is None else max(start, parse_time(never))

    def _note(self, remote: RemoteState, at: str) -> None:
        note(self._services, self._repository.key, self._repository.number, remote, at)


def note(services: Services, key: str, number: int, remote: RemoteState, at: str) -> None:
    """Store what GitHub tells of a registered repository: its name, its stars and so on.

    Nothing happens if it was removed or registered anew meanwhile.
    """

    def write(transaction: Transaction) -> None:
        document = transaction.get(f"repositories/{key}")
        if document is None or document.fields["number"] != number:
            return
        known, writes = told(read(document), remote.repository, at)
        for one in (*writes, stored(known)):
            transaction.write(one)

    services.documents.transact(write)


def looks(remote: RemoteState) -> Seen:
    """What of a repository changes whenever one of its lists does."""
    return Seen(
        head=remote.head,
        pulls_changed_at=_text(remote.pulls_changed_at),
        issues_changed_at=_text(remote.issues_changed_at),
        released_at=_text(remote.released_at),
        commit_comments=remote.commit_comments,
    )


def gone(name: str) -> str:
    """What is said of a repository that GitHub does not show any more."""
    return (
        f"{name} is gone from GitHub: it was deleted or made private. "
        "Its boards stay as they were. Remove it here if they should go."
    )


def _known(services: Services, repository: Repository) -> SyncState | None:
    """How far the repository was read for this registration. What was before is removed."""
    (document,) = services.documents.get(sync_state.path(repository.github_id or 0))
    if document is None:
        return None
    state = sync_state.read(document)
    if state.number == repository.number:
        return state
    github_pages.remove(services, state.repo_id)
    return None


def _finished(state: SyncState, round_: Round) -> SyncState:
    return state.model_copy(update={"round": None, "seen": round_.seen, "finished": round_.job})


def _has_gone(state: SyncState) -> bool:
    return any(reading.anew is not None for reading in state.readings.values())


def _waiting(error: RetryLater) -> RetryLater:
    """GitHub's own moment is waited for, which is no failure; anything else is tried again."""
    if error.not_before is None or isinstance(error, BudgetWaits):
        return error
    return AllowanceWaits(error.message, not_before=error.not_before, details=error.details)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)
