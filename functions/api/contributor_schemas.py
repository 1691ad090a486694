"""Contributors in answers: who they are, where they stand, and why."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from functions.api.board_schemas import BoardRow, Movement
from functions.api.enrichment_schemas import Profile
from functions.api.schemas import Envelope, Links, Percent, Score, Shape, Time, points
from shared.coverage import Coverage
from shared.explain import EventLine, Excluded, Explanation, RepositoryExplained
from shared.models import AccountClass, Exclusion, Kind


class Identity(Shape):
    """An account. Somebody anonymous has an id below 0, and neither picture nor profile.

    ``rule`` is the one that decided its class, null if the rules changed since."""

    github_id: int
    username: str
    avatar_url: str
    profile_url: str
    account_class: AccountClass = Field(alias="class")
    rule: str | None


class WindowStanding(Shape):
    """A place on the global board of a window, among the own class. Null row: not on it."""

    window: str
    generation: str
    as_of: Time
    row: BoardRow | None


class RepositoryStanding(Shape):
    """A place on a repository's board, among the own class."""

    repository: str
    generation: str
    row: BoardRow


class Contributor(Shape):
    """What published boards say of somebody, and the profile, null if it was never asked for."""

    identity: Identity
    profile: Profile | None
    standings: list[WindowStanding]
    repositories: list[RepositoryStanding]


class ContributorMeta(Shape):
    """``looked_at`` of ``registered`` repositories' boards were looked at, at most ``most``."""

    window: str
    looked_at: int
    registered: int
    most: int


class ContributorAnswer(Envelope[Contributor, ContributorMeta, Links]):
    """A contributor."""


class Event(Shape):
    """An event behind a score. ``quantity`` is null where it is unknown; ``copies`` counts how

    often the source had it; ``link`` leads to what it was about on GitHub. ``source`` is archive or
    github. Where an AI agent took part, ``agent`` is its name and ``human`` that of who answers for
    the work, each null where it is unknown.
    """

    id: str
    at: Time
    repository: str
    quantity: int | None
    link: str | None
    copies: int
    source: str
    agent: str | None
    human: str | None


class KindEarned(Shape):
    """A kind over all repositories: how many counted, points before caps, the newest events."""

    kind: Kind
    count: int
    points: Score
    events: list[Event]


class KindInRepository(Shape):
    """A kind in a repository. The last two count, and earn nothing by the rule set."""

    kind: Kind
    count: int
    points: Score
    below_minimum: int
    over_daily_cap: int


class CapApplied(Shape):
    """A cap that took something away: ``earned`` is what the kinds made before it."""

    kinds: list[Kind]
    earned: Score
    limit: Score


class RepositoryEarned(Shape):
    """The score in one repository; their sum is the whole score."""

    repository: str
    score: Score
    kinds: list[KindInRepository]
    caps: list[CapApplied]


class LeftOut(Shape):
    """What one rule left out of a kind, and the newest events of it."""

    kind: Kind
    reason: Exclusion
    explanation: str
    count: int
    events: list[Event]


class OnBoard(Shape):
    """The row that is explained, among the own class."""

    rank: int
    score: Score
    percentile: Percent
    movement: Movement


class Explained(Shape):
    """A score down to its events. ``board`` is null for somebody who scores nothing there."""

    identity: Identity
    total: Score
    board: OnBoard | None
    kinds: list[KindEarned]
    repositories: list[RepositoryEarned]
    excluded: list[LeftOut]
    extra_copies: int


class ExplainMeta(Shape):
    """Which board's score this is. ``agrees`` is false only while a newer board is on its way."""

    board: str
    window: str
    start: Time | None
    end: Time
    generation: str
    rule_version: int
    events_per_kind: int
    agrees: bool
    coverage: Coverage


class ExplainAnswer(Envelope[Explained, ExplainMeta, Links]):
    """An explanation."""


def explained(identity: Identity, board: OnBoard | None, found: Explanation) -> Explained:
    """An explanation as it is shown."""
    return Explained(
        identity=identity,
        total=points(found.total),
        board=board,
        kinds=[
            KindEarned(
                kind=kind.kind,
                count=kind.count,
                points=points(kind.points),
                events=_events(kind.events),
            )
            for kind in found.kinds
        ],
        repositories=[_repository(part) for part in found.repositories],
        excluded=[_left_out(part) for part in found.excluded],
        extra_copies=found.extra_copies,
    )


def _repository(part: RepositoryExplained) -> RepositoryEarned:
    return RepositoryEarned(
        repository=part.repository,
        score=points(part.score.total),
        kinds=[
            KindInRepository(
                kind=kind.kind,
                count=kind.quantity,
                points=points(kind.points),
                below_minimum=kind.below_minimum,
                over_daily_cap=kind.over_daily_cap,
            )
            for kind in part.score.kinds
        ],
        caps=[
            CapApplied(kinds=list(cap.kinds), earned=points(cap.earned), limit=points(cap.limit))
            for cap in part.score.caps
        ],
    )


def _left_out(part: Excluded) -> LeftOut:
    return LeftOut(
        kind=part.kind,
        reason=part.reason,
        explanation=part.explanation,
        count=part.count,
        events=_events(part.events),
    )


def _events(lines: Sequence[EventLine]) -> list[Event]:
    return [
        Event(
            id=line.event_id,
            at=line.at,
            repository=line.repository,
            quantity=line.quantity,
            link=line.link,
            copies=line.copies,
            source=line.source,
            agent=line.agent,
            human=line.human,
        )
        for line in lines
    ]
