"""One history through three doors: a whole archive, a blind one beside GitHub's API, that alone.

The boards are the same but for the differences that docs/sources.md lists; each is told by the
coverage, and what it comes to is worked out here from the history itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from infra.clock import utc_now
from infra.ingest import ingest_file
from shared import removals, repositories
from shared.boards import repository_board
from shared.context import SYSTEM, Services
from shared.coverage import Coverage
from shared.models import RepositoryName
from shared.tables import COUNT_COLUMNS
from tests.support.by_hand import HandQueue, by_hand, deliver_all
from tests.support.fast_folder import fast_folder
from tests.support.github_bench import GitHubBench, github
from tests.support.github_commits import walk
from tests.support.github_doors import full_archive, trimmed_archive
from tests.support.github_history import History
from tests.support.github_story import CLAUDE, ENGINE, LOST, NOW
from tests.support.scenario import head, open_services, unfinished
from tests.support.traces import traces

NAME = RepositoryName.parse("octo/engine")
TOKEN = "a-token-of-the-stand-in"
ANA, BEN, CLEO, GHOST, AGENT, BOT = 11, 12, 13, 14, 198982749, 49699333
CLAUDE_ID = 81847

Counts = dict[int, dict[str, int]]


@dataclass(frozen=True)
class Door:
    """What the board of ``octo/engine`` is through a door."""

    counts: Counts
    logins: Mapping[int, str]
    coverage: Coverage


@pytest.fixture(scope="module")
def bench() -> Iterator[GitHubBench]:
    with github(tokens=[TOKEN]) as made:
        yield made


@contextmanager
def services_of(
    bench: GitHubBench, folder: Path, **settings: object
) -> Iterator[tuple[Services, HandQueue]]:
    made = open_services(folder / "data", lambda: datetime.fromisoformat(NOW), **settings)
    yield by_hand(made)
    if made.github is not None:
        made.github.close()  # type: ignore[attr-defined]
    made.documents.close()  # type: ignore[attr-defined]
    made.warehouse.close()  # type: ignore[attr-defined]


def by_api(bench: GitHubBench, **more: object) -> dict[str, object]:
    return {"github_token": TOKEN, "github_api_url": bench.url, **more}


def take_in(services: Services, paths: list[Path]) -> None:
    for path in paths:
        ingest_file(
            services.warehouse,
            path,
            now=utc_now(),
            removed=lambda: removals.removed_ids(services),
            lifts=0,
        )


def scraped(services: Services, queue: HandQueue) -> Door:
    repositories.register(services, NAME, SYSTEM)
    deliver_all(services, queue)
    assert unfinished(services) == []
    shown = head(services, repository_board(ENGINE), "all")
    assert shown is not None
    rows = services.warehouse.query(
        "list_standings", {"repo_ids": [ENGINE], "window": "all"}
    ).to_pylist()
    return Door(
        {
            row["contributor_id"]: {n: row[n] for n in COUNT_COLUMNS.values() if row[n]}
            for row in rows
        },
        {row["contributor_id"]: row["login"] for row in rows},
        Coverage.model_validate(shown.coverage),
    )


@pytest.fixture(scope="module")
def doors(bench: GitHubBench) -> Mapping[str, Door]:
    found: dict[str, Door] = {}
    settings: Mapping[str, dict[str, object]]
    settings = {"whole": {"github_access": "off"}, "both": by_api(bench), "api": by_api(bench)}
    for name, chosen in settings.items():
        with fast_folder() as folder, services_of(bench, folder, **chosen) as (services, queue):
            if name == "whole":
                take_in(services, full_archive(bench.history, folder / "f", one_file=True))
            elif name == "both":
                take_in(services, trimmed_archive(bench.history, folder / "f", LOST, one_file=True))
            found[name] = scraped(services, queue)
    return found


def without_commits(counts: Counts) -> Counts:
    return {
        id_: {kind: n for kind, n in kinds.items() if kind != "commit"}
        for id_, kinds in counts.items()
    }


def commits(counts: Counts) -> dict[int, int]:
    return {id_: kinds["commit"] for id_, kinds in counts.items() if "commit" in kinds}


def authored(history: History) -> tuple[Counter[int], int]:
    """Commits of the default branch that are no merges, by author; those of nobody's address."""
    engine = history.at("octo/engine")
    found: Counter[int] = Counter()
    for sha in walk(engine.commits, engine.head or ""):
        commit = engine.commits[sha]
        if len(commit.parents) < 2:
            mail = commit.author[1]
            found[next((a.id for a in history.accounts.values() if a.has(mail)), 0)] += 1
    return found, found.pop(0) + found.pop(GHOST)


