"""Rule sets in requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from functions.api.parameters import BoardText, ClassName, Query, WindowName
from functions.api.schemas import Envelope, Links, Score, Shape, Time, points
from shared.boards import GLOBAL
from shared.models import AccountClass, Kind
from shared.scoring import Cap, DecayStep, Factor, Points, RuleSet
from shared.what_if import Comparison, Mover


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class RuleChanges(_Request):
    """What differs from the rule set in force. Kinds that are not named stay as they are.

    ``daily_caps`` null takes a kind's cap away; ``caps`` and ``decay`` replace all there are.
    """

    points: Mapping[Kind, Points] | None = None
    caps: tuple[Cap, ...] | None = None
    daily_caps: Mapping[Kind, Annotated[int, Field(ge=0, le=1_000_000)] | None] | None = None
    self_merge_factor: Factor | None = None
    minimum_pr_size: Annotated[int, Field(ge=0, le=100_000_000)] | None = None
    decay: tuple[DecayStep, ...] | None = None

    def merged_over(self, rules: RuleSet) -> dict[str, object]:
        """A rule set with the changes made, to be validated."""
        caps = {**rules.daily_caps, **(self.daily_caps or {})}
        changed: dict[str, object] = {
            "points": {**rules.points, **(self.points or {})},
            "daily_caps": {kind: cap for kind, cap in caps.items() if cap is not None},
        }
        for name in ("caps", "self_merge_factor", "minimum_pr_size", "decay"):
            value = getattr(self, name)
            changed[name] = getattr(rules, name) if value is None else value
        return changed


class Preview(_Request):
    """Other rules to try: either ``changes`` to those in force, or whole ``rules``."""

    board: BoardText = Field(GLOBAL, description="global or owner/name")
    window: WindowName = "all"
    account_class: ClassName = Field("human", alias="class")
    changes: RuleChanges | None = None
    rules: RuleSet | None = None
    limit: int = Field(50, ge=1, le=500, description="The largest moves that are shown")


class RulesQuery(Query):
    """Which rule set."""

    version: int | None = Field(None, ge=1, le=1_000_000, description="One that was in force")


class NewRules(_Request):
    """A whole rule set to put in force."""

    rules: RuleSet
    version: int | None = Field(
        None, ge=1, le=1_000_000, strict=True,
        description="The version it was made from; another one in force is a conflict",
    )  # fmt: skip


class Restoration(_Request):
    """A former version to go back to."""

    version: int = Field(ge=1, le=1_000_000, strict=True)


class RulesInForce(Shape):
    """A rule set. ``digest`` is the same for two ways of writing the same rules."""

    version: int
    digest: str
    rules: RuleSet


class RulesVersion(Shape):
    """A rule set that was once stored. ``restores`` is the version that it went back to.

    Version 1 is the default, which nobody stored.
    """

    version: int
    digest: str
    changed_at: Time | None
    changed_by: str | None
    restores: int | None


class RulesMeta(Shape):
    """``kinds`` are all that can be scored; those a rule set does not name earn nothing.

    ``stored`` is the version that is stored as the one in force. Boards are made by another one
    while the flag new_scoring_algorithm names it. ``history`` is newest first.
    """

    kinds: list[Kind]
    stored: int
    history: list[RulesVersion]


class RulesAnswer(Envelope[RulesInForce, RulesMeta, Links]):
    """The rule set in force."""


class Moved(Shape):
    """Somebody whose rank or score changes. ``places`` is positive for a climb.

    ``by_kind`` is what each kind's points change by, before caps.
    """

    github_id: int
    username: str
    account_class: AccountClass = Field(alias="class")
    rank_before: int
    rank_after: int
    places: int
    score_before: Score
    score_after: Score
    by_kind: dict[Kind, Score]


class Summary(Shape):
    """What the other rules do to the whole board. Points are sums over everybody on it."""

    contributors: int
    change_rank: int
    change_score: int
    climb: int
    fall: int
    points_before: Score
    points_after: Score
    by_kind: dict[Kind, Score]


class PreviewResult(Shape):
    """Who moves, the largest moves first, at most as many as asked for."""

    summary: Summary
    movers: list[Moved]
    rules: RuleSet


class PreviewMeta(Shape):
    """Which board was scored anew, and by which rules."""

    board: str
    window: str
    account_class: str = Field(alias="class")
    generation: str
    as_of: Time
    rule_version: int
    digest_before: str
    digest_after: str
    limit: int


class PreviewAnswer(Envelope[PreviewResult, PreviewMeta, Links]):
    """A comparison of two rule sets. Nothing is published."""


def summary(compared: Comparison) -> Summary:
    """The sums of a comparison."""
    everyone = compared.everyone
    by_kind = {kind: sum(m.by_kind.get(kind, 0) for m in everyone) for kind in Kind}
    return Summary(
        contributors=len(everyone),
        change_rank=sum(1 for m in everyone if m.places),
        change_score=sum(1 for m in everyone if m.score_before != m.score_after),
        climb=sum(1 for m in everyone if m.places > 0),
        fall=sum(1 for m in everyone if m.places < 0),
        points_before=points(sum(m.score_before for m in everyone)),
        points_after=points(sum(m.score_after for m in everyone)),
        by_kind={kind: points(change) for kind, change in by_kind.items() if change},
    )


def moved(mover: Mover) -> Moved:
    """A mover as it is shown."""
    return Moved(
        github_id=mover.github_id,
        username=mover.username,
        account_class=AccountClass(mover.account_class),
        rank_before=mover.rank_before,
        rank_after=mover.rank_after,
        places=mover.places,
        score_before=points(mover.score_before),
        score_after=points(mover.score_after),
        by_kind={kind: points(change) for kind, change in mover.by_kind.items()},
    )
