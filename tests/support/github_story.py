"""Histories told by hand for the stand-in: a small one with everything in it, and large ones.

The small one, from February 2025 to March 2026:

- ``octo/engine`` was ``octo/motor``, and another repository has taken that name; ``octo/wheels``
  was transferred from ``ana``; ``octo/secret`` is private, ``octo/banned`` and ``octo/spam`` are
  blocked, ``octo/empty`` has no commit, ``octo/silent``, once ``octo/quiet``, no issues.
- ``ben`` was ``benny``; ``ghost-to-be`` deleted the account; ``dependabot[bot]`` and ``Copilot``
  are apps, Copilot's pull request is assigned to ``cleo``; ``claude`` stands in trailers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.support.github_history import History

ENGINE, MOTOR, WHEELS, OTHERS = 101, 102, 103, 110
STRANGER = ("Stranger", "stranger@nowhere.example")
CLAUDE = ("Claude", "noreply@anthropic.com")
NOW = "2026-03-31T00:00:00Z"
"""When the stand-in's clock begins."""

LOST: Mapping[int, frozenset[int]] = {ENGINE: frozenset({7, 9, 11, 12})}
"""The numbers that the archive lost: one of three of July 2025, three of four of November 2025.

It has all that began in the other months.
"""


def people(history: History) -> None:
    """The accounts of every history."""
    profile = {
        "name": "Ana Alvarez",
        "company": "@octo",
        "location": "Lisbon",
        "bio": "Makes engines.",
        "website": "https://ana.example",
        "mail": "ana@public.example",
        "followers": 12,
        "social": [
            ["MASTODON", "https://social.example/@ana"],
            ["LINKEDIN", "https://www.linkedin.com/in/ana"],
            ["TWITTER", "https://twitter.com/ana"],
        ],
    }
    history.add_person("octo", 9, type="Organization", name="Octo")
    history.add_person("ana", 11, mails=["ana@octo.example", "ana@home.example"], **profile)
    history.add_person("benny", 12, name="Ben", mails=["ben@octo.example"])
    history.add_person("cleo", 13, name="Cleo", mails=["cleo@octo.example"])
    history.add_person("ghost-to-be", 14, mails=["gone@octo.example"])
    history.add_person("claude", 81847, name="Claude", mails=[CLAUDE[1]])
    history.add_person("web-flow", 19864447, name="GitHub Web Flow", mails=["noreply@github.com"])
    history.add_person("dependabot[bot]", 49699333, type="Bot", app="dependabot")
    history.add_person("Copilot", 198982749, type="Bot", app="copilot-swe-agent")


def story() -> History:
    """The small history."""
    told = History()
    people(told)
    _places(told)
    _february(told)
    _march(told)
    _summer(told)
    _autumn(told)
    _winter(told)
    return told


def _places(told: History) -> None:
    began = "2025-02-01T08:00:00Z"
    about = {"description": "An engine", "stars": 42, "forks": 7, "language": "Python"}
    told.add_repository("octo/motor", ENGINE, began, **about)
    told.add_repository("ana/wheels", WHEELS, began, language="C")
    others: Mapping[str, Mapping[str, Any]] = {
        "octo/secret": {"private": True},
        "octo/banned": {"blocked": "dmca"},
        "octo/empty": {},
        "octo/quiet": {"has_issues": False, "archived": True, "fork": True},
        "octo/spam": {"blocked": "tos"},
    }
    for place, (name, what) in enumerate(others.items()):
        told.add_repository(name, OTHERS + place, began, **what)
    told.rename_repository("octo/quiet", "octo/silent", "2025-02-01T08:30:00Z")


