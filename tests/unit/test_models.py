"""Names, windows and times as people and receipts write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Rejected
from shared.models import (
    WINDOW_DAYS,
    Kind,
    RepositoryName,
    iso,
    parse_time,
    published_windows,
)

AS_OF = datetime(2025, 3, 20, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Pallets/Flask",
        "  Pallets/Flask\n",
        "https://github.com/Pallets/Flask",
        "https://github.com/Pallets/Flask/",
        "https://github.com/Pallets/Flask.git",
        "https://github.com/Pallets/Flask.git/",
    ],
)
def test_a_repository_is_named_by_owner_and_name_or_by_its_address(text: str) -> None:
    name = RepositoryName.parse(text)
    assert (name.owner, name.name) == ("Pallets", "Flask")
    assert name.full == "Pallets/Flask"
    assert name.key == "pallets~flask"


@pytest.mark.parametrize("text", ["a/b", "a-b/.github", "a/b.c-d_e", f"{'a' * 39}/{'b' * 100}"])
def test_every_name_that_github_gives_is_accepted(text: str) -> None:
    assert RepositoryName.parse(text).full == text


@pytest.mark.parametrize(
    "text",
    [
        "", "flask", "/", "pallets/", "/flask", "pallets/flask/issues", "-a/b", "a_b/c", "a/b c",
        "a/..", "a/.", "a/b~c", "ä/b", "a/ü", f"{'a' * 40}/b", f"a/{'b' * 101}", "a/b\x00",
        "https://gitlab.com/a/b", "a\n/b", "a/b?x=1",
    ],
)  # fmt: skip
def test_what_is_no_repository_name_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(Rejected, match="owner/name") as refused:
        RepositoryName.parse(text)
    assert refused.value.details["field"] == "repository"


def test_a_long_text_is_not_repeated_in_full() -> None:
    with pytest.raises(Rejected) as refused:
        RepositoryName.parse("x" * 100_000)
    assert len(refused.value.message) < 400


@given(st.text(max_size=30))
def test_no_text_at_all_breaks_the_parser(text: str) -> None:
    try:
        name = RepositoryName.parse(text)
    except Rejected:
        return
    assert RepositoryName.parse(name.full) == name
    assert "/" not in name.key


def test_five_windows_are_published_counted_back_from_the_as_of_time() -> None:
    windows = {window.name: window for window in published_windows(AS_OF)}
    assert list(windows) == list(WINDOW_DAYS) == ["all", "365d", "90d", "30d", "7d"]
    assert windows["all"].start is None
    for name, days in WINDOW_DAYS.items():
        assert windows[name].end == AS_OF
        assert days is None or windows[name].start == AS_OF - timedelta(days=days)


def test_a_time_is_written_in_utc_with_microseconds() -> None:
    assert iso(AS_OF) == "2025-03-20T13:00:00.000000Z"
    east = datetime(2025, 3, 20, 15, 30, 0, 250, timezone(timedelta(hours=2)))
    assert iso(east) == "2025-03-20T13:30:00.000250Z"


@given(
    st.lists(
        st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001
        max_size=9,
    )
)
def test_written_times_sort_as_time_does_and_read_back(moments: list[datetime]) -> None:
    assert sorted(map(iso, moments)) == list(map(iso, sorted(moments)))
    assert [parse_time(iso(moment)) for moment in moments] == moments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-03-20T13:00:00Z", AS_OF),
        ("2025-03-20T15:00:00+02:00", AS_OF),
        ("2025-03-20 13:00+00:00", AS_OF),
    ],
)
def test_a_time_is_read_with_any_offset(text: str, expected: datetime) -> None:
    found = parse_time(text)
    assert found == expected
    assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("yesterday", "is not a time"),
        ("", "is not a time"),
        ("2025-13-01T00:00:00Z", "is not a time"),
        ("2025-03-20", "has no offset"),
        ("2025-03-20T13:00:00", "has no offset"),
    ],
)
def test_what_is_no_time_is_refused_with_the_remedy(text: str, said: str) -> None:
    with pytest.raises(Rejected, match=said):
        parse_time(text)


def test_kinds_stand_in_the_order_of_the_counting_rules() -> None:
    assert [kind.value for kind in Kind] == [
        "COMMIT", "PR_OPENED", "PR_MERGED", "PR_REVIEWED", "PR_REVIEW_COMMENT", "ISSUE_OPENED",
        "ISSUE_CLOSED", "COMMENT", "RELEASE", "LINES_ADDED", "LINES_DELETED",
    ]  # fmt: skip
