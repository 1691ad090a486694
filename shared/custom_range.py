"""A board for any span of time: counted when it is asked for, kept while there is room.

It has everything a published board has, receipt and coverage included, and is read in the same
way; only movement is ``none``, because there is no board before it. Counting takes one statement
over the contributions, one over the accounts, and one a repository for what is missing in it.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec
import pyarrow as pa

from shared import authority, people, rule_sets
from shared.accounts import Classifier
from shared.authority import Authority
from shared.board_parts import Ranks, encode
from shared.board_reading import BoardReader, Selection, Slice
from shared.boards import Head, Movement, Row, pointer_path
from shared.canonical import fingerprint
from shared.context import Services
from shared.coverage import (
    HOUR,
    Captured,
    Coverage,
    captured_of_each,
    measure,
    together,
    with_github,
)
from shared.crediting import credit_of
from shared.errors import NotFound, Rejected, RetryLater
from shared.labels import with_borne_names
from shared.models import ARCHIVE_BEGINS, Window, iso, parse_time
from shared.people import People
from shared.ports import Document, Parameter, Unit
from shared.range_ranking import rank
from shared.receipts import Inputs, Receipt, facts_digest, window_text
from shared.repositories import Repository, unit_name
from shared.rule_sets import Versioned
from shared.statements import method_digest, windows_parameter
from shared.tables import Dataset
from shared.telemetry import CacheReads

CUSTOM = "custom"
"""The name of every window that is not published."""

LONGEST = timedelta(days=20 * 366)
"""The longest range: each hour of it is looked at for the coverage."""

_MOST_RANGES = 32
_UNMOVED = Movement("none", 0, None)


def custom_window(start: datetime, end: datetime) -> Window:
    """The window [start, end). Raises Rejected naming the border that is wrong, and the remedy."""
    problem = None
    if start < ARCHIVE_BEGINS:
        problem = ("start", "Nothing before 2015-01-01 is counted. Begin there or later.")
    elif end <= start:
        problem = ("end", "The range is empty: end has to be later than start, and is not in it.")
    elif end - start > LONGEST:
        problem = ("end", f"The range is too long. Ask for {LONGEST.days} days at most.")
    if problem is not None:
        raise Rejected(problem[1], details={"field": problem[0]})
    return Window(CUSTOM, start, end)


@dataclass(frozen=True, slots=True)
class RangeBoard:
    """A counted range, read like a published board."""

    head: Head
    reader: BoardReader

    def read(self, selection: Selection) -> Slice:
        """A stretch of it. Raises Rejected for an unknown sort or class."""
        return _unmoved(self.reader.read(self.head.board, CUSTOM, selection))

    def person(self, *, login: str = "", github_id: int = 0) -> Slice:
        """One contributor's row; a Slice without rows if there is none."""
        return _unmoved(
            self.reader.person(self.head.board, CUSTOM, login=login, github_id=github_id)
        )


