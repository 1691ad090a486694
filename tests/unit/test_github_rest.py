"""REST: what the client asks for, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from shared.errors import NotFound
from shared.github import Actor, Comparison, Release, SocialAccount
from tests.support.fast_folder import fast_folder
from tests.support.github_answers import TIME, rest_comment, rest_repository, rest_user
from tests.support.github_wire import Wire, reply

NAME = "octo/engine"
AT = datetime(2025, 3, 1, 10, tzinfo=UTC)
ANN = Actor(7, "ann", "User")


@pytest.fixture
def wire() -> Iterator[Wire]:
    with fast_folder() as folder:
        yield Wire(folder)


def test_a_repository_is_told_by_id_whatever_it_was_called(wire: Wire) -> None:
    wire.answers(reply(rest_repository(language=None, description=None)))
    found = wire.client.repository("old/name")
    assert (found.id, found.node_id, found.name) == (42, "R_42", NAME)
    assert (found.stars, found.forks, found.language, found.description) == (5, 2, None, None)
    assert (found.default_branch, found.archived, found.fork) == ("main", False, False)
    assert found.created_at == AT


@pytest.mark.parametrize(("kind", "path"), [("issue", "issues"), ("review", "pulls")])
def test_comments_are_asked_for_by_the_time_they_changed_the_first_first(
    wire: Wire, kind: str, path: str
) -> None:
    wire.answers(reply([]))
    assert wire.client.comments(NAME, kind, AT, 3) == ()  # type: ignore[arg-type]
    assert wire.last.url.path == f"/repos/octo/engine/{path}/comments"
    assert dict(wire.last.url.params) == {
        "sort": "updated", "direction": "asc", "since": "2025-03-01T10:00:00Z",
        "per_page": "100", "page": "3",
    }  # fmt: skip
    wire.client.comments(NAME, kind, None, 1)  # type: ignore[arg-type]
    assert "since" not in wire.last.url.params


def test_comments_say_where_they_were_made_and_by_whom(wire: Wire) -> None:
    on_lines = rest_comment(2, pull_request_url="https://x.test/repos/octo/engine/pulls/9",
                            user=rest_user(1, "dependabot[bot]", "Bot"))  # fmt: skip
    del on_lines["issue_url"]
    wire.answers(reply([rest_comment(1), on_lines, rest_comment(3, user=None),
                        rest_comment(4, user=rest_user(10137, "ghost"))]))  # fmt: skip
    first, second, third, fourth = wire.client.comments(NAME, "issue", None, 1)
    assert (first.id, first.number, first.author, first.created_at) == (1, 12, ANN, AT)
    assert (second.number, second.author) == (9, Actor(1, "dependabot[bot]", "Bot"))
    assert (third.author, fourth.author) == (None, None)


def test_comments_on_commits_name_the_commit(wire: Wire) -> None:
    comment = rest_comment(5, commit_id="a" * 40)
    del comment["issue_url"]
    wire.answers(reply([comment]))
    (found,) = wire.client.commit_comments(NAME, 2)
    assert (found.number, found.sha) == (None, "a" * 40)
    assert wire.last.url.path == "/repos/octo/engine/comments"
    assert dict(wire.last.url.params) == {"per_page": "100", "page": "2"}


def test_where_issues_are_switched_off_there_are_no_comments(wire: Wire) -> None:
    wire.answers(reply({"message": "Issues are disabled for this repo"}, 410))
    assert wire.client.comments(NAME, "issue", None, 1) == ()


def test_releases_are_those_that_were_published(wire: Wire) -> None:
    release = {"id": 1, "author": rest_user(), "tag_name": "v1", "draft": False,
               "published_at": TIME}  # fmt: skip
    draft = release | {"id": 2, "draft": True, "published_at": None}
    wire.answers(reply([draft, release | {"id": 3, "author": None}, release]))
    assert wire.client.releases(NAME, 1) == (Release(3, None, "v1", AT), Release(1, ANN, "v1", AT))


@pytest.mark.parametrize(("page", "total", "following"), [(1, 100, None), (1, 101, 2),
                                                          (2, 200, None), (2, 201, 3)])  # fmt: skip
def test_comparisons_go_on_while_there_are_commits(
    wire: Wire, page: int, total: int, following: int | None
) -> None:
    wire.answers(reply({"status": "ahead", "total_commits": total, "commits": [{"sha": "c1"}]}))
    found = wire.client.compare(NAME, "a" * 40, "b" * 40, page)
    assert found == Comparison("ahead", ("c1",), following)
    assert wire.last.url.path == f"/repos/octo/engine/compare/{'a' * 40}...{'b' * 40}"
    assert dict(wire.last.url.params) == {"per_page": "100", "page": str(page)}


def test_a_commit_that_is_gone_cannot_be_compared(wire: Wire) -> None:
    wire.answers(reply(status=404))
    with pytest.raises(NotFound, match="common history"):
        wire.client.compare(NAME, "a" * 40, "b" * 40, 1)


# --- profiles -----------------------------------------------------------------------------------

PROFILE = rest_user() | {
    "name": "Ann", "company": None, "location": "Here", "bio": None, "blog": "", "followers": 3,
    "email": "ann@example.org", "twitter_username": "ann_x", "created_at": TIME,
}  # fmt: skip


def test_a_profile_brings_what_somebody_tells_and_their_accounts_elsewhere(wire: Wire) -> None:
    social = [{"provider": "mastodon", "url": "https://social.test/@ann"}]
    wire.answers(reply(PROFILE), reply(social))
    profile = wire.client.profile("ann")
    assert (profile.account, profile.name, profile.company) == (ANN, "Ann", None)
    assert (profile.website, profile.mail, profile.followers) == (None, "ann@example.org", 3)
    assert profile.social == (
        SocialAccount("mastodon", "https://social.test/@ann"),
        SocialAccount("twitter", "https://twitter.com/ann_x"),
    )
    assert "ann@example.org" not in repr(profile)
    assert [request.url.path for request in wire.asked] == [
        "/users/ann", "/users/ann/social_accounts",
    ]  # fmt: skip


def test_an_account_elsewhere_is_named_once(wire: Wire) -> None:
    wire.answers(reply(PROFILE), reply([{"provider": "twitter", "url": "https://x.com/ann_x"}]))
    assert len(wire.client.profile("ann").social) == 1


def test_bots_have_profiles_without_such_a_list(wire: Wire) -> None:
    wire.answers(reply(PROFILE | {"twitter_username": None}), reply(status=404))
    assert wire.client.profile("dependabot[bot]").social == ()
    assert wire.asked[0].url.raw_path == b"/users/dependabot%5Bbot%5D"


def test_a_deleted_account_is_not_found_and_named_in_no_log(wire: Wire) -> None:
    wire.answers(reply(status=404))
    with capture_logs() as logged, pytest.raises(NotFound, match="account") as caught:
        wire.client.profile("ann")
    assert "ann" not in caught.value.message + repr(logged)


def test_an_organizations_repositories_come_by_name_a_hundred_at_a_time(wire: Wire) -> None:
    nodes = [rest_repository(id=number, full_name=f"octo/r{number:03}") for number in range(100)]
    wire.answers(reply(nodes), reply([rest_repository(fork=True, archived=True)]))
    first = wire.client.organization("Octo", None)
    assert [each.name for each in first.items] == [node["full_name"] for node in nodes]
    assert wire.last.url.path == "/orgs/Octo/repos"
    assert dict(wire.last.url.params) == {
        "type": "public", "sort": "full_name", "direction": "asc", "per_page": "100", "page": "1",
    }  # fmt: skip
    rest = wire.client.organization("Octo", first.cursor)
    assert wire.last.url.params["page"] == "2"
    assert [(each.fork, each.archived) for each in rest.items] == [(True, True)]
    assert rest.cursor is None


def test_what_is_not_public_is_left_out_of_an_organizations_list(wire: Wire) -> None:
    wire.answers(reply([rest_repository(private=True), rest_repository(id=43)]))
    assert [each.id for each in wire.client.organization("octo", None).items] == [43]
    wire.answers(reply({"message": "Not Found"}, 404))
    with pytest.raises(NotFound, match="organization octo"):
        wire.client.organization("octo", None)
