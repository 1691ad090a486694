"""Contributors through the API: who they are, and a score down to its events."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from shared.models import WINDOW_DAYS
from tests.functions.conftest import BACKWARDS, SCRIPT, SPACED, World
from tests.support.api_client import ApiClient
from tests.support.lines import BEN, ENGINE, WHEELS, User, day, push


def address(login: str, rest: str = "") -> str:
    return f"/api/v1/contributors/{quote(login, safe='')}{rest}"


def test_a_contributor_has_a_standing_in_every_window_and_repository(api: ApiClient) -> None:
    answer = api.get(address("BEN")).get_json()
    ben = answer["data"]
    assert ben["identity"] == {
        "github_id": BEN.id,
        "username": "ben",
        "avatar_url": "https://avatars.githubusercontent.com/u/12?v=4",
        "profile_url": "https://github.com/ben",
        "class": "human",
        "rule": "nothing says otherwise",
    }
    assert [standing["window"] for standing in ben["standings"]] == list(WINDOW_DAYS)
    assert [place["repository"] for place in ben["repositories"]] == ["octo/engine", "octo/wheels"]
    whole = next(s["row"] for s in ben["standings"] if s["window"] == "all")
    assert whole["score"] == sum(place["row"]["score"] for place in ben["repositories"])
    assert answer["meta"] == {"window": "all", "looked_at": 2, "registered": 2, "most": 100}


@pytest.mark.parametrize(
    ("login", "account_class", "rule"),
    [("Copilot", "agent", "known-agent"), ("dependabot[bot]", "bot", "bot-suffix")],
)
def test_the_rule_behind_a_class_is_shown(
    api: ApiClient, login: str, account_class: str, rule: str
) -> None:
    identity = api.data(address(login))["identity"]
    assert (identity["class"], identity["rule"]) == (account_class, rule)


def test_a_class_that_githubs_own_word_decided_names_that_rule(fresh: World) -> None:
    helper = User(700, "helper", "Bot")
    line = push(950, day(9), helper, push_id=950, distinct_size=1)
    line["payload"]["sender"] = {"type": "Bot"}
    fresh.ingest("helper.json.gz", [line])
    fresh.register(ENGINE)
    identity = fresh.client().data(address("helper"))["identity"]
    assert (identity["class"], identity["rule"]) == ("bot", "github-says-bot")


def test_absence_from_a_window_is_shown_as_such(api: ApiClient) -> None:
    rows = {s["window"]: s["row"] for s in api.data(address("guest-00"))["standings"]}
    assert rows["30d"]["username"] == "guest-00"
    assert rows["7d"]["username"] == "guest-00"
    rows = {s["window"]: s["row"] for s in api.data(address(SPACED.login))["standings"]}
    assert rows["30d"] is not None
    assert rows["7d"] is None


@pytest.mark.parametrize("somebody", [SCRIPT, BACKWARDS, SPACED])
def test_hostile_logins_are_found_and_stay_text(api: ApiClient, somebody: User) -> None:
    identity = api.data(address(somebody.login))["identity"]
    assert identity["github_id"] == somebody.id
    assert identity["profile_url"] == f"https://github.com/{quote(somebody.login, safe='')}"
    explained = api.data(address(somebody.login, "/explain"))
    assert explained["identity"]["username"] == somebody.login
    assert explained["total"] == 10


def test_a_score_is_explained_down_to_its_events(api: ApiClient) -> None:
    answer = api.get(address("ana", "/explain?repository=octo/engine")).get_json()
    data = answer["data"]
    assert data["total"] == data["board"]["score"]
    assert answer["meta"]["agrees"] is True
    by_kind = {kind["kind"]: kind for kind in data["kinds"]}
    merged = by_kind["PR_MERGED"]
    assert (merged["count"], merged["points"]) == (1, 25)
    assert merged["events"] == [
        {
            "id": "4",
            "at": "2025-03-01T12:00:00.000000Z",
            "repository": "octo/engine",
            "quantity": 1,
            "link": "https://github.com/octo/engine/pull/2",
            "copies": 1,
            "source": "archive",
            "agent": None,
            "human": None,
        }
    ]
    assert by_kind["LINES_ADDED"]["points"] == 0.4
    (repository,) = data["repositories"]
    assert repository["score"] == data["total"]
    assert repository["caps"] == []
    assert answer["meta"]["coverage"]["source"] == "archive"


def test_what_was_left_out_is_shown_with_the_rule(api: ApiClient) -> None:
    excluded = api.data(address("ben", "/explain"))["excluded"]
    merge = next(part for part in excluded if part["reason"] == "credited_to_author")
    assert merge["kind"] == "PR_MERGED"
    assert merge["count"] == 1
    assert "author" in merge["explanation"]
    assert merge["events"][0]["id"] == "4"


@pytest.mark.parametrize("window", list(WINDOW_DAYS))
@pytest.mark.parametrize("repository", ["global", "octo/engine", "octo/wheels"])
def test_every_score_on_every_board_is_what_its_events_give(
    api: ApiClient, window: str, repository: str
) -> None:
    rows: list[dict[str, Any]] = api.data(
        f"/api/v1/leaderboard/{repository}?window={window}&class=all&page_size=5"
    )
    for row in rows:
        answer = api.get(
            address(row["username"], f"/explain?window={window}&repository={repository}&events=0")
        ).get_json()
        assert answer["data"]["total"] == row["score"]
        assert answer["meta"]["agrees"] is True
        assert {k["kind"]: k["count"] for k in answer["data"]["kinds"]} == {
            kind: count for kind, count in row["counts"].items() if count
        }
        assert all(kind["events"] == [] for kind in answer["data"]["kinds"])


def test_repositories_scraped_at_different_times_are_explained_as_they_were_counted(
    engine: World,
) -> None:
    later = [
        push(960, "2025-03-17T12:00:00Z", BEN, push_id=960, distinct_size=1, repo=WHEELS),
        push(961, "2025-03-17T12:00:00Z", BEN, push_id=961, distinct_size=1),
    ]
    engine.ingest("later.json.gz", later)
    engine.register(WHEELS)
    api = engine.client()
    # Engine's week ends on the 12th, that of wheels on the 17th: the board has both.
    (row,) = api.data("/api/v1/leaderboard/global?window=7d&search=ben")
    answer = api.get(address("ben", "/explain?window=7d")).get_json()
    assert answer["data"]["total"] == row["score"]
    assert answer["meta"]["agrees"] is True
    events = next(k for k in answer["data"]["kinds"] if k["kind"] == "COMMIT")["events"]
    assert [event["at"] for event in events] == sorted((e["at"] for e in events), reverse=True)
    assert {event["repository"] for event in events} == {"octo/engine", "octo/wheels"}


def test_a_range_can_be_explained_as_well(api: ApiClient) -> None:
    span = "start=2025-03-12&end=2025-03-13"
    (row,) = api.data(f"/api/v1/leaderboard/global?{span}&search=ana")
    answer = api.get(address("ana", f"/explain?{span}")).get_json()
    assert answer["data"]["total"] == row["score"] == 30
    assert answer["meta"]["window"] == "custom"
    assert answer["data"]["board"]["movement"]["change"] == "none"


def test_who_did_nothing_in_a_window_is_told_so(api: ApiClient) -> None:
    answer = api.get(address("ana", "/explain?start=2024-01-01&end=2024-01-02"))
    assert answer.status_code == 404
    assert "no contribution of theirs in this window" in answer.get_json()["message"]


def test_the_number_of_events_can_be_chosen(api: ApiClient) -> None:
    kinds = api.data(address("ben", "/explain?events=1"))["kinds"]
    assert {len(kind["events"]) for kind in kinds} == {1}
