"""What-if through the API: other rules over the same board."""

from __future__ import annotations

from typing import Any

import pytest

from shared.rule_sets import current
from tests.functions.conftest import World
from tests.support.api_client import ApiClient

PREVIEW = "/api/v1/config/scoring/preview"
RULES = "/api/v1/config/scoring"


def previewed(api: ApiClient, body: dict[str, Any]) -> Any:
    answer = api.post(PREVIEW, body)
    assert answer.status_code == 200, answer.text
    return answer.get_json()["data"]


def test_the_rules_in_force_are_shown_as_numbers(api: ApiClient) -> None:
    answer = api.get(RULES)
    rules = answer.get_json()["data"]
    assert rules["version"] == 1
    assert len(rules["digest"]) == 64
    assert rules["rules"]["points"]["RELEASE"] == 30
    assert '"LINES_DELETED":0.005' in answer.text
    assert rules["rules"]["caps"][0]["points"] == 500


def test_the_same_rules_move_nobody(api: ApiClient) -> None:
    rules = api.data(RULES)["rules"]
    bodies: list[dict[str, Any]] = [
        {"rules": rules},
        {"changes": {}},
        {"changes": {"points": {"COMMIT": 10}}},
    ]
    for body in bodies:
        found = previewed(api, body)
        assert found["movers"] == []
        assert found["summary"]["change_score"] == 0
        assert found["summary"]["points_before"] == found["summary"]["points_after"] > 0


def test_changed_points_say_who_moves_and_through_which_kind(api: ApiClient) -> None:
    found = previewed(
        api, {"board": "octo/engine", "changes": {"points": {"RELEASE": 0, "COMMIT": 100}}}
    )
    movers = {mover["username"]: mover for mover in found["movers"]}
    ana, ben = movers["ana"], movers["ben"]
    assert ana["by_kind"] == {"RELEASE": -30}
    assert ben["by_kind"] == {"COMMIT": 270}
    assert ana["score_after"] == pytest.approx(ana["score_before"] - 30)
    assert ana["places"] == ana["rank_before"] - ana["rank_after"]
    assert ben["rank_after"] == 1
    sizes = [abs(mover["places"]) for mover in found["movers"]]
    assert sizes == sorted(sizes, reverse=True)
    assert found["summary"]["by_kind"]["RELEASE"] == -30
    assert found["rules"]["points"]["PR_OPENED"] == 15


def test_half_points_keep_their_sign_and_two_places(api: ApiClient) -> None:
    body = {"board": "octo/engine", "changes": {"points": {"RELEASE": 28.5}}}
    answer = api.post(PREVIEW, body)
    (mover,) = answer.get_json()["data"]["movers"]
    assert mover["by_kind"] == {"RELEASE": -1.5}
    assert '"by_kind":{"RELEASE":-1.50}' in answer.text


@pytest.mark.parametrize(
    "changes",
    [
        {"daily_caps": {"COMMIT": 1}},
        {"minimum_pr_size": 1000},
        {"self_merge_factor": 0.5},
        {"decay": [{"from_days": 3, "factor": 0.5}]},
        {"caps": [{"kinds": ["COMMIT", "RELEASE"], "points": 5}]},
    ],
)
@pytest.mark.parametrize("board", ["global", "octo/engine"])
def test_modifiers_are_tried_over_the_same_facts(
    api: ApiClient, board: str, changes: dict[str, Any]
) -> None:
    found = previewed(api, {"board": board, "changes": changes, "class": "all"})
    rows = api.data(f"/api/v1/leaderboard/{board}?class=all&page_size=100")
    assert found["summary"]["points_before"] == pytest.approx(sum(row["score"] for row in rows))
    assert found["summary"]["points_after"] <= found["summary"]["points_before"]
    before = {row["username"]: (row["rank"], row["score"]) for row in rows}
    for mover in found["movers"]:
        assert (mover["rank_before"], mover["score_before"]) == before[mover["username"]]


def test_a_whole_rule_set_can_be_tried(api: ApiClient) -> None:
    found = previewed(api, {"rules": {"points": {"RELEASE": 1}}, "class": "all", "limit": 3})
    assert found["summary"]["points_after"] == 1
    assert len(found["movers"]) == 3


def test_nothing_is_published(team: World) -> None:
    before = team.client().get("/api/v1/leaderboard/global").data
    previewed(team.client(), {"changes": {"points": {"COMMIT": 1}}})
    assert team.client().get("/api/v1/leaderboard/global").data == before
    assert current(team.services).version == 1


@pytest.mark.parametrize(
    ("body", "field", "remedy"),
    [
        ({}, "changes", "either changes"),
        ({"changes": {}, "rules": {"points": {}}}, "changes", "either changes"),
        ({"changes": {"points": {"STARS": 1}}}, "changes.points.STARS", "'COMMIT'"),
        ({"changes": {"points": {"COMMIT": -1}}}, "changes.points.COMMIT", "greater than or"),
        ({"changes": {"points": {"COMMIT": 1001}}}, "changes.points.COMMIT", "1000"),
        ({"changes": {"points": {"COMMIT": 0.0001}}}, "changes.points.COMMIT", "3 decimal"),
        ({"changes": {"points": {"COMMIT": "many"}}}, "changes.points.COMMIT", "decimal"),
        ({"changes": {"points": {"COMMIT": 1e400}}}, "changes.points.COMMIT", "finite"),
        ({"changes": {"weights": {}}}, "changes.weights", "Leave it out"),
        ({"changes": {"self_merge_factor": 2}}, "changes.self_merge_factor", "1"),
        ({"changes": {"minimum_pr_size": -1}}, "changes.minimum_pr_size", "0"),
        ({"changes": {"caps": [{"kinds": [], "points": 1}]}}, "changes.caps.0.kinds", "1 item"),
        (
            {"changes": {"caps": [{"kinds": ["COMMIT", "COMMIT"], "points": 1}]}},
            "changes",
            "one cap only",
        ),
        (
            {"changes": {"decay": [{"from_days": 9, "factor": 1}, {"from_days": 1, "factor": 1}]}},
            "changes",
            "in order",
        ),
        ({"rules": {}}, "rules.points", "missing"),
        ({"changes": {}, "board": "engine"}, "board", "owner/name"),
        ({"changes": {}, "window": "1d"}, "window", "all, 365d"),
        ({"changes": {}, "class": "robot"}, "class", "human, bot"),
        ({"changes": {}, "limit": 0}, "limit", "1"),
        ({"changes": {}, "limit": 501}, "limit", "500"),
    ],
)
def test_rules_that_cannot_be_are_refused_with_the_remedy(
    api: ApiClient, body: dict[str, Any], field: str, remedy: str
) -> None:
    answer = api.post(PREVIEW, body)
    assert answer.status_code == 400
    assert answer.get_json()["details"]["field"] == field
    assert remedy in answer.get_json()["message"]


def test_a_board_without_such_a_class_is_not_there_to_try(api: ApiClient) -> None:
    body = {"board": "octo/wheels", "class": "agent", "changes": {}}
    assert api.post(PREVIEW, body).status_code == 404
