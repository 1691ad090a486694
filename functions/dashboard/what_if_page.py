"""What the page that tries other rules shows: the rules as a form, and who would move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from pydantic import ValidationError

from functions.api.config import preview_scoring_rules
from functions.api.config_schemas import Preview, PreviewAnswer
from functions.api.parsing import rejected
from functions.api.resource import Call
from functions.dashboard.coverage_notes import CoverageNote, describe
from functions.dashboard.words import KINDS, each
from shared import repositories, rule_sets
from shared.boards import GLOBAL, repository_board
from shared.context import Services
from shared.errors import Forbidden, LeaderboardError, NotFound, Rejected, Unauthenticated
from shared.models import Kind, RepositoryName
from shared.rule_sets import Versioned
from shared.scoring import RuleSet

OFFERED = 500
MOVERS = 50

_TENFOLD = Decimal(10)
_LEAST_SPAN = Decimal("0.05")


@dataclass(frozen=True, slots=True)
class Slider:
    """A number of the rules: its name in the address, its range, and what is in force."""

    name: str
    label: str
    value: str
    now: str
    most: str
    step: str


@dataclass(frozen=True, slots=True)
class WhatIfPage:
    """The form and what it gives.

    ``answer`` is None where nothing could be tried: ``problem`` says why, and ``keyless`` is True
    where it takes a key. ``tried`` is the whole rule set as JSON, empty if nothing differs.
    ``stored`` is the version that new rules take the place of; a flag may keep another in force.
    """

    rules: Versioned
    stored: int
    board: str
    window: str
    account_class: str
    points: tuple[Slider, ...]
    others: tuple[Slider, ...]
    boards: tuple[str, ...]
    answer: PreviewAnswer | None
    problem: str
    coverage: CoverageNote | None
    keyless: bool
    tried: str
    limit: int = MOVERS


def read(call: Call, arguments: Mapping[str, str]) -> tuple[WhatIfPage, LeaderboardError | None]:
    """The page, and what kept the rules from being tried. Without changes nothing moves."""
    services = call.services
    rules = rule_sets.current(services)
    names = {name: arguments.get(name) or default for name, default in _DEFAULTS.items()}
    answer: PreviewAnswer | None = None
    problem: LeaderboardError | None = None
    keyless = False
    try:
        answer = preview_scoring_rules(call, _wanted(rules.rules, arguments, names)).body
    except (Rejected, NotFound) as error:
        problem = error
    except (Unauthenticated, Forbidden):
        keyless = True
    page = WhatIfPage(
        rules=rules,
        stored=rule_sets.stored(services),
        board=names["board"],
        window=names["window"],
        account_class=names["class"],
        points=tuple(_points(rules.rules, arguments)),
        others=tuple(_others(rules.rules, arguments)),
        boards=_boards(services),
        answer=answer,
        problem=problem.message if problem else "",
        coverage=_coverage(services, names) if answer else None,
        keyless=keyless,
        tried=_tried(answer),
    )
    return page, problem


_DEFAULTS = {"board": GLOBAL, "window": "all", "class": "human"}


def _wanted(rules: RuleSet, arguments: Mapping[str, str], names: Mapping[str, str]) -> Preview:
    """The request that the address stands for. Raises Rejected naming the field."""
    points = {
        kind.value: arguments[f"points.{kind.value}"]
        for kind in Kind
        if arguments.get(f"points.{kind.value}")
    }
    caps = [
        {"kinds": cap.kinds, "points": arguments.get(f"cap.{number}") or cap.points}
        for number, cap in enumerate(rules.caps)
    ]
    changes: dict[str, object] = {"points": points, "caps": caps}
    for name in ("self_merge_factor", "minimum_pr_size"):
        if arguments.get(name):
            changes[name] = arguments[name]
    try:
        return Preview.model_validate({**names, "changes": changes, "limit": MOVERS})
    except ValidationError as error:
        raise rejected(error) from error


def _tried(answer: PreviewAnswer | None) -> str:
    if answer is None or answer.meta.digest_before == answer.meta.digest_after:
        return ""
    return answer.data.rules.model_dump_json()


def _points(rules: RuleSet, arguments: Mapping[str, str]) -> list[Slider]:
    sliders = []
    for kind in Kind:
        now = rules.points.get(kind, Decimal(0))
        # Lines are worth hundredths of what the others are.
        small = kind in (Kind.LINES_ADDED, Kind.LINES_DELETED)
        least = _LEAST_SPAN if small else Decimal(50)
        name = f"points.{kind.value}"
        sliders.append(
            _slider(name, KINDS[kind], now, arguments, (least, "0.001" if small else "0.5"))
        )
    return sliders


def _others(rules: RuleSet, arguments: Mapping[str, str]) -> list[Slider]:
    sliders = [
        _slider(
            f"cap.{number}",
            f"Cap on {' and '.join(KINDS[kind].lower() for kind in cap.kinds)}",
            cap.points,
            arguments,
            (Decimal(1000), "10"),
        )
        for number, cap in enumerate(rules.caps)
    ]
    own = rules.self_merge_factor
    return [
        *sliders,
        _slider("self_merge_factor", "Factor for own merges", own, arguments, (Decimal(1), "0.05")),
        _slider(
            "minimum_pr_size",
            "Lines below which a pull request earns nothing",
            Decimal(rules.minimum_pr_size),
            arguments,
            (Decimal(200), "1"),
        ),
    ]


def _slider(
    name: str, label: str, now: Decimal, arguments: Mapping[str, str], span: tuple[Decimal, str]
) -> Slider:
    least, step = span
    value = arguments.get(name) or each(now)
    most = least if name == "self_merge_factor" else max(least, now * 2, _number(value))
    return Slider(name, label, value[:20], each(now), each(most), step)


def _number(text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return Decimal(0)
    return found if found.is_finite() and abs(found) <= _TENFOLD**6 else Decimal(0)


def _boards(services: Services) -> tuple[str, ...]:
    known = [r.name for r in repositories.everyone(services) if r.github_id is not None]
    return (GLOBAL, *known[:OFFERED])


def _coverage(services: Services, names: Mapping[str, str]) -> CoverageNote:
    board = GLOBAL
    if names["board"] != GLOBAL:
        found = repositories.get(services, RepositoryName.parse(names["board"]))
        board = repository_board(found.github_id or 0)
    return describe(services.boards.head(board, names["window"]).coverage)
