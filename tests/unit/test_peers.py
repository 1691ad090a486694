"""A published event mapper counts the same real hours as the oracle, but for stated differences.

ghmap (https://github.com/uhourri/ghmap) maps each archive event to one action of the event's
actor. It is compared where its definitions meet ours. Where they do not, the test says by how
much and why.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.support import oracle
from tests.support.real_data import real_file

pytest.importorskip("ghmap", reason="ghmap is not installed")

HOURS = ("gha-2015-01-01-0", "gha-2015-01-01-1")
BOTH_HOURS = pytest.mark.parametrize("hour", HOURS)

Key = tuple[int, int]
"""Repository and account."""

# The kinds whose every event is one action. An action names the actor; so does each of these
# kinds, except that an opening goes to the author, who is the actor in every row of these hours.
SAME = {
    "PR_OPENED": {"OpenPullRequest"},
    "PR_REVIEW_COMMENT": {"CreatePullRequestReviewComment"},
    "ISSUE_OPENED": {"OpenIssue"},
    "COMMENT": {"CreateIssueComment", "CreatePullRequestComment", "CommentCommit"},
}


@cache
def _actions(hour: str) -> Sequence[dict[str, Any]]:
    """What ghmap makes of an hour, by its own steps: preprocess, choose a mapping, map."""
    from ghmap.cli import find_valid_mappings
    from ghmap.mapping.action_mapper import ActionMapper
    from ghmap.preprocess.event_processor import EventProcessor

    with TemporaryDirectory() as folder:
        plain = Path(folder) / "hour.json"
        plain.write_bytes(gzip.decompress(real_file(hour).read_bytes()))
        events = EventProcessor(progress_bar=False).process(str(plain))
    mapping = find_valid_mappings("github", datetime(2015, 1, 1, tzinfo=UTC))["action"]
    mapper = ActionMapper(json.loads(mapping.read_text()), progress_bar=False)
    actions: list[dict[str, Any]] = mapper.map(events)
    return actions


def _per_actor(actions: Sequence[dict[str, Any]], names: set[str]) -> Counter[Key]:
    return Counter(
        (action["repository"]["id"], action["actor"]["id"])
        for action in actions
        if action["action"] in names
    )


@cache
def _counted(hour: str) -> Sequence[oracle.Contribution]:
    events = oracle.read_file(real_file(hour)).events
    return oracle.counted_in(oracle.credit(events), (None, oracle.as_of(events)))


def _per_contributor(items: Sequence[oracle.Contribution], kind: str) -> Counter[Key]:
    return Counter(
        (c.repo_id, c.contributor_id)
        for c in items
        if c.kind == kind and c.contributor_id is not None
    )


def _less(ours: Mapping[Key, int], theirs: Mapping[Key, int]) -> tuple[int, int]:
    """How many they count that we do not, and the other way round."""
    return (
        (Counter(theirs) - Counter(ours)).total(),
        (Counter(ours) - Counter(theirs)).total(),
    )


@BOTH_HOURS
@pytest.mark.parametrize("kind", SAME)
def test_the_peer_counts_the_same_for_every_account(hour: str, kind: str) -> None:
    theirs = _per_actor(_actions(hour), SAME[kind])
    assert _per_contributor(_counted(hour), kind) == theirs


@pytest.mark.parametrize(
    ("hour", "merges", "by_another"), [(HOURS[0], 126, 70), (HOURS[1], 89, 41)]
)
def test_the_peer_sees_the_same_merges_and_gives_them_to_the_merger(
    hour: str, merges: int, by_another: int
) -> None:
    theirs = _per_actor(_actions(hour), {"MergePullRequest"})
    ours = [c for c in _counted(hour) if c.kind == "PR_MERGED"]

    assert Counter((c.repo_id, c.actor_id) for c in ours) == theirs
    assert theirs.total() == merges
    assert sum(c.contributor_id != c.actor_id for c in ours) == by_another


@BOTH_HOURS
def test_the_peer_counts_every_close_of_an_issue_and_we_the_last(hour: str) -> None:
    theirs = _per_actor(_actions(hour), {"CloseIssue"})
    assert _less(_per_contributor(_counted(hour), "ISSUE_CLOSED"), theirs) == (1, 0)


@pytest.mark.parametrize(("hour", "again"), [(HOURS[0], 0), (HOURS[1], 1)])
def test_the_peer_counts_a_release_published_again_and_we_once(hour: str, again: int) -> None:
    theirs = _per_actor(_actions(hour), {"PublishRelease"})
    assert _less(_per_contributor(_counted(hour), "RELEASE"), theirs) == (again, 0)


@pytest.mark.parametrize(
    ("hour", "pushes", "of_nothing_new", "commits"),
    [(HOURS[0], 4_280, 115, 9_165), (HOURS[1], 4_150, 132, 27_962)],
)
def test_the_peer_counts_pushes_and_we_their_new_commits(
    hour: str, pushes: int, of_nothing_new: int, commits: int
) -> None:
    theirs = _per_actor(_actions(hour), {"PushCommits"})
    ours = [c for c in _counted(hour) if c.kind == "COMMIT"]

    assert theirs.total() == pushes
    assert len(ours) == pushes - of_nothing_new
    assert sum(c.quantity or 0 for c in ours) == commits
