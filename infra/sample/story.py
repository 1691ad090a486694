"""Fourteen months in five invented repositories, told event by event, the same on every run."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from infra.sample import payloads
from infra.sample.cast import (
    ACTIONS,
    AGENTS,
    BEGINS,
    CI_ROBOT,
    CLAUDE,
    CODEX,
    DEPENDABOT,
    ENDS,
    HUMANS,
    MAINTAINERS,
    RENOVATE,
    REPOSITORIES,
    Account,
    Repository,
)
from infra.sample.payloads import Issue, Payload, Pull

_VERBS = ("Fix", "Add", "Speed up", "Document", "Simplify", "Test", "Rework", "Drop")
_REMARKS = (
    "Looks good to me.",
    "Could this be a table?",
    "Please add a test for the empty case.",
    "Works here, thanks!",
    "Same on my machine.",
    "Not sure about the name.",
    "Rebased.",
    "Would a smaller change do?",
)
_LINES = (1, 2, 3, 5, 8, 12, 20, 35, 60, 110, 220, 450, 900, 2_400)
_UNTRACKED = ("WatchEvent", "ForkEvent", "CreateEvent", "DeleteEvent", "GollumEvent")


@dataclass(frozen=True, slots=True)
class Told:
    """An event of the story, before it has an id."""

    at: datetime
    type: str
    repository: Repository
    actor: Account
    payload: Payload


@dataclass(slots=True)
class Story:
    """What happened so far. ``random`` decides everything, and its seed is fixed."""

    random: random.Random = field(default_factory=lambda: random.Random(20_241_201))  # noqa: S311
    events: list[Told] = field(default_factory=list)
    last_id: int = 700_000_000
    numbers: dict[int, int] = field(default_factory=dict)
    releases: dict[int, int] = field(default_factory=dict)

    def tell(
        self, at: datetime, type_: str, repository: Repository, actor: Account, payload: Payload
    ) -> None:
        if BEGINS <= at < ENDS:
            self.events.append(Told(at, type_, repository, actor, payload))

    def next_id(self) -> int:
        self.last_id += self.random.randint(1, 9)
        return self.last_id

    def next_number(self, repository: Repository) -> int:
        self.numbers[repository.id] = self.numbers.get(repository.id, 0) + 1
        return self.numbers[repository.id]

    def soon(self, at: datetime, hours: int, who: Account) -> datetime:
        """Some time after ``at``, when somebody is awake and, mostly, no weekend is on."""
        at += timedelta(seconds=self.random.randint(40, hours * 3600))
        local = (at.hour + who.offset) % 24
        if local < 8 or local > 21:
            at += timedelta(hours=(8 - local) % 24 + self.random.randrange(4))
        if at.weekday() >= 5 and self.chance(70):
            at += timedelta(days=2)
        return at

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def someone(self, repository: int, day: int, *, but: Account | None = None) -> Account:
        """A person who is about in this repository, the busier the likelier."""
        about = [a for a in HUMANS if repository in a.homes and a.is_active(day) and a is not but]
        return self.random.choices(about, weights=[a.weight for a in about])[0]

    def title(self, repository: Repository) -> str:
        return f"{self.random.choice(_VERBS)} {self.random.choice(repository.topics)}"

    def remark(self) -> str:
        return self.random.choice(_REMARKS)


def tell_story() -> list[Told]:
    """All events in order of time."""
    story = Story()
    day = BEGINS
    while day < ENDS:
        for index, repository in enumerate(REPOSITORIES):
            for _ in range(_strands(story, repository, day.date())):
                person = story.someone(index, (day - BEGINS).days)
                _strand(story, index, person, _at_work(story, person, day))
            _robots(story, index, day)
        day += timedelta(days=1)
    # Sorting is stable: of one second, what was told first stays first.
    return sorted(story.events, key=lambda event: event.at)


def _strands(story: Story, repository: Repository, day: date) -> int:
    """How many things begin in a repository on a day: less on weekends and around New Year."""
    usual = repository.share * 18
    if day.weekday() >= 5:
        usual = usual * 2 // 7
    if (day.month, day.day) >= (12, 23) or (day.month, day.day) <= (1, 2):
        usual //= 3
    return (usual + story.random.randrange(100)) // 100


def _at_work(story: Story, person: Account, day: datetime) -> datetime:
    """A moment of the day between breakfast and midnight where the person lives, mostly noon."""
    local = 7 + sum(story.random.randrange(9) for _ in range(2))
    seconds = story.random.randrange(3600)
    return day + timedelta(hours=(local - person.offset) % 24, seconds=seconds)


def _strand(story: Story, index: int, person: Account, at: datetime) -> None:
    repository = REPOSITORIES[index]
    kinds: Sequence[Callable[[Story, int, Account, datetime], None]]
    kinds = (_pull_request, _issue, _direct_push, _passing_by, _commit_comment)
    trusted = person in MAINTAINERS[index]
    (kind,) = story.random.choices(kinds, weights=(34, 24, 22 if trusted else 4, 24, 2))
    kind(story, index, person, at)
    if trusted and story.chance(5):
        _release(story, repository, person, story.soon(at, 5, person))


# --- strands ---------------------------------------------------------------------------------


def _push(
    story: Story, repository: Repository, who: Account, at: datetime, ref: str, commits: int
) -> None:
    messages = [story.title(repository) for _ in range(commits)]
    old = story.random.choice((0, 0, 0, 0, 1, 3))
    told = payloads.push(repository, story.next_id(), f"refs/heads/{ref}", messages, old, at)
    story.tell(at, "PushEvent", repository, who, told)


def _direct_push(story: Story, index: int, who: Account, at: datetime) -> None:
    commits = story.random.choice((0, 1, 1, 1, 1, 2, 2, 3, 5, 24))
    _push(story, REPOSITORIES[index], who, at, "main", commits)


def _pull_request(
    story: Story, index: int, author: Account, at: datetime, title: str | None = None
) -> None:
    repository = REPOSITORIES[index]
    number = story.next_number(repository)
    title = title or story.title(repository)
    lines = story.random.choice(_LINES) * story.random.randint(1, 3)
    if story.chance(1):
        lines = 51_000 + 7 * number  # a vendored library
    branch = f"{author.login.removesuffix('[bot]')}/{title.lower().replace(' ', '-')}"
    pull = Pull(
        repository, number, story.next_id(), author, title, branch, at,
        story.random.choice((1, 1, 1, 2, 3, 6)), lines, lines // story.random.randint(1, 9),
    )  # fmt: skip
    _push(story, repository, author, at - timedelta(minutes=4), branch, pull.commits)
    opened = payloads.pull_request(pull, "opened", at)
    story.tell(at, "PullRequestEvent", repository, author, opened)
    if index == 0:
        _comment(story, pull, CI_ROBOT, at + timedelta(minutes=9), "All checks passed.")
    if story.chance(12):
        _review(story, pull, story.random.choice((CLAUDE, CODEX)), at + timedelta(minutes=6))
    day = (at - BEGINS).days
    for _ in range(story.random.choice((0, 0, 1, 1, 1, 2, 3))):
        reviewer = story.someone(index, day, but=author)
        at = story.soon(at, 20, reviewer)
        _review(story, pull, reviewer, at)
    if story.chance(30):
        at = story.soon(at, 9, author)
        _push(story, repository, author, at, branch, 1)
    if story.chance(35):
        who = story.someone(index, day)
        at = story.soon(at, 9, who)
        _comment(story, pull, who, at, story.remark())
    if story.chance(88):
        _finish(story, index, pull, at)


def _finish(story: Story, index: int, pull: Pull, at: datetime) -> None:
    merger = story.random.choice(MAINTAINERS[index])
    at = story.soon(at, 40, merger)
    if story.chance(15):
        pull.closed_at = at
        closed = payloads.pull_request(pull, "closed", at)
        story.tell(
            at,
            "PullRequestEvent",
            pull.repository,
            story.random.choice((pull.author, merger)),
            closed,
        )
        if story.chance(80):
            return
        pull.closed_at, at = None, story.soon(at, 30, pull.author)
        reopened = payloads.pull_request(pull, "reopened", at)
        story.tell(at, "PullRequestEvent", pull.repository, pull.author, reopened)
        at = story.soon(at, 20, merger)
    pull.closed_at, pull.merged_by = at, merger
    story.tell(
        at, "PullRequestEvent", pull.repository, merger, payloads.pull_request(pull, "closed", at)
    )
    _push(story, pull.repository, merger, at + timedelta(seconds=2), "main", pull.commits)


def _review(story: Story, pull: Pull, reviewer: Account, at: datetime) -> None:
    """A review with its comments, and now and then the author's answer, which makes one too."""
    state = story.random.choice(("approved", "approved", "commented", "changes_requested"))
    review_id = story.next_id()
    told = payloads.review(pull, reviewer, review_id, state, at)
    story.tell(at, "PullRequestReviewEvent", pull.repository, reviewer, told)
    for _ in range(story.random.choice((0, 0, 0, 1, 2, 4))):
        comment = payloads.review_comment(
            pull, reviewer, story.next_id(), review_id, story.remark(), at
        )
        story.tell(at, "PullRequestReviewCommentEvent", pull.repository, reviewer, comment)
    if reviewer is not pull.author and reviewer in HUMANS and story.chance(18):
        later = story.soon(at, 3, pull.author)
        answer = payloads.review(pull, pull.author, story.next_id(), "commented", later)
        story.tell(later, "PullRequestReviewEvent", pull.repository, pull.author, answer)