class RangeBoards:
    """Counts ranges and keeps the last of them, at most ``keep_rows`` rows. Safe in threads.

    What is kept is found by its facts, so it is never older than they are.
    """

    def __init__(self, *, keep_rows: int = 300_000) -> None:
        self._keep_rows = keep_rows
        self._kept: OrderedDict[str, RangeBoard] = OrderedDict()
        self._lock = threading.Lock()
        self._reads = CacheReads("ranges")

    @property
    def caches(self) -> tuple[tuple[CacheReads, int], ...]:
        """This one, and how much it holds."""
        return ((self._reads, len(self._kept)),)

    def board(
        self,
        services: Services,
        board: str,
        name: str,
        repositories: Iterable[Repository],
        window: Window,
    ) -> RangeBoard:
        """The board over some repositories and a window.

        ``board`` is its id in receipts, ``name`` what people call it. Raises NotFound if none of
        the repositories was scraped, RetryLater if their contributions change all the time.
        """
        registered = tuple(repositories)
        basis = _basis(services, board, registered, window)
        for _ in range(3):
            key = basis.key
            with self._lock:
                kept = self._kept.get(key)
                if kept is not None:
                    self._kept.move_to_end(key)
            if kept is not None:
                self._reads.add(services.telemetry, hits=1)
                return kept
            self._reads.add(services.telemetry, misses=1)
            counted = _count(services, basis, name)
            # A scrape that came between has replaced what the receipt names: then once more.
            basis = _basis(services, board, registered, window)
            if basis.key == key:
                self._keep(key, counted)
                return counted
        raise RetryLater("The contributions of this board keep changing. Try again.")

    def _keep(self, key: str, counted: RangeBoard) -> None:
        with self._lock:
            self._kept[key] = counted
            while len(self._kept) > 1 and (
                len(self._kept) > _MOST_RANGES
                or sum(each.head.total for each in self._kept.values()) > self._keep_rows
            ):
                self._kept.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _Basis:
    """What a range is counted from. ``units`` are contributions, ``standings`` by unit name."""

    board: str
    window: Window
    units: tuple[Unit, ...]
    standings: Mapping[str, Unit]
    rules: Versioned
    classifier: Classifier
    people: People

    @property
    def repo_ids(self) -> list[int]:
        return sorted(int(str(unit.about["repo_id"])) for unit in self.units)

    @property
    def as_of(self) -> datetime:
        return max(_as_of(unit) for unit in self.units)

    @property
    def key(self) -> str:
        # The hours captured are part of it: they change the coverage of the very same facts.
        facts = [
            [
                *(unit.name, unit.digest, str(unit.about["as_of"]), self._note(unit, "captured")),
                unit.about.get("authority"),
            ]
            for unit in self.units
        ]
        return fingerprint(
            [
                *(self.board, *window_text(self.window), facts),
                *(self.rules.rules.digest, method_digest(), self.classifier.digest),
                self.people.fingerprint,
            ]
        )

    def known_facts(self, unit: Unit) -> str | None:
        """The digest of a repository's facts, if its standings were counted from these."""
        return (
            self._note(unit, "facts") if self._note(unit, "contributions") == unit.digest else None
        )

    def _note(self, unit: Unit, name: str) -> str | None:
        standing = self.standings.get(unit.name)
        return None if standing is None else str(standing.about[name])


def _basis(
    services: Services, board: str, repositories: Iterable[Repository], window: Window
) -> _Basis:
    wanted = {unit_name(r.github_id) for r in repositories if r.github_id is not None}
    units = tuple(u for u in services.warehouse.units(Dataset.CONTRIBUTIONS) if u.name in wanted)
    if not units:
        raise NotFound("Nothing was scraped for this board yet.")
    return _Basis(
        board=board,
        window=window,
        units=units,
        standings={u.name: u for u in services.warehouse.units(Dataset.STANDINGS)},
        rules=rule_sets.current(services),
        classifier=Classifier(rule_sets.class_overrides(services)),
        people=people.current(services),
    )


def _count(services: Services, basis: _Basis, name: str) -> RangeBoard:
    """Count, rank and encode a range as a publication would."""
    standings = services.warehouse.query(
        "count_standings",
        {
            "repo_ids": basis.repo_ids,
            "windows": windows_parameter([basis.window]),
            "rule_set": basis.rules.rules.parameter,
        },
    )
    accounts = services.warehouse.query("list_accounts", {"repo_ids": basis.repo_ids})
    rows = rank(standings, accounts, basis.classifier)
    start, end = window_text(basis.window)
    inputs = Inputs(
        board=basis.board,
        window=CUSTOM,
        start=start,
        end=end,
        facts=facts_digest([_facts(services, basis, unit) for unit in basis.units]),
        rules=basis.rules.rules.digest,
        method=method_digest(),
        accounts=basis.classifier.digest,
        agent_credit=credit_of(basis.units),
        people=basis.people.digest(rows["contributor_id"].to_pylist()),
    )
    rows = basis.people.shown(with_borne_names(rows, accounts))
    parts = encode(rows, inputs.generation, Ranks())
    head = Head(
        board=basis.board,
        name=name,
        window=CUSTOM,
        generation=inputs.generation,
        edition=inputs.generation,
        as_of=iso(basis.as_of),
        published_at=iso(services.now()),
        rules=basis.rules.version,
        receipt=Receipt(inputs=inputs, board=parts.board_digest, rows=parts.total),
        classes=parts.classes,
        total=parts.total,
        first_ids=parts.first_ids,
        first_logins=parts.first_logins,
        coverage=_coverage(services, basis).model_dump(mode="json"),
        digests={},
    )
    pointer = {pointer_path(basis.board, CUSTOM): head.model_dump_json().encode()}
    return RangeBoard(head, BoardReader(_Kept({**parts.bodies, **pointer}), now=services.now))