def test_all_but_the_listed_differences_is_the_same_through_every_door(
    doors: Mapping[str, Door],
) -> None:
    whole, both, api = (without_commits(doors[name].counts) for name in ("whole", "both", "api"))
    assert both == whole
    ghost = whole.pop(GHOST)
    assert api == whole
    # A deleted account: the archive knew it, GitHub does not say any more whose its work was.
    unknown = doors["api"].coverage.accounts_deleted.unknown
    assert unknown == sum(ghost[kind] for kind in ("pr_opened", "pr_merged", "issue_opened")) == 3


def test_commits_are_the_authors_where_github_tells_them_and_the_pushers_elsewhere(
    bench: GitHubBench, doors: Mapping[str, Door]
) -> None:
    expected, unlinked = authored(bench.history)
    assert commits(doors["api"].counts) == expected
    assert doors["api"].coverage.commits_unlinked.unknown == unlinked == 2
    assert doors["api"].coverage.days["commits"].archive == 0
    assert doors["whole"].coverage.days["commits"].github == 0
    assert doors["whole"].coverage.pushes_without_commits.unknown == 0
    # A pusher has what branches brought, merges and force pushes with it: never less.
    assert sum(commits(doors["whole"].counts).values()) > expected.total()
    mixed = doors["both"].coverage.days["commits"]
    assert mixed.archive  # the spring
    assert mixed.github  # the rest


def test_an_app_is_called_by_its_name_in_graphql_where_github_tells_of_it(
    doors: Mapping[str, Door],
) -> None:
    others = {name: dict(door.logins) for name, door in doors.items()}
    assert others["whole"].pop(AGENT) == "Copilot"
    for name in ("both", "api"):
        assert others[name].pop(AGENT) == "copilot-swe-agent[bot]"
    assert others["both"] == others["whole"]
    others["whole"].pop(GHOST)
    assert others["api"] == others["whole"]


def test_the_coverage_says_what_the_archive_saw_of_the_months(doors: Mapping[str, Door]) -> None:
    assert doors["whole"].coverage.archive_completeness is None
    seen = {name: doors[name].coverage.archive_completeness for name in ("both", "api")}
    assert seen["both"] is not None
    assert seen["api"] is not None
    # Of 15 numbers with something on GitHub, month for month, the five of LOST are missing.
    assert (seen["both"].seen, seen["both"].of, seen["both"].percent) == (10, 15, "66.66")
    assert (seen["api"].seen, seen["api"].of) == (0, 15)
    assert {name: door.coverage.source for name, door in doors.items()} == {
        "whole": "archive", "both": "archive and github", "api": "github",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("credited", "pull_of", "commits_of_claude"),
    [("author", AGENT, 0), ("human", CLEO, 0), ("agent", AGENT, 1)],
)
def test_the_setting_decides_who_is_credited_for_the_work_of_agents(
    bench: GitHubBench, credited: str, pull_of: int, commits_of_claude: int
) -> None:
    assert CLAUDE[1] in {
        mail for c in bench.history.at("octo/engine").commits.values() for _, mail in c.people
    }
    with (
        fast_folder() as folder,
        services_of(bench, folder, **by_api(bench, agent_credit=credited)) as (services, queue),
    ):
        counts = scraped(services, queue).counts
    opened = {id_: kinds.get("pr_opened", 0) for id_, kinds in counts.items()}
    assert opened.get(AGENT, 0) == (1 if pull_of == AGENT else 0)
    assert opened[CLEO] == (3 if pull_of == CLEO else 2)
    assert counts.get(CLAUDE_ID, {}).get("commit", 0) == commits_of_claude


@pytest.mark.parametrize("door", ["whole", "both", "api"])
def test_who_was_removed_comes_back_through_no_door(bench: GitHubBench, door: str) -> None:
    settings = {"github_access": "off"} if door == "whole" else by_api(bench)
    with fast_folder() as folder, services_of(bench, folder, **settings) as (services, queue):

        def read_again() -> None:
            if door == "whole":
                take_in(services, full_archive(bench.history, folder / "f", one_file=True))
            elif door == "both":
                take_in(services, trimmed_archive(bench.history, folder / "f", LOST, one_file=True))

        read_again()
        before = scraped(services, queue).counts
        assert BOT in before
        assert traces(services, folder / "data", "dependabot")
        removals.remove(services, BOT, SYSTEM)
        deliver_all(services, queue)
        for _ in range(2):
            found = traces(services, folder / "data", "dependabot", str(BOT))
            assert [place for place in found if place != "documents.sqlite"] == [f"removals/{BOT}"]
            read_again()
            repositories.request_scrape(services, NAME, SYSTEM, full=True)
            deliver_all(services, queue)
        assert without_commits(scraped(services, queue).counts) == without_commits(
            {id_: kinds for id_, kinds in before.items() if id_ != BOT}
        )
