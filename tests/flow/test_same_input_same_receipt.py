"""The same events give the same receipts, however they arrive; other input gives others."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.clock import utc_now
from infra.ingest import ingest_file
from shared import rule_sets, verification
from shared.boards import GLOBAL, Head, repository_board
from shared.context import SYSTEM, Services
from shared.models import WINDOW_DAYS, Kind
from shared.ports import Write
from shared.recalculation import request_global, request_repository
from shared.repositories import get, register, request_scrape
from tests.support.by_hand import HandQueue, by_hand, deliver_all
from tests.support.fast_folder import fast_folder
from tests.support.lines import ANA, ENGINE, Line, Repo, changed, push, write_gz
from tests.support.manual_clock import ManualClock
from tests.support.scenario import (
    BOTH,
    LINES,
    Receipts,
    everything,
    ingest,
    left_behind,
    name_of,
    open_services,
    receipts,
    unfinished,
)
from tests.support.watched_ports import before_call, watched

GLOBAL_WINDOWS = {(GLOBAL, window) for window in WINDOW_DAYS}


A_LINE_MORE = push(99, "2025-03-12T12:59:59Z", ANA, push_id=99, distinct_size=1)
STATES = ("state/scoring", "state/account_classes")


class Killed(BaseException):
    """Ends an ingest as SIGKILL would."""


@dataclass(frozen=True)
class Arrival:
    """How the lines of the scenario reach the warehouse.

    ``files`` hold the numbers of lines; ``order`` says which are ingested, some perhaps again.
    ``killed`` is a file and the place at which a re-ingest of it dies.
    """

    files: Sequence[Sequence[int]]
    order: Sequence[int]
    killed: tuple[int, str]
    repositories: Sequence[Repo]


@st.composite
def arrivals(draw: st.DrawFn) -> Arrival:
    numbers = list(range(len(LINES)))
    shuffled = draw(st.permutations(numbers + draw(st.lists(st.sampled_from(numbers), max_size=9))))
    cuts = sorted(draw(st.sets(st.integers(1, len(shuffled) - 1), max_size=4)))
    files = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
    some = st.sampled_from(range(len(files)))
    order = draw(st.permutations([*range(len(files)), *draw(st.lists(some, max_size=3))]))
    place = draw(st.sampled_from(["while reading", "before replacing", "after replacing"]))
    return Arrival(files, order, (draw(some), place), draw(st.permutations(BOTH)))


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(arrivals())
def test_shuffled_repeated_and_split_lines_give_the_same_receipts(arrival: Arrival) -> None:
    with fast_folder() as folder:
        services, queue = by_hand(open_services(folder / "data"))
        paths = []
        for number, lines in enumerate(arrival.files):
            paths.append(folder / f"part-{number}.json.gz")
            write_gz(paths[-1], [LINES[line] for line in lines])
        for number in arrival.order:
            ingest_file(services.warehouse, paths[number], now=utc_now())
        _die_during_ingest(services, paths[arrival.killed[0]], arrival.killed[1])
        _register(services, queue, arrival.repositories)
        assert receipts(services) == expected()
        assert unfinished(services) == []


def _die_during_ingest(services: Services, path: Path, place: str) -> None:
    """Ingest a file's rows once more under another name and die on the way."""
    copied = path.with_name(f"copy-of-{path.name}")
    copied.write_bytes(path.read_bytes())

    def around(name: str, call: Callable[[], Any]) -> Any:
        if name == "warehouse.replace":
            if place == "after replacing":
                call()
            raise Killed
        return call()

    def progress(_read: int, _of: int) -> None:
        if place == "while reading":
            raise Killed

    with pytest.raises(Killed):
        ingest_file(watched(services, around).warehouse, copied, now=utc_now(), progress=progress)


def _register(services: Services, queue: HandQueue, repositories: Sequence[Repo] = BOTH) -> None:
    for repository in repositories:
        register(services, name_of(repository), SYSTEM)
    deliver_all(services, queue)


def receipts_of(lines: Sequence[Line], repositories: Sequence[Repo] = BOTH) -> Receipts:
    with fast_folder() as folder:
        services, queue = by_hand(open_services(folder / "data"))
        ingest(services, folder, {"events.json.gz": lines})
        _register(services, queue, repositories)
        return receipts(services, repositories)


@cache
def expected() -> Receipts:
    """The receipts of the lines as they are."""
    return receipts_of(LINES)


def test_the_order_of_registration_does_not_matter() -> None:
    assert receipts_of(LINES, (BOTH[1], BOTH[0])) == expected()


def test_a_repository_registered_beside_changes_the_global_receipt_and_no_other() -> None:
    alone = receipts_of(LINES, (ENGINE,))
    for place, receipt in alone.items():
        assert (receipt == expected()[place]) == (place not in GLOBAL_WINDOWS)


def test_names_do_not_enter_the_receipt() -> None:
    renamed = Repo(ENGINE.id, "octo/motor")
    lines = [_renamed(line, renamed.name) for line in LINES]
    assert receipts_of(lines, (renamed, BOTH[1])) == expected()


def _renamed(line: Line, repository: str) -> Line:
    """The row after its actor and, if it is ENGINE's, its repository have got other names."""
    result = copy.deepcopy(line)
    if not line["actor"]["login"].endswith("[bot]"):
        result["actor"]["login"] = result["actor"]["display_login"] = line["actor"]["login"] + "2"
    if line["repo"]["id"] == ENGINE.id:
        result["repo"]["name"] = repository
    return result