def _comment(story: Story, on: Issue | Pull, who: Account, at: datetime, body: str) -> None:
    on.comments += 1
    told = payloads.issue_comment(on, who, story.next_id(), body, at)
    story.tell(at, "IssueCommentEvent", on.repository, who, told)


def _issue(story: Story, index: int, opener: Account, at: datetime) -> None:
    repository, day = REPOSITORIES[index], (at - BEGINS).days
    title = f"Trouble with {story.random.choice(repository.topics)}"
    issue = Issue(repository, story.next_number(repository), story.next_id(), opener, title, at)
    story.tell(at, "IssuesEvent", repository, opener, payloads.issue_event(issue, "opened", at))
    for _ in range(story.random.choice((0, 1, 1, 2, 2, 5))):
        who = story.someone(index, day)
        at = story.soon(at, 30, who)
        _comment(story, issue, who, at, story.remark())
    closings = story.random.choice((0, 0, 1, 1, 1, 1, 2))
    for turn in range(closings):
        if turn:
            at, issue.closed_at = story.soon(at, 60, opener), None
            reopened = payloads.issue_event(issue, "reopened", at)
            story.tell(at, "IssuesEvent", repository, opener, reopened)
        closer = story.random.choice((opener, *MAINTAINERS[index]))
        at = story.soon(at, 90, closer)
        issue.closed_at = at
        closed = payloads.issue_event(issue, "closed", at)
        story.tell(at, "IssuesEvent", repository, closer, closed)


