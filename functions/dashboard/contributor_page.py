"""What a contributor's page shows: standings, and one window's score down to its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from functions.dashboard import contributor_activity, score_bars
from functions.dashboard.board_page import is_compared
from functions.dashboard.contributor_activity import ContributorActivity
from functions.dashboard.coverage_notes import CoverageNote, describe
from functions.dashboard.score_bars import Segment
from shared import enrichment, repositories, rule_sets
from shared.accounts import Account, Classifier
from shared.boards import GLOBAL, Head, Row, repository_board
from shared.context import Services
from shared.enrichment import Enrichment
from shared.errors import NotFound
from shared.explain import Explanation, KindExplained, RepositoryExplained, explain
from shared.models import WINDOW_DAYS, Kind, Window, parse_time
from shared.repositories import Repository
from shared.scoring import RuleSet, thousandths

RANKED_REPOSITORIES = 50
"""Repositories whose own boards are looked up for the rank there."""

EVENTS_PER_KIND = 20

_NOBODY = Account(0, None)


@dataclass(frozen=True, slots=True)
class WindowStanding:
    """A place on the global board of a window; ``row`` is None where there is none."""

    window: str
    head: Head
    row: Row | None

    @property
    def of(self) -> int:
        return self.head.rows_of(self.row.account_class) if self.row else 0


@dataclass(frozen=True, slots=True)
class EarnedKind:
    """A kind's line: its place in ``Kind``, what one is worth.

    ``plain`` is False where the rules' modifiers make it more than count times worth.
    """

    number: int
    explained: KindExplained
    worth: Decimal
    plain: bool


@dataclass(frozen=True, slots=True)
class EarnedRepository:
    """A repository's line: the score there as a bar, and the place on its own board."""

    repository: Repository
    explained: RepositoryExplained
    bar: tuple[Segment, ...]
    row: Row | None


@dataclass(frozen=True, slots=True)
class ContributorPage:
    """Everything about one contributor in one window.

    ``explanation`` is None where the window has nothing of theirs, and where it would cost money
    (``open`` is False): reading the warehouse is free on one machine only. ``agrees`` is False
    where the events at hand give another score than the published board. ``profile`` is None where
    none was ever asked for.
    """

    window: str
    known_as: Row
    profile: Enrichment | None
    standings: tuple[WindowStanding, ...]
    compared: bool
    rule: str | None
    open: bool
    explanation: Explanation | None
    agrees: bool
    kinds: tuple[EarnedKind, ...]
    repositories: tuple[EarnedRepository, ...]
    bar: tuple[Segment, ...]
    coverage: CoverageNote
    activity: ContributorActivity | None


def read(services: Services, login: str, window: str) -> ContributorPage:
    """Somebody's page. Raises NotFound if nobody on the global board has that login."""
    standings = _standings(services, login)
    shown = next(s for s in standings if s.window == window)
    known_as = next((s.row for s in standings if s.row), None)
    if known_as is None:
        raise NotFound(
            f"Nobody called {login[:100]} is on the board. Logins change: try a search on the "
            "leaderboard."
        )
    rules = rule_sets.version(services, shown.head.rules).rules
    registered = {r.name: r for r in repositories.everyone(services)}
    is_open = services.settings.backend == "local"
    explanation = (
        _explain(services, known_as.github_id, registered, shown.head, rules) if is_open else None
    )
    return ContributorPage(
        window=window,
        known_as=known_as,
        profile=enrichment.get(services, known_as.github_id),
        standings=standings,
        compared=is_compared(shown.head),
        rule=_rule(services, known_as),
        open=is_open,
        explanation=explanation,
        agrees=_hundredths(explanation) == round((shown.row.score if shown.row else 0) * 100),
        kinds=tuple(_kinds(explanation, rules)) if explanation else (),
        repositories=_repositories(services, known_as, explanation, registered, window),
        bar=_bar(explanation),
        coverage=describe(shown.head.coverage),
        activity=contributor_activity.read(services, known_as.github_id, standings[0].head, rules)
        if is_open
        else None,
    )


def _standings(services: Services, login: str) -> tuple[WindowStanding, ...]:
    found: list[WindowStanding] = []
    for window in WINDOW_DAYS:
        piece = services.boards.person(GLOBAL, window, login=login)
        found.append(WindowStanding(window, piece.head, piece.rows[0] if piece.rows else None))
    return tuple(found)


def _explain(
    services: Services,
    github_id: int,
    registered: Mapping[str, Repository],
    head: Head,
    rules: RuleSet,
) -> Explanation | None:
    inputs = head.receipt.inputs
    start = None if inputs.start is None else parse_time(inputs.start)
    window = Window(head.window, start, parse_time(inputs.end))
    try:
        return explain(
            services,
            github_id,
            registered.values(),
            window,
            rules,
            events_per_kind=EVENTS_PER_KIND,
        )
    except NotFound:
        return None


def _kinds(explanation: Explanation, rules: RuleSet) -> list[EarnedKind]:
    lines: list[EarnedKind] = []
    numbers = {kind: number for number, kind in enumerate(Kind)}
    for kind in explanation.kinds:
        worth = rules.points.get(kind.kind, Decimal(0))
        plain = kind.count * thousandths(worth) == kind.points
        lines.append(EarnedKind(numbers[kind.kind], kind, worth, plain))
    return lines


def _repositories(
    services: Services,
    known_as: Row,
    explanation: Explanation | None,
    registered: Mapping[str, Repository],
    window: str,
) -> tuple[EarnedRepository, ...]:
    parts = explanation.repositories if explanation else ()
    return tuple(
        EarnedRepository(
            registered[part.repository],
            part,
            score_bars.of_points({kind.kind: kind.points for kind in part.score.kinds}),
            _place(services, registered[part.repository], known_as.github_id, window)
            if number < RANKED_REPOSITORIES
            else None,
        )
        for number, part in enumerate(parts)
    )


def _place(services: Services, repository: Repository, github_id: int, window: str) -> Row | None:
    board = repository_board(repository.github_id or 0)
    try:
        rows = services.boards.person(board, window, github_id=github_id).rows
    except NotFound:
        return None
    return rows[0] if rows else None


def _bar(explanation: Explanation | None) -> tuple[Segment, ...]:
    points: dict[Kind, int] = {}
    for kind in explanation.kinds if explanation else ():
        points[kind.kind] = kind.points
    return score_bars.of_points(points)


def _rule(services: Services, row: Row) -> str | None:
    """The rule behind the class; None where a login alone does not tell it, or none was needed."""
    classifier = Classifier(rule_sets.class_overrides(services))
    found = classifier.classify(Account(row.github_id, row.username))
    if found.account_class.value != row.account_class or found == Classifier().classify(_NOBODY):
        return None
    return found.rule


def _hundredths(explanation: Explanation | None) -> int:
    return (explanation.total + 5) // 10 if explanation else 0
