"""Versioned rules → points: the same arithmetic as ``shared/sql/count_standings.sql``.

Points are whole thousandths. A rule set is data: points per kind, caps over groups of kinds, and
modifiers that are off unless set. docs/scoring.md explains it for people.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.canonical import canonical_json, fingerprint
from shared.models import Kind

Points = Annotated[Decimal, Field(ge=0, le=1000, decimal_places=3)]
Factor = Annotated[Decimal, Field(ge=0, le=1, decimal_places=3)]

_BY_PULL_REQUEST = frozenset({Kind.PR_OPENED, Kind.PR_MERGED, Kind.LINES_ADDED, Kind.LINES_DELETED})
_BY_MERGE = _BY_PULL_REQUEST - {Kind.PR_OPENED}


def thousandths(value: Decimal) -> int:
    """Points or a factor as whole thousandths."""
    return int(value * 1000)


def shown(value: int) -> str:
    """Thousandths of a point with two places, halves up, as boards show them: ``1380.00``."""
    hundredths = (value + 5) // 10
    return f"{hundredths // 100}.{hundredths % 100:02d}"


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cap(_Rules):
    """The most points that some kinds earn together, per contributor and repository."""

    kinds: tuple[Kind, ...] = Field(min_length=1)
    points: Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=3)]


class DecayStep(_Rules):
    """From this age in days (back from the window's end) points are multiplied by factor."""

    from_days: Annotated[int, Field(ge=0, le=36_500)]
    factor: Factor


class RuleSet(_Rules):
    """What a contribution is worth. Kinds that are not named are worth nothing.

    ``daily_caps``: contributions of a kind that earn points on one day (UTC), in one repository.
    ``self_merge_factor``: for pull requests that their author merged, and their lines.
    ``minimum_pr_size``: added plus deleted lines below which a pull request earns nothing; one
    whose size is unknown passes.
    """

    points: Mapping[Kind, Points]
    caps: tuple[Cap, ...] = ()
    daily_caps: Mapping[Kind, Annotated[int, Field(ge=0, le=1_000_000)]] = Field(
        default_factory=dict
    )
    self_merge_factor: Factor = Decimal(1)
    minimum_pr_size: Annotated[int, Field(ge=0, le=100_000_000)] = 0
    decay: tuple[DecayStep, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        capped = [kind for cap in self.caps for kind in cap.kinds]
        if len(capped) != len(set(capped)):
            raise ValueError("a kind may stand in one cap only")
        ages = [step.from_days for step in self.decay]
        if ages != sorted(set(ages)):
            raise ValueError("decay steps must be in order of from_days, each age once")
        return self

    @cached_property
    def parameter(self) -> str:
        """The rule set as the statements take it: JSON text, thousandths, every kind named."""
        return canonical_json({"kinds": self._kinds(), "decay": self._decay()}).decode()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the rules say; the same for two ways of writing the same rules."""
        return fingerprint({"kinds": self._kinds(), "decay": self._decay()})

    @property
    def by_counts(self) -> bool:
        """True if the counts of a board alone give its scores: no modifier is set."""
        return (
            not self.daily_caps
            and not self.minimum_pr_size
            and not self.decay
            and (self.self_merge_factor == 1)
        )

    def _kinds(self) -> list[dict[str, object]]:
        caps = {kind: cap for cap in self.caps for kind in cap.kinds}
        rows: list[dict[str, object]] = []
        for kind in Kind:
            cap = caps.get(kind)
            rows.append(
                {
                    "kind": kind.value,
                    "points": thousandths(self.points.get(kind, Decimal(0))),
                    "daily_cap": self.daily_caps.get(kind),
                    # Named for a kind in it: the order in which caps are written says nothing.
                    "cap_group": None if cap is None else min(cap.kinds).value,
                    "cap": None if cap is None else thousandths(cap.points),
                    "minimum_size": self.minimum_pr_size if kind in _BY_PULL_REQUEST else 0,
                    "self_factor": thousandths(self.self_merge_factor)
                    if kind in _BY_MERGE
                    else 1000,
                }
            )
        return rows

    def _decay(self) -> list[dict[str, object]]:
        ends: list[int | None] = [step.from_days for step in self.decay[1:]]
        return [
            {"from_days": step.from_days, "until_days": end, "factor": thousandths(step.factor)}
            for step, end in zip(self.decay, [*ends, None], strict=False)
        ]


DEFAULT_RULES = RuleSet(
    points={
        Kind.COMMIT: Decimal(10),
        Kind.PR_OPENED: Decimal(15),
        Kind.PR_MERGED: Decimal(25),
        Kind.PR_REVIEWED: Decimal(20),
        Kind.PR_REVIEW_COMMENT: Decimal(5),
        Kind.ISSUE_OPENED: Decimal(8),
        Kind.ISSUE_CLOSED: Decimal(5),
        Kind.COMMENT: Decimal(3),
        Kind.RELEASE: Decimal(30),
        Kind.LINES_ADDED: Decimal("0.01"),
        Kind.LINES_DELETED: Decimal("0.005"),
    },
    caps=(Cap(kinds=(Kind.LINES_ADDED, Kind.LINES_DELETED), points=Decimal(500)),),
)
"""Version 1 of the published rules."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Counted contributions of one person in one repository that the rules treat alike."""

    kind: Kind
    quantity: int
    age_days: int = 0
    self_merged: bool = False
    pr_size: int | None = None


@dataclass(frozen=True, slots=True)
class KindScore:
    """What one kind earned: points in thousandths before the caps over groups of kinds.

    ``below_minimum`` and ``over_daily_cap`` are quantities that count but earn nothing.
    """

    kind: Kind
    quantity: int
    points: int
    below_minimum: int = 0
    over_daily_cap: int = 0


@dataclass(frozen=True, slots=True)
class AppliedCap:
    """A cap that took something away. Points in thousandths."""

    kinds: tuple[Kind, ...]
    earned: int
    limit: int


@dataclass(frozen=True, slots=True)
class Score:
    """A score in one repository, with how it came about. Points in thousandths."""

    total: int
    kinds: tuple[KindScore, ...]
    caps: tuple[AppliedCap, ...]


def score(tallies: Iterable[Tally], rules: RuleSet) -> Score:
    """The score of one contributor in one repository and window."""
    by_kind: dict[Kind, list[Tally]] = defaultdict(list)
    for tally in tallies:
        by_kind[tally.kind].append(tally)
    kinds = tuple(_kind_score(kind, by_kind[kind], rules) for kind in Kind if by_kind[kind])
    total = sum(part.points for part in kinds)
    caps: list[AppliedCap] = []
    for cap in rules.caps:
        earned = sum(part.points for part in kinds if part.kind in cap.kinds)
        limit = thousandths(cap.points)
        if earned > limit:
            caps.append(AppliedCap(cap.kinds, earned, limit))
            total -= earned - limit
    return Score(total, kinds, tuple(caps))


def _kind_score(kind: Kind, tallies: list[Tally], rules: RuleSet) -> KindScore:
    """As ``by_kind`` in count_standings.sql: millionths, cut to thousandths, then to points."""
    quantity = sum(tally.quantity for tally in tallies)
    worth = thousandths(rules.points.get(kind, Decimal(0)))
    if rules.by_counts:
        return KindScore(kind, quantity, quantity * worth, 0, 0)
    own_factor = thousandths(rules.self_merge_factor) if kind in _BY_MERGE else 1000
    minimum = rules.minimum_pr_size if kind in _BY_PULL_REQUEST else 0
    days: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    below = 0
    for tally in tallies:
        if tally.pr_size is not None and tally.pr_size < minimum:
            below += tally.quantity
        else:
            days[tally.age_days][tally.self_merged] += tally.quantity
    millionths = over = 0
    for age, (plain, own) in days.items():
        limit = rules.daily_caps.get(kind, plain + own)
        plain_paid = min(plain, limit)
        own_paid = min(own, limit - plain_paid)
        over += plain + own - plain_paid - own_paid
        millionths += (plain_paid * 1000 + own_paid * own_factor) * _decay_factor(age, rules)
    return KindScore(
        kind,
        quantity,
        millionths // 1000 * worth // 1000,
        below,
        over,
    )


def _decay_factor(age_days: int, rules: RuleSet) -> int:
    factor = 1000
    for step in rules.decay:
        if age_days >= step.from_days:
            factor = thousandths(step.factor)
    return factor
