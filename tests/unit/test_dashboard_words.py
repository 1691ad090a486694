"""Words and numbers as the dashboard shows them."""

from __future__ import annotations

import pytest

from functions.dashboard import words
from shared.models import Kind

MINUS = "\N{MINUS SIGN}"


def test_every_kind_is_a_column_of_the_board() -> None:
    assert [kind for _, kinds in words.COLUMNS for kind, _ in kinds] == list(Kind)
    assert set(words.KINDS) == set(Kind)


@pytest.mark.parametrize(
    ("login", "letters"),
    [
        ("ana", "AN"),
        ("fennick-dray", "FD"),
        ("dependabot[bot]", "DB"),
        ("x", "X"),
        ("🦀🦀", "?"),
        ("", "?"),
    ],
)
def test_initials_stand_for_a_name(login: str, letters: str) -> None:
    assert words.initials(login) == letters


@pytest.mark.parametrize(
    ("thousandths", "text"),
    [
        (0, "0.00"),
        (1_380_000, "1,380.00"),
        (46_965, "46.965"),
        (-312_400, f"{MINUS}312.40"),
        (5, "0.005"),
    ],
)
def test_points_show_what_they_are(thousandths: int, text: str) -> None:
    assert words.points(thousandths) == text
