"""Cases of two sources: archive rows, what GitHub told, and the contributions that come of both.

Days 10 to 19 of March 2025 are GitHub's, all else is the archive's, unless a case says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.models import Kind
from tests.support import lines as archive
from tests.support import told
from tests.support.case import LeftOut
from tests.support.lines import ANA, BEN, CLEO, COPILOT, DEPENDABOT, Line, day
from tests.support.oracle_sources import Rules
from tests.support.shapes import User
from tests.support.told import OBSERVED, Row

Counted = tuple[int, str, int, str]
"""Contributor, kind, quantity, source."""

_GITHUBS = tuple(
    (kind.value, datetime(2025, 3, 10, tzinfo=UTC), datetime(2025, 3, 20, tzinfo=UTC))
    for kind in Kind
)
_MERGED = ({"account": BEN.id, "person": ANA.id, "login": "ana"},)
_REMOVED = ({"account": BEN.id, "person": None, "login": None},)
_CLAUDE = "mail of claude"
_AGENTS = (
    {"id": COPILOT.id, "login": "Copilot", "mail": None, "class": "agent"},
    {"id": None, "login": "claude", "mail": _CLAUDE, "class": "agent"},
    {"id": DEPENDABOT.id, "login": "dependabot[bot]", "mail": None, "class": "bot"},
)


_USUAL = Rules(_GITHUBS)


@dataclass(frozen=True)
class SourceCase:
    """``counted`` and ``left_out`` are complete, in any order; ``parties`` where agents matter.

    ``parties`` are agent and human (ids, or logins where there is none) by the event's id.
    """

    name: str
    lines: tuple[Line, ...] = ()
    told: tuple[Row, ...] = ()
    counted: tuple[Counted, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    rules: Rules = _USUAL
    parties: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


def _by(who: User, kind: str, source: str, quantity: int = 1) -> Counted:
    return who.id, kind, quantity, source


def _rules(
    people: Sequence[Mapping[str, Any]] = (),
    agents: Sequence[Mapping[str, Any]] = (),
    credit: str = "author",
) -> Rules:
    return Rules(_GITHUBS, people, agents, credit)


_BORDERS = (
    SourceCase(
        "Pushes count in the archive's days and commits in GitHub's, each by its own time",
        (
            archive.push(1, day(9), ANA, push_id=1, distinct_size=3),
            archive.push(2, day(10), ANA, push_id=2, distinct_size=5),
            archive.push(3, day(20, "00:00:00"), ANA, push_id=3, distinct_size=7),
        ),
        (
            told.commit("a", day(9, "23:59:59"), BEN),
            told.commit("b", day(10, "00:00:00"), BEN),
            told.commit("c", day(20, "00:00:00"), BEN),
        ),
        (
            _by(ANA, "COMMIT", "archive", 3),
            _by(BEN, "COMMIT", "github"),
            _by(ANA, "COMMIT", "archive", 7),
        ),
    ),
    SourceCase(
        "Of what both saw GitHub's time decides: nothing falls between two days or counts twice",
        (
            archive.pr_opened(1, day(10, "00:00:03"), ANA, 1),
            archive.pr_opened(2, day(9, "23:59:58"), ANA, 2),
            archive.pr_opened(3, day(20, "00:00:04"), ANA, 3),
        ),
        (
            told.opened(1, day(9, "23:59:59"), ANA),
            told.opened(2, day(10, "00:00:00"), ANA),
            told.opened(3, day(19, "23:59:59"), ANA),
        ),
        (
            _by(ANA, "PR_OPENED", "archive"),
            _by(ANA, "PR_OPENED", "github"),
            _by(ANA, "PR_OPENED", "github"),
        ),
    ),
    SourceCase(
        "What one source alone saw counts on that source's days only",
        (
            archive.issue_comment(1, day(5), ANA, 9, comment_id=1, author=BEN),
            archive.issue_comment(2, day(12), ANA, 9, comment_id=2, author=BEN),
        ),
        (told.commented(3, day(5), BEN, 9), told.commented(4, day(12), BEN, 9)),
        (_by(ANA, "COMMENT", "archive"), _by(BEN, "COMMENT", "github")),
    ),
    SourceCase(
        "Each close counts by its own time",
        (
            archive.issue(1, day(5), CLEO, "closed", 9, author=BEN),
            archive.issue(2, day(12), CLEO, "closed", 9, author=BEN),
        ),
        (told.closed(9, day(5), CLEO), told.closed(9, day(12), CLEO)),
        (_by(CLEO, "ISSUE_CLOSED", "archive"), _by(CLEO, "ISSUE_CLOSED", "github")),
    ),
    SourceCase(
        "A close that both saw on either side of a border counts for the later source or for none",
        (archive.issue(1, day(10, "00:00:01"), CLEO, "closed", 9, author=BEN),),
        (told.closed(9, day(9, "23:59:59"), CLEO),),
    ),
    SourceCase(
        "Kinds have spans of their own",
        (
            archive.push(1, day(12), ANA, push_id=1, distinct_size=3),
            archive.pr_opened(2, day(12), ANA, 4),
        ),
        (told.commit("a", day(12), BEN), told.opened(4, day(12), ANA)),
        (_by(BEN, "COMMIT", "github"), _by(ANA, "PR_OPENED", "archive")),
        rules=Rules([span for span in _GITHUBS if span[0] == "COMMIT"]),
    ),
    SourceCase(
        "Without any span the archive alone counts",
        (archive.pr_opened(1, day(12), ANA, 4),),
        (told.opened(4, day(12), ANA), told.commit("a", day(12), BEN), told.issue(5, day(12), BEN)),
        (_by(ANA, "PR_OPENED", "archive"),),
        rules=Rules(),
    ),
)

_READINGS = (
    SourceCase(
        "An event that was read again is one, as it was told last",
        told=(
            {**told.opened(4, day(12), ANA), "observed_at": OBSERVED - timedelta(days=1)},
            told.opened(4, day(12), ANA),
            {**told.commit("a", day(12), None), "observed_at": OBSERVED - timedelta(days=1)},
            told.commit("a", day(12), CLEO),
        ),
        counted=(_by(ANA, "PR_OPENED", "github"), _by(CLEO, "COMMIT", "github")),
    ),
    SourceCase(
        "Every kind is made of what GitHub tells",
        told=(
            told.opened(4, day(12), ANA),
            told.merged(4, day(13), CLEO, author=ANA, lines=(20, 3)),
            told.reviewed(7, day(13), BEN, 4, ANA),
            told.reviewed(8, day(13), ANA, 4, ANA),
            told.issue(5, day(14), BEN),
            told.closed(5, day(15), CLEO),
            told.commented(9, day(15), BEN, 5),
            told.released(3, day(16), CLEO),
        ),
        counted=(
            _by(ANA, "PR_OPENED", "github"),
            _by(ANA, "PR_MERGED", "github"),
            _by(ANA, "LINES_ADDED", "github", 20),
            _by(ANA, "LINES_DELETED", "github", 3),
            _by(BEN, "PR_REVIEWED", "github"),
            _by(BEN, "ISSUE_OPENED", "github"),
            _by(CLEO, "ISSUE_CLOSED", "github"),
            _by(BEN, "COMMENT", "github"),
            _by(CLEO, "RELEASE", "github"),
        ),
        left_out=(LeftOut("review-8", "PR_REVIEWED", "own_pull_request"),),
    ),
    SourceCase(
        "A merge commit brings no work of its own and a commit of no account counts for nobody",
        told=(
            told.commit("a", day(12), ANA, parents=2),
            told.commit("b", day(12), None),
            told.commit("c", day(12), ANA, parents=0),
        ),
        counted=(_by(ANA, "COMMIT", "github"),),
        left_out=(
            LeftOut("commit-a", "COMMIT", "merge_commit"),
            LeftOut("commit-b", "COMMIT", "author_unlinked"),
        ),
    ),
    SourceCase(
        "What a deleted account did counts for nobody",
        told=(
            told.opened(4, day(12), None),
            told.merged(4, day(13), CLEO, author=None, lines=(2, 0)),
            told.reviewed(7, day(13), None, 4, None),
            told.commented(9, day(15), None, 5),
        ),
        left_out=(
            LeftOut("pull-4-opened", "PR_OPENED", "account_deleted"),
            LeftOut("pull-4-merged", "PR_MERGED", "account_deleted"),
            LeftOut("pull-4-merged", "LINES_ADDED", "account_deleted"),
            LeftOut("review-7", "PR_REVIEWED", "account_deleted"),
            LeftOut("comment-9", "COMMENT", "account_deleted"),
        ),
    ),
    SourceCase(
        "The archive names the author of a number whose account is deleted since",
        (archive.pr_opened(1, day(5), ANA, 4),),
        (
            told.opened(4, day(5), None),
            told.merged(4, day(13), CLEO, author=None, lines=(2, 0)),
        ),
        (
            _by(ANA, "PR_OPENED", "archive"),
            _by(ANA, "PR_MERGED", "github"),
            _by(ANA, "LINES_ADDED", "github", 2),
        ),
    ),
    SourceCase(
        "GitHub names author and lines of a merge that the archive knows as a stub",
        (archive.pr_stub(1, day(5), CLEO, "merged", 4),),
        (told.opened(4, day(4), ANA), told.merged(4, day(5), CLEO, author=ANA, lines=(20, 3))),
        (
            _by(ANA, "PR_MERGED", "archive"),
            _by(ANA, "LINES_ADDED", "archive", 20),
            _by(ANA, "LINES_DELETED", "archive", 3),
        ),
    ),
    SourceCase(
        "A review of one's own pull request is known as such by what GitHub told of the number",
        (archive.review(1, day(5), ANA, 4, review_id=7),),
        (told.opened(4, day(4), ANA),),
        left_out=(LeftOut("1", "PR_REVIEWED", "own_pull_request"),),
    ),
)

_PEOPLE = (
    SourceCase(
        "An account that belongs to somebody counts as theirs in both sources",
        (archive.push(1, day(5), BEN, push_id=1, distinct_size=3),),
        (told.commit("a", day(12), BEN), told.merged(4, day(13), CLEO, author=BEN)),
        (
            _by(ANA, "COMMIT", "archive", 3),
            _by(ANA, "COMMIT", "github"),
            _by(ANA, "PR_MERGED", "github"),
        ),
        rules=_rules(_MERGED),
    ),
    SourceCase(
        "Reviewing one's own pull request from one's other account is reviewing one's own",
        (
            archive.pr_opened(1, day(5), ANA, 4),
            archive.review(2, day(5), BEN, 4, review_id=7, author=ANA),
        ),
        (told.reviewed(8, day(12), BEN, 4, ANA),),
        (_by(ANA, "PR_OPENED", "archive"),),
        (
            LeftOut("2", "PR_REVIEWED", "own_pull_request"),
            LeftOut("review-8", "PR_REVIEWED", "own_pull_request"),
        ),
        rules=_rules(_MERGED),
    ),
    SourceCase(
        "Of a removed person nothing is left, and what others did beside them stays",
        (
            archive.push(1, day(5), BEN, push_id=1, distinct_size=3),
            archive.pr_merged(2, day(5), BEN, 4, author=ANA, additions=3),
            archive.pr_opened(3, day(5), BEN, 6),
            archive.pr_stub(4, day(6), CLEO, "merged", 6),
            archive.review(5, day(6), CLEO, 6, review_id=7, author=BEN),
        ),
        (
            told.commit("a", day(12), BEN),
            told.merged(8, day(13), BEN, author=ANA),
            told.merged(9, day(13), ANA, author=BEN, lines=(3, 3)),
        ),
        (
            _by(ANA, "PR_MERGED", "archive"),
            _by(ANA, "LINES_ADDED", "archive", 3),
            _by(CLEO, "PR_REVIEWED", "archive"),
            _by(ANA, "PR_MERGED", "github"),
        ),
        rules=_rules(_REMOVED),
    ),
)

_WORK = (
    told.commit("a", day(12), ANA, co_authors=[_CLAUDE]),
    told.commit("b", day(12), ANA, co_authors=[BEN, COPILOT]),
    told.commit("c", day(12), COPILOT, co_authors=[DEPENDABOT, BEN, CLEO]),
    told.commit("d", day(12), None, mail=_CLAUDE, co_authors=[CLEO]),
    told.commit("e", day(12), DEPENDABOT, co_authors=[COPILOT]),
    told.commit("f", day(12), BEN, co_authors=[CLEO]),
    told.opened(4, day(12), COPILOT, assignees=[COPILOT, CLEO, BEN]),
    told.merged(4, day(13), BEN, author=COPILOT, lines=(9, 0)),
    told.opened(5, day(12), ANA, assignees=[COPILOT]),
)
_PARTIES: Mapping[str, tuple[Any, Any]] = {
    "commit-a": ("claude", ANA.id),
    "commit-b": (COPILOT.id, ANA.id),
    "commit-c": (COPILOT.id, BEN.id),
    "commit-d": ("claude", CLEO.id),
    "pull-4-opened": (COPILOT.id, CLEO.id),
    "pull-4-merged": (COPILOT.id, CLEO.id),
}
_UNLINKED = (LeftOut("commit-d", "COMMIT", "author_unlinked"),)


def _pull(who: User) -> tuple[Counted, ...]:
    return (
        _by(who, "PR_OPENED", "github"),
        _by(who, "PR_MERGED", "github"),
        _by(who, "LINES_ADDED", "github", 9),
    )


def _commits(*who: User) -> tuple[Counted, ...]:
    return tuple(_by(each, "COMMIT", "github") for each in who)


_SAME = (_by(ANA, "PR_OPENED", "github"), *_commits(DEPENDABOT, BEN))

_WITH_AGENTS = (
    SourceCase(
        "Work of agents counts for whom GitHub names",
        told=_WORK,
        counted=(*_commits(ANA, ANA, COPILOT), *_pull(COPILOT), *_SAME),
        left_out=_UNLINKED,
        rules=_rules(agents=_AGENTS),
        parties=_PARTIES,
    ),
    SourceCase(
        "Work of agents counts for the responsible human where the owner wants it",
        told=_WORK,
        counted=(*_commits(ANA, ANA, BEN, CLEO), *_pull(CLEO), *_SAME),
        rules=_rules(agents=_AGENTS, credit="human"),
        parties=_PARTIES,
    ),
    SourceCase(
        "Work of agents counts for the agents that have an account where the owner wants it",
        told=_WORK,
        counted=(*_commits(ANA, COPILOT, COPILOT), *_pull(COPILOT), *_SAME),
        left_out=_UNLINKED,
        rules=_rules(agents=_AGENTS, credit="agent"),
        parties=_PARTIES,
    ),
    SourceCase(
        "Who was removed is nobody's responsible human",
        told=(
            told.commit("c", day(12), COPILOT, co_authors=[BEN, CLEO]),
            told.commit("g", day(12), BEN, co_authors=[COPILOT]),
        ),
        counted=_commits(CLEO),
        rules=_rules(_REMOVED, _AGENTS, "human"),
        parties={"commit-c": (COPILOT.id, CLEO.id)},
    ),
    SourceCase(
        "A merge in the archive's time has the agent and the human that GitHub tells of",
        (archive.pr_stub(1, day(5), BEN, "merged", 4),),
        (
            told.opened(4, day(4), COPILOT, assignees=[CLEO]),
            told.merged(4, day(5), BEN, author=COPILOT, assignees=[CLEO]),
        ),
        (_by(CLEO, "PR_MERGED", "archive"),),
        rules=_rules(agents=_AGENTS, credit="human"),
        parties={"1": (COPILOT.id, CLEO.id)},
    ),
)

CASES: tuple[SourceCase, ...] = (*_BORDERS, *_READINGS, *_PEOPLE, *_WITH_AGENTS)