def _facts(services: Services, basis: _Basis, unit: Unit) -> tuple[int, str, str]:
    repo_id = int(str(unit.about["repo_id"]))
    digest = basis.known_facts(unit) or fingerprint(
        services.warehouse.query("digest_contributions", {"repo_id": repo_id}).to_pylist()
    )
    return repo_id, digest, str(unit.about["as_of"])


def _coverage(services: Services, basis: _Basis) -> Coverage:
    """What is known of the range: of hours that a repository's scrape came too early for, nothing.

    Repositories of which the same is known are measured together.
    """
    numbers = {unit.name: int(str(unit.about["number"])) for unit in basis.units}
    each = captured_of_each(services.warehouse.units(Dataset.EVENTS), numbers.values())
    start, end = window_text(basis.window)
    # The hours that the range touches: one that lies within an hour is as complete as that hour.
    last = basis.window.end - timedelta(microseconds=1)
    touched = replace(basis.window, end=last.replace(minute=0, second=0, microsecond=0) + HOUR)
    alike: dict[tuple[datetime, Captured, Authority], list[Unit]] = {}
    for unit in basis.units:
        decided, as_of = authority.from_json(unit.about.get("authority")), _as_of(unit)
        held = with_github(each[numbers[unit.name]], decided)
        known = frozenset(hour for hour in held.hours if hour < as_of)
        alike.setdefault((as_of, replace(held, hours=known), decided), []).append(unit)
    parts: list[Coverage] = []
    for (as_of, held, decided), units in sorted(alike.items(), key=lambda found: found[0][0]):
        part = measure(touched, held, _gaps(services, units, basis.window), decided)
        parts.append(part.model_copy(update={"captured_until": iso(as_of)}))
    return together(parts).model_copy(update={"start": start, "end": end})


def _gaps(services: Services, units: Sequence[Unit], window: Window) -> pa.Table:
    """What is missing in several repositories, as one row of measure_gaps.sql."""
    total: Counter[str] = Counter()
    windows = windows_parameter([window])
    for unit in units:
        parameters: dict[str, Parameter] = {
            "repo_id": int(str(unit.about["repo_id"])),
            "windows": windows,
        }
        for row in services.warehouse.query("measure_gaps", parameters).to_pylist():
            total.update({name: n for name, n in row.items() if name != "window_name"})
    return pa.Table.from_pylist([{"window_name": window.name, **total}])


def _as_of(unit: Unit) -> datetime:
    return parse_time(str(unit.about["as_of"]))


def _unmoved(piece: Slice) -> Slice:
    """The rows without movement: encoded alone, everybody would seem new."""

    def still(row: Row) -> Row:
        overall = msgspec.structs.replace(row.overall, movement=_UNMOVED)
        return msgspec.structs.replace(row, movement=_UNMOVED, overall=overall)

    return replace(piece, rows=tuple(still(row) for row in piece.rows))


class _Kept:
    """The parts of one board, where a reader finds them."""

    def __init__(self, bodies: Mapping[str, bytes]) -> None:
        self._bodies = bodies

    def get(self, *paths: str) -> tuple[Document | None, ...]:
        bodies = (self._bodies.get(path) for path in paths)
        return tuple(
            None if body is None else Document(path, {}, "1", body)
            for path, body in zip(paths, bodies, strict=True)
        )
