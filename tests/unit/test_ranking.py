"""Percentile, band and movement: what a rank means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ranking import BANDS, Change, band, change, percentile_hundredths


@pytest.mark.parametrize(
    ("above", "total", "hundredths"),
    [
        (0, 1, 10_000),
        (0, 3, 10_000),
        (1, 3, 6_666),
        (2, 3, 3_333),
        (1, 4, 7_500),
        (1, 2_000_000, 9_999),
        (1_999_999, 2_000_000, 0),
    ],
)
def test_the_percentile_is_the_share_at_or_below_cut_to_two_places(
    above: int, total: int, hundredths: int
) -> None:
    assert percentile_hundredths(above, total) == hundredths


@pytest.mark.parametrize(
    ("above", "total", "expected"),
    [
        (0, 100, 1),
        (1, 100, 5),
        (4, 100, 5),
        (5, 100, 10),
        (9, 100, 10),
        (10, 100, 25),
        (24, 100, 25),
        (25, 100, None),
        (99, 100, None),
        (0, 99, 5),  # one of 99 is more than one percent
        (0, 4, 25),
        (0, 3, None),
        (0, 1, None),
    ],
)
def test_a_band_takes_in_whoever_fits_wholly_within_its_percent(
    above: int, total: int, expected: int | None
) -> None:
    assert band(above, total) == expected


@given(st.integers(1, 10_000), st.data())
def test_nobody_further_up_has_a_worse_percentile_or_band(total: int, data: st.DataObject) -> None:
    worse = data.draw(st.integers(0, total - 1))
    better = data.draw(st.integers(0, worse))
    assert percentile_hundredths(better, total) >= percentile_hundredths(worse, total)
    assert (band(better, total) or 100) <= (band(worse, total) or 100)
    assert band(worse, total) in {*BANDS, None}


@pytest.mark.parametrize(
    ("rank", "previous", "seen_before", "expected"),
    [
        (3, None, False, ("new", 0)),
        (3, None, True, ("returned", 0)),
        (3, 3, False, ("same", 0)),
        (3, 7, False, ("up", 4)),
        (7, 3, True, ("down", 4)),
    ],
)
def test_movement_says_which_way_and_by_how_many_places(
    rank: int, previous: int | None, seen_before: bool, expected: tuple[Change, int]
) -> None:
    assert change(rank, previous, seen_before=seen_before) == expected