def _passing_by(story: Story, index: int, who: Account, at: datetime) -> None:
    """Something that no rule counts."""
    (type_,) = story.random.choices(_UNTRACKED, weights=(9, 3, 2, 2, 1))
    told: dict[str, Payload] = {
        "WatchEvent": {"action": "started"},
        "ForkEvent": {"forkee": {"id": story.next_id(), "private": False}},
        "CreateEvent": {"ref": "idea", "ref_type": "branch", "master_branch": "main"},
        "DeleteEvent": {"ref": "idea", "ref_type": "branch"},
        "GollumEvent": {"pages": [{"page_name": "Home", "action": "edited"}]},
    }
    story.tell(at, type_, REPOSITORIES[index], who, told[type_])


def _commit_comment(story: Story, index: int, who: Account, at: datetime) -> None:
    comment_id = story.next_id()
    head = payloads.sha(comment_id, "commented")
    told = payloads.commit_comment(who, comment_id, head, story.remark(), at)
    story.tell(at, "CommitCommentEvent", REPOSITORIES[index], who, told)


def _release(story: Story, repository: Repository, who: Account, at: datetime) -> None:
    minor = story.releases[repository.id] = story.releases.get(repository.id, 0) + 1
    told = payloads.release(who, story.next_id(), f"v1.{minor}.0", at)
    story.tell(at, "ReleaseEvent", repository, who, told)


def _robots(story: Story, index: int, day: datetime) -> None:
    """Updates on Mondays, agents through the week, more of them as time goes on."""
    repository = REPOSITORIES[index]
    if day.weekday() == 0 and story.chance(70):
        robot = DEPENDABOT if repository.owner == "harborline" else RENOVATE
        title = f"Bump {story.random.choice(('greenleaf', 'parselet', 'httpling'))}"
        _pull_request(story, index, robot, day + timedelta(hours=5, minutes=index), title)
    if story.chance(2 + (day - BEGINS).days // 40):
        at = day + timedelta(seconds=story.random.randrange(86_000))
        _pull_request(story, index, story.random.choice(AGENTS), at)
    if day.day == 15 and story.chance(60):
        _release(story, repository, ACTIONS, day + timedelta(hours=3))
