"""Somebody's contributions over time, for their page: months and a calendar of the last year."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from functions.api.resource import surroundings
from functions.dashboard.people_charts import Calendar, Columns, calendar, columns
from shared import repositories
from shared.activity import DAY, Activity, Grouping, summarise
from shared.board_summary import contributions
from shared.boards import Head
from shared.context import Services
from shared.errors import NotFound
from shared.models import parse_time
from shared.scoring import RuleSet

YEAR = timedelta(days=365)
MOST_MONTHS = 60


@dataclass(frozen=True, slots=True)
class ContributorActivity:
    """Points by month (thousandths, before caps) since the first capture, and days of a year.

    ``year`` is what the days of the calendar add up to; ``cut`` is True if there are months before
    those that are drawn.
    """

    months: Columns
    days: Calendar
    year: Activity
    span: tuple[date, date]
    cut: bool


def read(
    services: Services, github_id: int, head: Head, rules: RuleSet
) -> ContributorActivity | None:
    """Somebody's activity up to the end of a board of all time; None where nothing is known.

    Takes one statement, so it is for where that is free.
    """
    coverage = head.coverage
    begin = coverage["captured_from"]
    last = (parse_time(head.as_of) - timedelta(microseconds=1)).date()
    if begin is None:
        return None
    captured = parse_time(str(begin)).date()
    first = max(captured, _months_before(last, MOST_MONTHS - 1))
    year = max(first, last - YEAR + DAY)
    wanted = [r for r in repositories.everyone(services) if r.github_id is not None]
    try:
        facts = surroundings().activities.read(services, github_id, wanted, first, last)
    except NotFound:
        return None
    known_until = (facts.until - timedelta(microseconds=1)).date()
    by_month = summarise(
        facts.done, rules, (first, last), Grouping.MONTH, uncovered=facts.uncovered
    )
    of_year = [one for one in facts.done if one.day >= year]
    days: Counter[date] = Counter()
    for one in of_year:
        days[one.day] += contributions({one.tally.kind: one.tally.quantity})
    unknown = frozenset(day for day in facts.uncovered if day >= year)
    return ContributorActivity(
        months=columns([(p.name, p.points, p.covered) for p in by_month.periods]),
        days=calendar(days, unknown, (year, last)),
        year=summarise(
            of_year,
            rules,
            (year, last),
            Grouping.MONTH,
            uncovered=unknown,
            known_until=known_until,
        ),
        span=(year, last),
        cut=first > captured,
    )


def _months_before(day: date, months: int) -> date:
    """The first of the month so many months earlier."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, 1)
