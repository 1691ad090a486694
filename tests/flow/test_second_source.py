"""From rows that GitHub told and how far it was read to boards that count both sources as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from shared import repositories, sync_state
from shared.boards import Head, repository_board
from shared.context import SYSTEM, Services
from shared.coverage import Coverage
from shared.explain import explain
from shared.models import Window, iso
from shared.recalculation import request_repository
from shared.repositories import get, register, request_scrape
from shared.scoring import DEFAULT_RULES
from shared.sync_state import Reading, Stream, SyncState
from shared.tables import COLUMNS, Dataset
from tests.support import told
from tests.support.by_hand import HandQueue, by_hand, deliver_all
from tests.support.fast_folder import fast_folder
from tests.support.lines import ANA, BEN, CLEO, COPILOT, ENGINE, day, pr_opened, pr_stub, push
from tests.support.scenario import head, ingest, name_of, open_services
from tests.support.told import Row
from tests.support.warehouse_rows import table

BOARD = repository_board(ENGINE.id)
ARCHIVE = (
    pr_opened(1, "2025-02-27T10:00:00Z", ANA, 1),
    push(2, "2025-02-27T12:00:00Z", ANA, push_id=1, distinct_size=2),
    push(3, day(2), BEN, push_id=2),
    pr_stub(4, day(3), CLEO, "merged", 1),
)
"""All of what happened in February, and next to nothing of March."""

TOLD = (
    told.opened(1, "2025-02-27T10:00:00Z", ANA),
    told.merged(1, day(3), CLEO, author=ANA, lines=(30, 2)),
    told.commit("a", day(2), BEN),
    told.commit("b", day(2), BEN, parents=2),
    told.commit("c", day(2), None),
    told.opened(2, day(4), COPILOT, assignees=[CLEO]),
    told.opened(3, day(4), BEN),
)


@pytest.fixture
def services() -> Iterator[Services]:
    with fast_folder() as folder:
        made = open_services(folder / "data")
        ingest(made, folder / "files", {"events.json.gz": ARCHIVE})
        yield made


def tell(services: Services, rows: Sequence[Row] = TOLD, through: str = day(5)) -> None:
    """Put rows into the warehouse, and the note that all lists were read until then."""
    batches = table(COLUMNS[Dataset.GITHUB_EVENTS], rows).to_batches()
    services.warehouse.replace(Dataset.GITHUB_EVENTS, f"repository-{ENGINE.id}-0", batches, {})
    reading = Reading(
        since=iso(datetime(2025, 2, 1, tzinfo=UTC)), through=iso(datetime.fromisoformat(through))
    )
    number = get(services, name_of(ENGINE)).number
    state = SyncState(
        repo_id=ENGINE.id, node_id="R_1", number=number, readings=dict.fromkeys(Stream, reading)
    )
    services.documents.write([sync_state.stored(state)])


def scrape(services: Services, queue: HandQueue) -> Head:
    deliver_all(services, queue)
    shown = head(services, BOARD, "all")
    assert shown is not None
    return shown


def again(services: Services, queue: HandQueue) -> Head:
    request_scrape(services, name_of(ENGINE), SYSTEM, full=True)
    return scrape(services, queue)


def counts(services: Services) -> dict[str, dict[str, int]]:
    """What counts, by login and kind."""
    rows = services.warehouse.query(
        "list_standings", {"repo_ids": [ENGINE.id], "window": "all"}
    ).to_pylist()
    plain = ("commit", "pr_opened", "pr_merged", "lines_added", "lines_deleted")
    return {row["login"]: {name: row[name] for name in plain if row[name]} for row in rows}


ALONE = {
    "ana": {"commit": 2, "pr_opened": 1, "pr_merged": 1},
}
BOTH: dict[str, dict[str, int]] = {
    "ana": {"commit": 2, "pr_opened": 1, "pr_merged": 1, "lines_added": 30, "lines_deleted": 2},
    "ben": {"commit": 1, "pr_opened": 1},
    "Copilot": {"pr_opened": 1},
}


def test_github_takes_over_where_the_archive_is_blind_and_the_board_says_so(
    services: Services,
) -> None:
    services, queue = by_hand(services)
    register(services, name_of(ENGINE), SYSTEM)
    before = scrape(services, queue)
    assert counts(services) == ALONE
    assert Coverage.model_validate(before.coverage).source == "archive"
    assert before.recounted == ()

    tell(services)
    after = again(services, queue)
    assert counts(services) == BOTH
    assert after.generation != before.generation
    assert after.as_of == "2025-03-05T12:00:00.000000Z"
    assert [(r.start[:10], r.end[:10]) for r in after.recounted] == [("2025-03-01", "2025-03-03")]

    same = again(services, queue)
    assert (same.generation, same.recounted) == (after.generation, after.recounted)


def test_the_archive_keeps_its_whole_months_and_github_has_the_others(services: Services) -> None:
    services, queue = by_hand(services)
    register(services, name_of(ENGINE), SYSTEM)
    tell(services)
    shown = Coverage.model_validate(scrape(services, queue).coverage)
    assert shown.source == "archive and github"
    assert shown.archive_completeness is not None
    assert (shown.archive_completeness.seen, shown.archive_completeness.of) == (2, 4)
    assert (shown.commits_unlinked.unknown, shown.commits_unlinked.of) == (1, 2)
    assert shown.pushes_without_commits.unknown == 0
    assert shown.days["commits"].github == 5


def test_the_owner_may_want_one_source_alone(services: Services) -> None:
    services, queue = by_hand(services)
    register(services, name_of(ENGINE), SYSTEM)
    tell(services)
    archive = replace(services, settings=services.settings.model_copy(update={"source": "archive"}))
    assert Coverage.model_validate(scrape(archive, queue).coverage).source == "archive"
    assert counts(archive)["ana"] == {**BOTH["ana"]}
    assert "ben" not in counts(archive)
    github = replace(services, settings=services.settings.model_copy(update={"source": "github"}))
    assert Coverage.model_validate(again(github, queue).coverage).source == "github"
    assert counts(github)["ana"] == {kind: n for kind, n in BOTH["ana"].items() if kind != "commit"}


def test_whoever_is_credited_for_agents_work_stands_in_receipt_and_explanation(
    services: Services,
) -> None:
    services, queue = by_hand(services)
    register(services, name_of(ENGINE), SYSTEM)
    tell(services)
    author = scrape(services, queue)
    assert author.receipt.inputs.agent_credit == "author"
    human = replace(
        services, settings=services.settings.model_copy(update={"agent_credit": "human"})
    )
    shown = again(human, queue)
    assert shown.receipt.inputs.agent_credit == "human"
    assert shown.recounted == ()
    assert counts(human)["cleo"] == {"pr_opened": 1}
    found = explain(
        human, CLEO.id, [get(human, name_of(ENGINE))], _everything(shown), DEFAULT_RULES
    )
    (line,) = (line for kind in found.kinds for line in kind.events)
    assert (line.source, line.agent, line.human) == ("github", "Copilot", "cleo")


def test_a_repository_that_only_github_told_of_has_its_board(services: Services) -> None:
    services.warehouse.remove(Dataset.EVENTS, services.warehouse.units(Dataset.EVENTS)[0].name)
    services, queue = by_hand(services)
    register(services, name_of(ENGINE), SYSTEM)
    noted: Any = get(services, name_of(ENGINE)).model_copy(update={"github_id": ENGINE.id})
    services.documents.write([repositories.stored(noted)])
    tell(services)
    shown = Coverage.model_validate(scrape(services, queue).coverage)
    assert (shown.source, shown.captured_from) == ("github", "2025-02-01T00:00:00.000000Z")
    assert counts(services)["ben"] == BOTH["ben"]


def test_what_was_read_for_an_earlier_registration_does_not_count(services: Services) -> None:
    services, queue = by_hand(services)
    register(services, name_of(ENGINE), SYSTEM)
    tell(services)
    (document,) = services.documents.get(sync_state.path(ENGINE.id))
    assert document is not None
    stale = sync_state.read(document).model_copy(update={"number": 99})
    services.documents.write([sync_state.stored(stale)])
    assert Coverage.model_validate(scrape(services, queue).coverage).source == "archive"


def test_a_board_made_anew_from_the_same_contributions_is_the_same(services: Services) -> None:
    services, queue = by_hand(services)
    register(services, name_of(ENGINE), SYSTEM)
    tell(services)
    shown = scrape(services, queue)
    request_repository(services, get(services, name_of(ENGINE)), SYSTEM)
    assert scrape(services, queue) == shown


def _everything(shown: Head) -> Window:
    return Window("all", None, datetime.fromisoformat(shown.as_of))