def _february(told: History) -> None:
    engine = "octo/motor"
    told.push(engine, "ana", "2025-02-01T09:00:00Z", [{"by": "ana", "additions": 100}])
    told.push("octo/silent", "ana", "2025-02-01T09:05:00Z", [{"by": "ana"}])
    told.open_pull(engine, "benny", "2025-02-03T10:00:00Z", title="Add a piston")  # 1
    told.review(engine, 1, "ana", "2025-02-03T11:00:00Z", "CHANGES_REQUESTED", lines=2)
    told.review(engine, 1, "benny", "2025-02-03T11:30:00Z", "COMMENTED", lines=1)
    told.review(engine, 1, "ana", "2025-02-03T12:00:00Z")
    told.merge(engine, 1, "ana", "2025-02-04T09:00:00Z")
    told.open_issue(engine, "ghost-to-be", "2025-02-05T09:00:00Z")  # 2
    told.comment(engine, 2, "ana", "2025-02-05T10:00:00Z")
    told.close(engine, 2, "ana", "2025-02-06T09:00:00Z")
    told.reopen(engine, 2, "ghost-to-be", "2025-02-07T09:00:00Z")
    told.close(engine, 2, "cleo", "2025-02-20T09:00:00Z")
    told.push(
        *(engine, "ana", "2025-02-21T09:00:00Z"),
        [{"by": "ana"}, {"author": STRANGER, "additions": 5}],
    )


def _march(told: History) -> None:
    told.rename_repository("octo/motor", "octo/engine", "2025-03-01T00:00:00Z")
    engine = "octo/engine"
    told.add_repository("octo/motor", MOTOR, "2025-03-02T00:00:00Z", description="Another one")
    told.push("octo/motor", "cleo", "2025-03-02T01:00:00Z", [{"by": "cleo"}])
    told.rename_repository("ana/wheels", "octo/wheels", "2025-03-03T00:00:00Z")
    told.push("octo/wheels", "ana", "2025-03-03T01:00:00Z", [{"by": "ana"}])
    told.open_pull("octo/wheels", "cleo", "2025-03-04T09:00:00Z", from_fork=True)
    told.merge("octo/wheels", 1, "ana", "2025-03-05T09:00:00Z")
    told.open_pull(engine, "ghost-to-be", "2025-03-06T09:00:00Z", from_fork=True)  # 3
    told.merge(engine, 3, "ana", "2025-03-07T09:00:00Z", squash=True)
    told.open_pull(engine, "dependabot[bot]", "2025-03-08T09:00:00Z", title="Bump a bolt")  # 4
    told.merge(engine, 4, "ana", "2025-03-08T10:00:00Z", squash=True)
    told.release(engine, "v1.0", "ana", "2025-03-10T09:00:00Z")
    told.draft_release(engine, "v2.0", "ana", "2025-03-11T09:00:00Z")
    told.comment_on_commit(engine, told.at(engine).head or "", "cleo", "2025-03-12T09:00:00Z")
    told.rename_person("benny", "ben")
    old = [{"by": "ben", "at": f"2025-02-{day:02}T06:00:00Z"} for day in (8, 9, 10)]
    told.open_pull(engine, "ben", "2025-03-20T09:00:00Z", old, title="A long-lived branch")  # 5


def _summer(told: History) -> None:
    engine = "octo/engine"
    told.merge(engine, 5, "ana", "2025-06-20T09:00:00Z")
    told.open_pull(engine, "cleo", "2025-07-01T09:00:00Z", title="Much discussed")  # 6
    for turn in range(45):
        told.review(
            *(
                engine,
                6,
                "ben" if turn % 2 else "ana",
                f"2025-07-02T{turn // 2:02}:{turn % 60:02}:00Z",
            ),
            *("COMMENTED", turn % 5 == 0),
        )
    told.comment(engine, 6, "ana", "2025-07-03T09:00:00Z")
    told.open_issue(engine, "cleo", "2025-07-04T09:00:00Z")  # 7
    told.push(engine, "cleo", "2025-07-05T09:00:00Z", [{"by": "cleo"}, {"by": "cleo"}])
    told.force_push(engine, "cleo", "2025-07-05T10:00:00Z", [{"by": "cleo"}], drop=1)
    told.open_pull(engine, "ana", "2025-07-06T09:00:00Z", title="Merged by herself")  # 8
    told.merge(engine, 8, "ana", "2025-07-06T09:30:00Z", squash=True)


