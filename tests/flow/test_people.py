"""Merges, pseudonyms and removals, from the wish to every store, page and later ingest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from infra.clock import utc_now
from shared import (
    identities,
    jobs,
    notices,
    people,
    personal_data,
    removals,
    repositories,
    verification,
    weekly_report,
)
from shared.accounts import Classifier
from shared.board_reading import BoardReader, Selection
from shared.boards import GLOBAL, Head, Row, repository_board
from shared.context import SYSTEM, Services
from shared.custom_range import RangeBoards, custom_window
from shared.errors import Conflict, NotFound, Rejected
from shared.explain import explain
from shared.jobs import Job, Stage
from shared.models import WINDOW_DAYS, Window, parse_time
from shared.scoring import DEFAULT_RULES
from shared.what_if import compare
from tests.support.by_hand import HandQueue, by_hand, deliver, deliver_all
from tests.support.copies import copy_data
from tests.support.fast_folder import fast_folder
from tests.support.lines import (
    ANA,
    BEN,
    CLEO,
    ENGINE,
    WHEELS,
    Line,
    User,
    day,
    issue,
    issue_comment,
    pr_merged,
    pr_opened,
    push,
    review,
)
from tests.support.scenario import (
    LINES,
    everything,
    head,
    ingest,
    left_behind,
    name_of,
    open_services,
    receipts,
    unfinished,
)
from tests.support.traces import traces

ZORRO = User(7654321987, "zorro-unmistakable")
FORMER = User(7654321988, "zorro-unmistakable-2")
OTHERS: tuple[Line, ...] = (*LINES, pr_opened(50, day(3), ANA, 20))
THEIRS: tuple[Line, ...] = (
    push(60, day(2), ZORRO, push_id=60, distinct_size=5),
    pr_opened(61, day(3), ZORRO, 21),
    pr_merged(62, day(4), BEN, 21, author=ZORRO, additions=10, deletions=1),
    pr_merged(63, day(4, "13:00:00"), ZORRO, 20, author=ANA, additions=7, deletions=7),
    review(64, day(5), CLEO, 21, review_id=64, author=ZORRO),
    issue(65, day(5), ZORRO, "opened", 22, author=ZORRO),
    issue_comment(66, day(6), CLEO, 22, comment_id=66, author=ZORRO),
    push(67, day(7), FORMER, push_id=67, distinct_size=2),
)
FILES = {"2025-03-19-9.json.gz": OTHERS, "2025-03-19-10.json.gz": THEIRS}


@pytest.fixture(scope="module")
def prepared() -> Iterator[Path]:
    """A directory with boards of two repositories, of which Zorro is on one."""
    with fast_folder() as place:
        services, queue = by_hand(open_services(place / "data"))
        ingest(services, place / "files", FILES)
        for repository in (ENGINE, WHEELS):
            repositories.register(services, name_of(repository), SYSTEM)
        deliver_all(services, queue)
        assert unfinished(services) == []
        close(services)
        yield place


@contextmanager
def world(prepared: Path, folder: Path) -> Iterator[tuple[Services, HandQueue, Path]]:
    copy_data(prepared / "data", folder / "data")
    services, queue = by_hand(open_services(folder / "data"))
    yield services, queue, folder / "data"
    close(services)


def close(services: Services) -> None:
    services.documents.close()  # type: ignore[attr-defined]
    services.warehouse.close()  # type: ignore[attr-defined]


def rows(
    services: Services, board: str = GLOBAL, generation: str | None = None, window: str = "all"
) -> list[Row]:
    reader = BoardReader(services.documents, now=utc_now)
    return list(reader.read(board, window, Selection("all", limit=100), generation).rows)


def heads(services: Services) -> list[Head]:
    boards = (GLOBAL, repository_board(ENGINE.id), repository_board(WHEELS.id))
    found = [head(services, board, window) for board in boards for window in WINDOW_DAYS]
    return [each for each in found if each is not None]


# --- merges -----------------------------------------------------------------------------------


def test_merged_accounts_are_one_person_and_unmerging_gives_the_very_boards_of_before(
    prepared: Path, folder: Path
) -> None:
    with world(prepared, folder) as (services, queue, _):
        before = receipts(services)
        scores = {row.github_id: row.score for row in rows(services)}
        job = identities.merge(services, ZORRO.id, [FORMER.id], "told us so", SYSTEM)
        assert job is not None
        deliver_all(services, queue)
        merged = {row.github_id: row.score for row in rows(services)}
        assert FORMER.id not in merged
        assert merged[ZORRO.id] == scores[ZORRO.id] + scores[FORMER.id]
        after = receipts(services)
        wheels = repository_board(WHEELS.id)
        assert {p: r for p, r in after.items() if p[0] == wheels} == {
            p: r for p, r in before.items() if p[0] == wheels
        }
        changed = head(services, repository_board(ENGINE.id), "all")
        assert changed is not None
        assert changed.receipt.inputs.people != head_of(services, wheels).receipt.inputs.people
        again = identities.merge(services, ZORRO.id, [FORMER.id], "told us so", SYSTEM)
        assert again is None
        identities.unmerge(services, FORMER.id, "was a mistake", SYSTEM)
        deliver_all(services, queue)
        assert receipts(services) == before
        assert unfinished(services) == []
        told = [str(entry.fields["action"]) for entry in everything(services, "audit")]
        assert told.count("identity.merged") == told.count("identity.unmerged") == 1
        trail = str([dict(entry.fields) for entry in everything(services, "audit")])
        assert str(ZORRO.id) not in trail


def head_of(services: Services, board: str) -> Head:
    found = head(services, board, "all")
    assert found is not None
    return found


def test_chains_cycles_unknown_ids_and_second_merges_are_refused(
    prepared: Path, folder: Path
) -> None:
    with world(prepared, folder) as (services, queue, _):
        merge = identities.merge
        merge(services, ANA.id, [BEN.id], "one person", SYSTEM)
        for person, accounts, error, said in (
            (BEN.id, [ANA.id], Conflict, "cycle"),
            (BEN.id, [CLEO.id], Conflict, "chain"),
            (CLEO.id, [ANA.id], Conflict, "chain"),
            (CLEO.id, [BEN.id], Conflict, "already"),
            (ANA.id, [ANA.id], Rejected, "other account"),
            (ANA.id, [], Rejected, "other account"),
            (ANA.id, [424242], Rejected, "424242"),
            (424242, [ANA.id], Rejected, "424242"),
        ):
            with pytest.raises(error, match=said):
                merge(services, person, accounts, "no", SYSTEM)
        with pytest.raises(NotFound):
            identities.unmerge(services, CLEO.id, "no", SYSTEM)
        assert [m.account for m in people.current(services).merges] == [BEN.id]
        deliver_all(services, queue)


# --- names ------------------------------------------------------------------------------------


def test_a_name_that_was_taken_over_is_its_latest_bearers(folder: Path) -> None:
    taken = User(99, ANA.login)
    services, queue = by_hand(open_services(folder / "data"))
    later = push(90, day(15), taken, push_id=90, distinct_size=1)
    renamed = push(91, day(16), replace(BEN, login="benedikt"), push_id=91, distinct_size=1)
    ingest(services, folder / "files", {"a.json.gz": LINES, "b.json.gz": (later, renamed)})
    repositories.register(services, name_of(ENGINE), SYSTEM)
    deliver_all(services, queue)
    shown = {row.github_id: row.username for row in rows(services)}
    assert (shown[99], shown[ANA.id]) == (ANA.login, f"user-{ANA.id}")
    assert shown[BEN.id] == "benedikt"
    (found,) = services.boards.person(GLOBAL, "all", login=ANA.login.upper()).rows
    assert found.github_id == identities.account_of(services, ANA.login) == 99
    assert not services.boards.person(GLOBAL, "all", login=BEN.login).rows
    assert identities.account_of(services, "Benedikt") == BEN.id
    assert identities.account_of(services, f"id:{ANA.id}") == ANA.id
    close(services)


# --- pseudonyms -------------------------------------------------------------------------------


def test_somebody_anonymous_counts_on_under_a_pseudonym_everywhere_and_can_come_back(
    prepared: Path, folder: Path
) -> None:
    with world(prepared, folder) as (services, queue, _):
        before = receipts(services)
        score = next(row.score for row in rows(services) if row.github_id == ZORRO.id)
        removals.hide(services, ZORRO.id, SYSTEM)
        deliver_all(services, queue)
        for shown in heads(services):
            for edition in (None, *shown.kept):
                generation = edition.split("-")[0] if edition else None
                found = rows(services, shown.board, generation, shown.window)
                assert ZORRO.login not in str([r for r in found if r.github_id != FORMER.id])
                assert ZORRO.id not in {row.github_id for row in found}
        (row,) = (r for r in rows(services) if r.username.startswith("anonymous-"))
        assert row.score == score
        assert row.github_id < -1
        assert row.avatar_url == ""
        board = repository_board(ENGINE.id)
        registered = repositories.everyone(services)
        current = head_of(services, GLOBAL)
        span = Window("all", None, parse_time(current.receipt.inputs.end))
        explained = explain(services, row.github_id, registered, span, DEFAULT_RULES)
        assert round(explained.total / 1000, 2) == score
        assert not any(kind.events for kind in explained.kinds)
        compared = compare(
            services, GLOBAL, "all", "all", [ENGINE.id, WHEELS.id], (DEFAULT_RULES, DEFAULT_RULES)
        )
        assert {m.github_id: m.score_after for m in compared.everyone}[row.github_id] > 0
        week = custom_window(parse_time("2025-03-01T00:00:00Z"), parse_time("2025-03-15T00:00:00Z"))
        ranged = RangeBoards().board(services, board, ENGINE.name, registered, week)
        names = {r.username for r in ranged.read(Selection("all", limit=100)).rows}
        assert row.username in names
        assert ZORRO.login not in names
        assert all(v.holds for v in verification.verify(services, board, ENGINE.name, [ENGINE.id]))
        removals.show(services, ZORRO.id, SYSTEM)
        deliver_all(services, queue)
        assert receipts(services) == before
        assert ZORRO.id in {r.github_id for r in rows(services)}
        assert list(everything(services, "removals")) == []
        assert unfinished(services) + left_behind(services) == []
        assert Classifier({}).digest == current.receipt.inputs.accounts


# --- removal ----------------------------------------------------------------------------------


def test_after_a_removal_nothing_is_left_but_the_tombstone(prepared: Path, folder: Path) -> None:
    logged: list[structlog.typing.EventDict] = []
    with world(prepared, folder) as (services, queue, data):
        told = personal_data.export(services, ZORRO.id)
        assert len(told["facts"]["events"]) == 7  # type: ignore[call-overload, index, arg-type]
        assert told["documents"]["boards"]  # type: ignore[call-overload, index]
        assert json.loads(json.dumps(told)) == told
        others = {r.github_id: r.counts for r in rows(services) if r.github_id != ZORRO.id}
        ranks = [row.rank for row in rows(services)]
        identities.merge(services, ZORRO.id, [FORMER.id], "told us so", SYSTEM)
        deliver_all(services, queue)
        kept = head_of(services, GLOBAL).generation
        assert traces(services, data, ZORRO.login)
        with structlog.testing.capture_logs() as logged:
            job = removals.remove(services, FORMER.id, SYSTEM)
            assert removals.remove(services, FORMER.id, SYSTEM).id == job.id
            deliver_all(services, queue)
        wanted = (ZORRO.login, str(ZORRO.id), str(FORMER.id))
        tombstones = [f"removals/{ZORRO.id}", f"removals/{FORMER.id}"]

        def check() -> None:
            found = traces(services, data, *wanted)
            assert [place for place in found if place != "documents.sqlite"] == tombstones
            assert traces(services, data, ZORRO.login) == []

        check()
        assert not any(text in str(logged) for text in wanted)
        assert unfinished(services) + left_behind(services) == []
        left = {row.github_id: row.counts for row in rows(services)}
        del others[FORMER.id]
        assert left == others  # nobody else lost or gained anything
        assert [row.rank for row in rows(services)] != ranks
        (tombstone,) = (r for r in rows(services, generation=kept) if r.github_id == -1)
        assert (tombstone.username, tombstone.score) == ("[removed]", 0)

        # Later scrapes of the same files, and a rollback, bring nobody back.
        ingest(services, folder / "again", {f"copy-{name}": FILES[name] for name in FILES})
        ingest(services, folder / "again", FILES)
        repositories.request_scrape(services, name_of(ENGINE), SYSTEM, full=True)
        deliver_all(services, queue)
        check()
        services.publisher.roll_back(GLOBAL, "all", kept)
        check()
        (verified, *_) = verification.verify(services, GLOBAL, "all", [ENGINE.id, WHEELS.id])
        assert (verified.holds, verified.redacted) == (True, True)
        assert personal_data.export(services, ZORRO.id)["facts"] == {
            "events": [], "contributions": [], "standings": [],
        }  # fmt: skip


@pytest.mark.parametrize("wish", [removals.hide, removals.remove])
def test_a_report_made_before_boards_were_rewritten_is_gone_at_the_end(
    prepared: Path, folder: Path, wish: Callable[..., Job]
) -> None:
    with world(prepared, folder) as (made, queue, _):
        told = {"slack_webhook_url": "http://127.0.0.1:9"}
        services = replace(made, settings=made.settings.model_copy(update=told))
        before = weekly_report.build(services)
        assert FORMER.id in {row.github_id for row in before.top}
        job = wish(services, FORMER.id, SYSTEM)
        while jobs.get(services, job.id).stage is not Stage.REDACT:
            for handed in queue.take():
                assert deliver(services, handed)
        # What is written as late as can be: reports forget people before boards do.
        weekly_report.send(services, replace(before, changes=people.count(services.documents)), "")
        ranks = weekly_report._stored("2025-W01", "2025-01-01T00:00:00Z", {FORMER.id: 1})
        services.documents.write([ranks])
        deliver_all(services, queue)
        assert unfinished(services) == []
        assert notices.waiting(services, weekly_report.EVENT) == []
        assert weekly_report.export(services, FORMER.id) == []


def test_a_removal_can_be_lifted_and_ingesting_brings_back_what_the_sources_have(
    prepared: Path, folder: Path
) -> None:
    with world(prepared, folder) as (services, queue, _):
        before = receipts(services)
        removals.remove(services, ZORRO.id, SYSTEM)
        with pytest.raises(Conflict, match="under way"):
            removals.lift(services, ZORRO.id, SYSTEM)
        deliver_all(services, queue)
        with pytest.raises(Conflict, match="removed"):
            removals.hide(services, ZORRO.id, SYSTEM)
        assert removals.lift(services, ZORRO.id, SYSTEM) == (ZORRO.id,)
        ingest(services, folder / "again", FILES)
        repositories.request_scrape(services, name_of(ENGINE), SYSTEM, full=True)
        deliver_all(services, queue)
        assert receipts(services) == before
        assert not head_of(services, GLOBAL).redacted