def test_movement_does_not_enter_the_receipt(folder: Path) -> None:
    services, queue = by_hand(open_services(folder / "data"))
    ingest(services, folder, {"early.json.gz": LINES[:10:2]})
    _register(services, queue, (ENGINE,))
    ingest(services, folder, {"late.json.gz": LINES[1::2] + LINES[10::2]})
    _register(services, queue)
    request_scrape(services, name_of(ENGINE), SYSTEM, full=False)
    deliver_all(services, queue)
    assert receipts(services) == expected()
    assert left_behind(services) == []
    moved = services.boards.person(repository_board(ENGINE.id), "all", github_id=ANA.id)
    assert moved.rows[0].movement.previous is not None


@pytest.mark.parametrize("number", range(0, len(LINES), 2), ids=lambda n: str(LINES[n]["type"]))
def test_another_line_is_another_receipt(number: int) -> None:
    repository = int(LINES[number]["repo"]["id"])
    moment = LINES[number]["created_at"].replace(":00Z", ":01Z")
    lines = [*LINES[:number], changed(LINES[number], "created_at", moment), *LINES[number + 1 :]]
    other = receipts_of(lines)
    concerned = {(GLOBAL, "all"), (repository_board(repository), "all")}
    assert {place for place in concerned if other[place] == expected()[place]} == set()
    # A line of one repository leaves the other's board as it is.
    (beside,) = (repository_board(r.id) for r in BOTH if r.id != repository)
    for window in WINDOW_DAYS:
        assert other[beside, window] == expected()[beside, window]


def test_a_line_more_is_another_receipt() -> None:
    other = receipts_of([*LINES, A_LINE_MORE])
    for window in WINDOW_DAYS:
        place = (repository_board(ENGINE.id), window)
        assert other[place][0] != expected()[place][0]
        assert other[place][1] != expected()[place][1]


@pytest.mark.parametrize("number", [1, 5, 7, 10, 13])
def test_a_receipt_names_what_was_ranked_whatever_is_scraped_meanwhile(
    folder: Path, number: int
) -> None:
    """A refresh comes between two calls of the global recalculation."""
    clock = ManualClock()
    services, queue = by_hand(open_services(folder / "data", clock))
    ingest(services, folder / "files", {"events.json.gz": LINES})
    _register(services, queue)
    known = published_ever(services)
    services.publisher.withdraw(GLOBAL)

    def refresh() -> None:
        _refresh_with_a_line_more(services, queue, folder)

    request_global(services)
    deliver_all(watched(services, before_call(number, refresh)), queue)
    clock.advance(timedelta(minutes=1))
    deliver_all(services, queue)
    found = published_ever(services)
    known |= _refreshed_in_peace()
    assert {place: board for place, board in found.items() if known.get(place) != board} == {}
    assert receipts(services)[GLOBAL, "all"] != expected()[GLOBAL, "all"]


def published_ever(services: Services) -> dict[tuple[str, str, str], str]:
    """Board, window and generation of all that is kept → hash of the board."""
    heads = [
        Head.model_validate_json(document.body or b"")
        for document in everything(services, "board_generations")
    ]
    return {(head.board, head.window, head.generation): head.receipt.board for head in heads}


def _refresh_with_a_line_more(services: Services, queue: HandQueue, folder: Path) -> None:
    ingest(services, folder / "files", {"more.json.gz": [A_LINE_MORE]})
    request_scrape(services, name_of(ENGINE), SYSTEM, full=False)
    deliver_all(services, queue)


@cache
def _refreshed_in_peace() -> dict[tuple[str, str, str], str]:
    with fast_folder() as folder:
        services, queue = by_hand(open_services(folder / "data"))
        ingest(services, folder / "files", {"events.json.gz": LINES})
        _register(services, queue)
        _refresh_with_a_line_more(services, queue, folder)
        return published_ever(services)


def _one_more_point_for_comments(services: Services) -> None:
    rules = rule_sets.current(services).rules
    rules = rules.model_copy(update={"points": {**rules.points, Kind.COMMENT: Decimal(4)}})
    services.documents.write(
        [
            Write("rule_sets/2", {}, rules.model_dump_json().encode()),
            Write("state/scoring", {"version": 2}),
        ]
    )


def _ana_is_a_bot(services: Services) -> None:
    services.documents.write([Write("state/account_classes", {str(ANA.id): "bot"})])


@pytest.mark.parametrize("change", [_one_more_point_for_comments, _ana_is_a_bot])
def test_another_rule_or_class_is_another_receipt_and_back_again_the_old_one(
    folder: Path, change: Callable[[Services], None]
) -> None:
    services, queue = by_hand(open_services(folder / "data"))
    ingest(services, folder, {"events.json.gz": LINES})
    _register(services, queue)
    before = {
        path: _document(services, path) for path in ("state/scoring", "state/account_classes")
    }

    change(services)
    _recalculate(services, queue)
    other = receipts(services)
    assert {place for place in other if other[place][0] == expected()[place][0]} == set()
    assert other[GLOBAL, "all"][1] != expected()[GLOBAL, "all"][1]

    services.documents.write([Write(path, fields) for path, fields in before.items()])
    _recalculate(services, queue)
    assert receipts(services) == expected()
    assert left_behind(services) == []
    for verified in verification.verify(services, GLOBAL, "all", [r.id for r in BOTH]):
        assert verified.holds


def _document(services: Services, path: str) -> Mapping[str, Any] | None:
    (document,) = services.documents.get(path)
    return None if document is None else document.fields


def _recalculate(services: Services, queue: HandQueue) -> None:
    for repository in BOTH:
        request_repository(services, get(services, name_of(repository)), SYSTEM)
    request_global(services)
    deliver_all(services, queue)
