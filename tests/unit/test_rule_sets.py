"""Rule sets as data: what is refused, and when two say the same."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from shared.models import Kind
from shared.scoring import DEFAULT_RULES, RuleSet


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"caps": [{"kinds": ["COMMIT"], "points": 1}, {"kinds": ["COMMIT"], "points": 2}]},
            "a kind may stand in one cap only",
        ),
        ({"caps": [{"kinds": ["COMMIT", "COMMIT"], "points": 1}]}, "one cap only"),
        ({"caps": [{"kinds": [], "points": 1}]}, "caps.0.kinds"),
        ({"caps": [{"kinds": ["COMMIT"], "points": -1}]}, "caps.0.points"),
        (
            {"decay": [{"from_days": 90, "factor": 0}, {"from_days": 30, "factor": 1}]},
            "decay steps must be in order",
        ),
        (
            {"decay": [{"from_days": 30, "factor": 0}, {"from_days": 30, "factor": 1}]},
            "each age once",
        ),
        ({"decay": [{"from_days": -1, "factor": 0}]}, "decay.0.from_days"),
        ({"decay": [{"from_days": 0, "factor": "1.001"}]}, "decay.0.factor"),
        ({"points": {"COMMIT": -1}}, "points.COMMIT"),
        ({"points": {"COMMIT": "0.0001"}}, "no more than 3 decimal places"),
        ({"points": {"COMMIT": "1000.001"}}, "points.COMMIT"),
        ({"points": {"COMMIT": "NaN"}}, "points.COMMIT"),
        ({"points": {"COMMITS": 1}}, "points.COMMITS"),
        ({"points": {"COMMIT": "ten"}}, "points.COMMIT"),
        ({"points": None}, "points"),
        ({"daily_caps": {"COMMIT": -1}}, "daily_caps.COMMIT"),
        ({"daily_caps": {"COMMIT": 1.5}}, "daily_caps.COMMIT"),
        ({"self_merge_factor": 2}, "self_merge_factor"),
        ({"self_merge_factor": "0.0005"}, "no more than 3 decimal places"),
        ({"minimum_pr_size": -1}, "minimum_pr_size"),
        ({"selfmerge_factor": 1}, "selfmerge_factor"),
    ],
)
def test_rules_that_cannot_be_are_refused_by_name(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        RuleSet.model_validate({"points": {"COMMIT": 10}, **change})
    assert said in str(refused.value)


def test_two_ways_of_writing_the_same_rules_have_one_digest() -> None:
    short = RuleSet.model_validate(
        {
            "points": {"COMMIT": 10, "COMMENT": "2.5", "LINES_ADDED": "0.01"},
            "caps": [
                {"kinds": ["LINES_ADDED", "LINES_DELETED"], "points": 500},
                {"kinds": ["COMMENT"], "points": 20},
            ],
        }
    )
    long = RuleSet.model_validate_json(
        """{"points": {"LINES_ADDED": "0.010", "COMMENT": "2.500", "COMMIT": "10.0", "RELEASE": 0},
        "caps": [{"points": "20.00", "kinds": ["COMMENT"]},
                 {"points": "500.0", "kinds": ["LINES_DELETED", "LINES_ADDED"]}],
        "daily_caps": {}, "decay": [], "self_merge_factor": "1.000", "minimum_pr_size": 0}"""
    )
    assert (short.digest, short.parameter) == (long.digest, long.parameter)


def test_any_change_of_the_rules_changes_their_digest() -> None:
    rules = DEFAULT_RULES.model_dump()
    changes: list[dict[str, Any]] = [
        {"points": rules["points"] | {Kind.COMMIT: Decimal("10.001")}},
        {"caps": ()},
        {"caps": ({"kinds": (Kind.LINES_ADDED,), "points": 500},)},
        {"daily_caps": {Kind.COMMIT: 10}},
        {"self_merge_factor": Decimal("0.999")},
        {"minimum_pr_size": 1},
        {"decay": ({"from_days": 0, "factor": Decimal("0.5")},)},
    ]
    digests = {RuleSet.model_validate(rules | change).digest for change in changes}
    assert len(digests | {DEFAULT_RULES.digest}) == len(changes) + 1


def test_the_default_rules_go_by_counts_alone_and_modifiers_do_not() -> None:
    assert DEFAULT_RULES.by_counts
    for change in (
        {"daily_caps": {Kind.COMMIT: 10}},
        {"self_merge_factor": Decimal("0.5")},
        {"minimum_pr_size": 1},
        {"decay": ({"from_days": 0, "factor": Decimal("0.5")},)},
    ):
        assert not RuleSet.model_validate(DEFAULT_RULES.model_dump() | change).by_counts
