"""Which repositories want a scrape first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.jobs import RepositoryStatus
from shared.models import iso
from shared.repositories import Repository
from shared.staleness import stale

NOW = datetime(2025, 3, 20, 12, tzinfo=UTC)
DAY = timedelta(hours=24)


def repository(
    name: str,
    days: float | None = None,
    stars: int | None = None,
    status: RepositoryStatus = RepositoryStatus.COMPLETED,
    registered: float = 30,
    **fields: str,
) -> Repository:
    """A repository that was scraped so many days ago; None is never."""
    return Repository(
        key=f"octo~{name}",
        name=f"octo/{name}",
        number=1,
        status=status if days is not None else RepositoryStatus.PENDING,
        registered_at=iso(NOW - registered * DAY),
        registered_by="test",
        last_scraped_at=None if days is None else iso(NOW - days * DAY),
        stars=stars,
        **fields,
    )


def order(*found: Repository) -> list[str]:
    return [r.name.removeprefix("octo/") for r in stale(found, NOW, DAY)]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([repository("old", 3), repository("new")], ["new", "old"]),
        ([repository("two", 2), repository("nine", 9)], ["nine", "two"]),
        ([repository("few", None, 3), repository("many", None, 9)], ["many", "few"]),
        ([repository("unknown"), repository("none", None, 0)], ["none", "unknown"]),
        ([repository("unknown"), repository("one", None, 1)], ["one", "unknown"]),
        ([repository("few", 3.1, 3), repository("many", 3.0, 9)], ["many", "few"]),
        ([repository("few", 4.1, 3), repository("many", 3.0, 9)], ["few", "many"]),
        ([repository("later", 3.0), repository("earlier", 3.1)], ["earlier", "later"]),
        ([repository("b", registered=1), repository("a", registered=2)], ["a", "b"]),
        ([repository("b"), repository("a")], ["a", "b"]),
        ([repository("fresh", 0.9), repository("just", 1.0), repository("stale", 1.1)], ["stale"]),
    ],
)
def test_never_scraped_first_then_the_stalest_day_then_most_stars(
    found: list[Repository], expected: list[str]
) -> None:
    assert order(*found) == expected
    assert order(*reversed(found)) == expected


@pytest.mark.parametrize("status", RepositoryStatus)
def test_only_what_scrapes_by_itself_is_chosen(status: RepositoryStatus) -> None:
    chosen = status in {
        RepositoryStatus.PENDING,
        RepositoryStatus.COMPLETED,
        RepositoryStatus.STALE,
    }
    assert bool(order(repository("a", 3, status=status))) == chosen


def test_what_is_under_way_is_left_alone() -> None:
    assert order(repository("a", 3, active_job="1")) == []


@given(
    st.lists(
        st.tuples(st.none() | st.floats(0, 50), st.none() | st.integers(0, 3), st.integers(1, 5)),
        max_size=30,
    )
)
def test_the_order_is_total_and_never_puts_a_fresher_day_first(
    drawn: list[tuple[float | None, int | None, int]],
) -> None:
    found = [
        repository(f"r{number}", days, stars, registered=since)
        for number, (days, stars, since) in enumerate(drawn)
    ]
    chosen = stale(found, NOW, DAY)
    assert chosen == stale(reversed(found), NOW, DAY)
    days = [(r.last_scraped_at or "")[:10] for r in chosen]
    assert days == sorted(days)
    for one, next_ in pairwise(chosen):
        if (one.last_scraped_at or "")[:10] == (next_.last_scraped_at or "")[:10]:
            assert (one.stars or 0) >= (next_.stars or 0)