def _autumn(told: History) -> None:
    engine = "octo/engine"
    agent = [{"by": "Copilot", "additions": 30, "co_authors": [("Cleo", "cleo@octo.example")]}]
    told.open_pull(
        *(engine, "Copilot", "2025-11-01T09:00:00Z", agent, "Fix a leak", ["cleo", "Copilot"])
    )  # 9
    told.review(engine, 9, "cleo", "2025-11-01T10:00:00Z", lines=1)
    told.merge(engine, 9, "cleo", "2025-11-01T11:00:00Z")
    told.open_pull(engine, "ben", "2025-11-02T09:00:00Z", title="Given up")  # 10
    told.close(engine, 10, "ben", "2025-11-03T09:00:00Z")
    told.open_issue(engine, "ben", "2025-11-04T09:00:00Z")  # 11
    told.close(engine, 11, "ben", "2025-11-05T09:00:00Z")
    told.open_pull(engine, "ana", "2025-11-06T09:00:00Z", title="Still open")  # 12
    helped = {"by": "ana", "additions": 20, "co_authors": [CLAUDE]}
    together = {"by": "ana", "co_authors": [("Ben", "ben@octo.example"), STRANGER]}
    told.push(engine, "ana", "2025-11-07T09:00:00Z", [helped, together])


def _winter(told: History) -> None:
    engine = "octo/engine"
    told.open_pull(engine, "cleo", "2026-01-10T09:58:00Z")  # 13
    told.review(engine, 13, "ben", "2026-01-10T10:30:00Z", lines=1)
    told.merge(engine, 13, "ben", "2026-01-11T09:00:00Z")
    told.comment(engine, 12, "ben", "2026-01-12T09:00:00Z")
    told.release(engine, "v1.1", "ben", "2026-01-13T09:00:00Z")
    told.release("octo/wheels", "v0.1", "ana", "2026-01-14T09:00:00Z")
    told.delete_person("ghost-to-be")


def busy(pulls: int = 1_000, name: str = "octo/busy") -> History:
    """A repository of so many pull requests, each with two reviews and a comment, squashed."""
    told = History()
    people(told)
    told.add_repository(name, 201, "2025-01-01T00:00:00Z", language="Python")
    told.push(name, "ana", "2025-01-01T00:00:01Z", [{"by": "ana"}])
    for number in range(1, pulls + 1):
        hour = f"2026-{1 + number // 672 % 12:02}-{1 + number // 24 % 28:02}T{number % 24:02}"
        told.open_pull(name, "cleo", f"{hour}:00:00Z", from_fork=True)
        told.review(name, number, "ana", f"{hour}:10:00Z", "COMMENTED", lines=1)
        told.review(name, number, "ana", f"{hour}:20:00Z")
        told.comment(name, number, "benny", f"{hour}:25:00Z")
        told.merge(name, number, "ana", f"{hour}:30:00Z", squash=True)
    return told


def many(count: int = 100, pulls: int = 2) -> History:
    """So many small repositories, ``octo/small-0`` and on."""
    told = History()
    people(told)
    for place in range(count):
        name = f"octo/small-{place}"
        told.add_repository(name, 1_000 + place, "2026-01-01T00:00:00Z", language="Go")
        told.push(name, "ana", "2026-01-01T01:00:00Z", [{"by": "ana"}])
        for number in range(1, pulls + 1):
            told.open_pull(name, "cleo", f"2026-01-0{number + 1}T00:00:00Z")
            told.review(name, number, "ana", f"2026-01-0{number + 1}T01:00:00Z")
            told.merge(name, number, "ana", f"2026-01-0{number + 1}T02:00:00Z")
        told.open_issue(name, "benny", "2026-01-12T00:00:00Z")
        told.release(name, "v1", "ana", "2026-01-13T00:00:00Z")
    return told
