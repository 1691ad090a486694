"""Points: the same from ``shared.scoring`` and from count_standings.sql, for any rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.models import Kind, Window
from shared.scoring import DEFAULT_RULES, RuleSet, Tally, score, shown
from shared.statements import windows_parameter
from shared.tables import COUNT_COLUMNS, Dataset
from tests.support.engines import Duck, Rows

REPO = 101
END = datetime(2025, 3, 20, 15, tzinfo=UTC)
SPAN = timedelta(days=900)

# --- by hand ----------------------------------------------------------------------------------


def _default(**counts: int) -> str:
    return shown(score([Tally(Kind(kind), n) for kind, n in counts.items()], DEFAULT_RULES).total)


def test_the_smaller_worked_example_comes_to_1380_00() -> None:
    assert (
        _default(
            COMMIT=50, PR_OPENED=10, PR_MERGED=8, PR_REVIEWED=15, ISSUE_OPENED=5, COMMENT=30,
            LINES_ADDED=10_000,
        )
        == "1380.00"
    )  # fmt: skip


def test_the_larger_worked_example_comes_to_4601_00() -> None:
    assert (
        _default(
            COMMIT=150, PR_OPENED=25, PR_MERGED=20, PR_REVIEWED=45, ISSUE_OPENED=12,
            ISSUE_CLOSED=8, COMMENT=200, RELEASE=3, LINES_ADDED=50_000, LINES_DELETED=15_000,
        )
        == "4601.00"
    )  # fmt: skip


def test_nothing_done_scores_nothing() -> None:
    nothing = score([], DEFAULT_RULES)
    assert (nothing.total, nothing.kinds, nothing.caps) == (0, (), ())


def test_a_cap_that_takes_something_away_is_told_and_one_that_does_not_is_silent() -> None:
    within = score([Tally(Kind.LINES_ADDED, 50_000)], DEFAULT_RULES)
    beyond = score([Tally(Kind.LINES_ADDED, 50_000), Tally(Kind.LINES_DELETED, 1)], DEFAULT_RULES)
    assert (within.total, within.caps) == (500_000, ())
    assert beyond.total == 500_000
    (cap,) = beyond.caps
    assert (cap.kinds, cap.earned, cap.limit) == (
        (Kind.LINES_ADDED, Kind.LINES_DELETED),
        500_005,
        500_000,
    )


def test_a_daily_cap_pays_so_many_of_each_day_and_says_what_it_left() -> None:
    rules = RuleSet(points={Kind.COMMENT: Decimal(3)}, daily_caps={Kind.COMMENT: 10})
    found = score(
        [Tally(Kind.COMMENT, 8), Tally(Kind.COMMENT, 7), Tally(Kind.COMMENT, 4, age_days=1)], rules
    )
    assert found.total == 3 * 14 * 1000
    (kind,) = found.kinds
    assert (kind.quantity, kind.over_daily_cap) == (19, 5)


def test_what_one_merged_oneself_earns_a_part() -> None:
    rules = RuleSet(points={Kind.PR_MERGED: Decimal(25)}, self_merge_factor=Decimal("0.5"))
    tallies = [Tally(Kind.PR_MERGED, 1), Tally(Kind.PR_MERGED, 1, self_merged=True)]
    assert score(tallies, rules).total == 37_500


def test_a_daily_cap_is_filled_by_what_others_merged_first() -> None:
    rules = RuleSet(
        points={Kind.PR_MERGED: Decimal(25)},
        self_merge_factor=Decimal(0),
        daily_caps={Kind.PR_MERGED: 2},
    )
    tallies = [Tally(Kind.PR_MERGED, 2, self_merged=True), Tally(Kind.PR_MERGED, 1)]
    assert score(tallies, rules).total == 25_000


def test_a_pull_request_below_the_minimum_size_earns_nothing_and_one_of_unknown_size_passes() -> (
    None
):
    rules = RuleSet(points={Kind.PR_OPENED: Decimal(15)}, minimum_pr_size=10)
    tallies = [Tally(Kind.PR_OPENED, 1, pr_size=size) for size in (9, 10, None)]
    found = score(tallies, rules)
    assert found.total == 30_000
    assert found.kinds[0].below_minimum == 1


def test_points_decay_by_the_last_step_that_was_reached() -> None:
    rules = RuleSet.model_validate(
        {
            "points": {"COMMIT": 10},
            "decay": [{"from_days": 30, "factor": "0.5"}, {"from_days": 365, "factor": "0.1"}],
        }
    )
    worth = {
        age: score([Tally(Kind.COMMIT, 1, age_days=age)], rules).total
        for age in (0, 29, 30, 364, 365, 5000)
    }
    assert worth == {0: 10_000, 29: 10_000, 30: 5_000, 364: 5_000, 365: 1_000, 5000: 1_000}


@pytest.mark.parametrize(
    ("thousandths", "text"),
    [
        (0, "0.00"), (4, "0.00"), (5, "0.01"), (14, "0.01"), (15, "0.02"), (994, "0.99"),
        (995, "1.00"), (1_000, "1.00"), (1_380_000, "1380.00"), (12_345_678_905, "12345678.91"),
    ],
)  # fmt: skip
def test_a_score_is_shown_with_two_places_halves_up(thousandths: int, text: str) -> None:
    assert shown(thousandths) == text


# --- against the statement --------------------------------------------------------------------

_thousandths = st.decimals(0, 1000, places=3)
_factors = st.decimals(0, 1, places=3)


@st.composite
def _rule_sets(draw: st.DrawFn) -> RuleSet:
    groups: dict[int, list[Kind]] = defaultdict(list)
    for kind in Kind:
        groups[draw(st.integers(0, 4))].append(kind)
    ages = draw(st.lists(st.integers(0, 900), unique=True, max_size=4))
    return RuleSet(
        points=draw(st.dictionaries(st.sampled_from(Kind), _thousandths)),
        caps=tuple(
            {"kinds": kinds, "points": draw(st.decimals(0, 1_000_000, places=3))}
            for group, kinds in groups.items()
            if group
        ),
        daily_caps=draw(st.dictionaries(st.sampled_from(Kind), st.integers(0, 50))),
        self_merge_factor=draw(_factors),
        minimum_pr_size=draw(st.integers(0, 100)),
        decay=tuple({"from_days": age, "factor": draw(_factors)} for age in sorted(ages)),
    )


_contributions = st.fixed_dictionaries(
    {
        "contributor_id": st.integers(1, 9),
        "kind": st.sampled_from([kind.value for kind in Kind]),
        "quantity": st.one_of(st.integers(1, 30), st.integers(1, 100_000_000)),
        "occurred_at": st.one_of(
            # Few days, so that daily caps bite; and any time before, at and after the border.
            st.integers(0, 60).map(lambda hours: END - timedelta(hours=hours)),
            st.timedeltas(timedelta(-1), SPAN * 2).map(lambda ago: END - ago),
        ),
        "self_merged": st.booleans(),
        "pr_size": st.one_of(st.none(), st.integers(0, 120)),
        "exclusion": st.sampled_from([None, None, None, "repeated"]),
        "superseded_at": st.sampled_from([None, None, END - timedelta(hours=1), END]),
    }
)


@pytest.fixture(scope="module")
def duck() -> Iterator[Duck]:
    with TemporaryDirectory() as folder:
        opened = Duck(Path(folder))
        yield opened
        opened.close()


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rules=_rule_sets(), rows=st.lists(_contributions, min_size=20, max_size=60))
def test_the_statement_and_python_give_the_same_scores(
    duck: Duck, rules: RuleSet, rows: Rows
) -> None:
    duck.fill(Dataset.CONTRIBUTIONS, [row | {"repo_id": REPO, "event_id": "1"} for row in rows])
    counted = duck.query(
        "count_standings",
        {
            "repo_ids": [REPO],
            "windows": windows_parameter([Window("w", END - SPAN, END)]),
            "rule_set": rules.parameter,
        },
    )
    by_hand = {id_: score(tallies, rules) for id_, tallies in _tallies(rows).items()}
    by_tally = {id_: score(tallies, rules) for id_, tallies in _stored_tallies(duck).items()}

    assert {row["contributor_id"]: row["score"] for row in counted} == {
        id_: found.total for id_, found in by_hand.items()
    }
    assert by_tally == by_hand
    for row in counted:
        quantities = {part.kind: part.quantity for part in by_hand[row["contributor_id"]].kinds}
        assert {k: row[column] for k, column in COUNT_COLUMNS.items() if row[column]} == quantities


def _tallies(rows: Rows) -> dict[int, list[Tally]]:
    """What counts of the rows, written down once more in Python."""
    found: dict[int, list[Tally]] = defaultdict(list)
    for row in rows:
        at, superseded = row["occurred_at"], row["superseded_at"]
        if row["exclusion"] or not END - SPAN <= at < END or (superseded and superseded < END):
            continue
        age = (END.date() - at.date()).days
        found[row["contributor_id"]].append(
            Tally(Kind(row["kind"]), row["quantity"], age, row["self_merged"], row["pr_size"])
        )
    return found


def _stored_tallies(duck: Duck) -> dict[int, list[Tally]]:
    """The same from tally_board.sql, which what-if and explanations start from."""
    found: dict[int, list[Tally]] = defaultdict(list)
    for row in duck.query(
        "tally_board", {"repo_ids": [REPO], "start_at": END - SPAN, "end_at": END}
    ):
        found[row["contributor_id"]].append(
            Tally(
                Kind(row["kind"]),
                row["quantity"],
                row["age_days"],
                row["self_merged"],
                row["pr_size"],
            )
        )
    return found
